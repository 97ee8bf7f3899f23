"""What runs printed and logged, for the `MemoryStore`."""

from bisect import insort
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from rota.core.model import LogChunk, Note


class Written(NamedTuple):
    """A chunk, and when it was written. Chunks of a run sort as they are read."""

    token: int
    number: int
    at: datetime
    chunk: LogChunk


class Logs:
    """Chunks by run, each run's in the order of (token, number). Not locked: the store is."""

    def __init__(self) -> None:
        self._written: dict[str, list[Written]] = {}

    def take(self, note: Note, *, now: datetime) -> None:
        """Delete what the note drops, then keep its chunks that are not there already."""
        written = self._written.setdefault(note.run_id, [])
        if note.drop is not None:
            first, end = note.drop
            written[:] = [one for one in written if one.token != note.token or not first <= one.number < end]
        known = {(one.token, one.number) for one in written}
        for chunk in note.chunks:
            if (chunk.token, chunk.number) not in known:
                insort(written, Written(chunk.token, chunk.number, now, chunk), key=_place)
                known.add((chunk.token, chunk.number))
        if not written:
            del self._written[note.run_id]

    def of(self, run_id: str, *, after: tuple[int, int] | None, limit: int) -> list[LogChunk]:
        """Return up to `limit` chunks of a run that stand after this key."""
        written = self._written.get(run_id, ())
        return [one.chunk for one in written if after is None or _place(one) > after][:limit]

    def delete(self, run_ids: Iterable[str]) -> None:
        """Forget the logs of these runs."""
        for run_id in run_ids:
            self._written.pop(run_id, None)

    def prune(self, before: datetime, *, limit: int) -> int:
        """Delete up to `limit` chunks that were written before this instant, oldest first; return how many."""
        old = sorted(
            (one.at, run_id, one.token, one.number)
            for run_id, written in self._written.items()
            for one in written
            if one.at < before
        )[:limit]
        for _, run_id, token, number in old:
            kept = [one for one in self._written[run_id] if _place(one) != (token, number)]
            if kept:
                self._written[run_id] = kept
            else:
                del self._written[run_id]
        return len(old)


def _place(one: Written) -> tuple[int, int]:
    return one.token, one.number
