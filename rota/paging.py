"""Every run of a query, page after page."""

from collections.abc import Iterator

from msgspec.structs import replace

from rota.core.model import Run
from rota.ports import Store
from rota.queries import RunQuery

PAGE = 1000


def every_run(store: Store, query: RunQuery, *, size: int = PAGE) -> Iterator[Run]:
    """Yield the runs of a query, newest first, `size` at a time; its limit is ignored."""
    query = replace(query, limit=size)
    while page := store.runs(query):
        yield from page
        if len(page) < size:
            return
        query = replace(query, before_id=page[-1].id)
