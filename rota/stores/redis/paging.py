"""Walking through ids, newest first, a page at a time: no call holds the server up for long."""

from collections.abc import Iterator

from rota.stores.redis.server import Server

FIRST_PAGE = 100
PAGE = 1000


def newest_first(server: Server, name: str, before_id: str | None) -> Iterator[list[str]]:
    """Yield the ids of a sorted set of them, largest first, only those below `before_id`."""
    below, size = "+" if before_id is None else f"({before_id}", FIRST_PAGE
    while True:
        answer: list[bytes] = server.ask("ZREVRANGEBYLEX", server.key(name), below, "-", "LIMIT", 0, size)
        ids = [each.decode() for each in answer]
        if ids:
            yield ids
        if len(ids) < size:
            return
        below, size = f"({ids[-1]}", PAGE
