"""What runs printed and logged, and how far they have come."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from rota.core.model import LogChunk, Note
from rota.errors import RunNotFound
from rota.stores.redis.mapping import chunk_json, chunk_of, micros, whole
from rota.stores.redis.server import Server


def note(server: Server, notes: Sequence[Note], *, now: datetime) -> None:
    """Write progress, drop the middles of long logs, add the chunks that are new."""
    told = [
        {
            "run_id": one.run_id,
            "token": one.token,
            "done": None if one.done is None else whole(one.done),
            "total": None if one.total is None else whole(one.total),
            "chunks": [(chunk.token, chunk.number, chunk_json(chunk)) for chunk in one.chunks],
            "drop": one.drop,
        }
        for one in notes
    ]
    server.call("note", {"notes": told, "now": micros(now)})


def chunks(server: Server, run_id: str, *, after: tuple[int, int] | None, limit: int) -> list[LogChunk]:
    """Return the log of a run, by (token, number); only what stands after that key.

    Raises:
        RunNotFound: there is no such run.
    """
    answer = server.call("log", {"run_id": run_id, "after": after, "limit": limit})
    if answer is None:
        raise RunNotFound(run_id)
    texts: list[str] = msgspec.msgpack.decode(answer, type=list[str])
    return [chunk_of(text, run_id) for text in texts]
