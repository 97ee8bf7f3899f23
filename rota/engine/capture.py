"""What the runs of this process print and log, on its way into the store (R44)."""

import logging
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from rota.core.model import LogLine, Note, Run
from rota.core.safe import safe_text
from rota.core.transcript import Transcript, harmless, size_of
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.redaction import redacted, seam

log: logging.Logger = logging.getLogger(__name__)

BATCH = 2 << 20
"""Bytes of lines that are written in one transaction, about."""
OVER = 4096
"""How many attempts that are over are remembered: threads and coroutines that one left behind may still print."""

Key = tuple[str, int]


class Captures:
    """Keeps what runs say until it is written. Nobody who prints waits for the store.

    `add` and `progress` may be called by any thread. As a service it writes once a second; a run that says nothing
    costs nothing.
    """

    def __init__(self, store: Store, *, max_bytes: int = 1 << 20, every: timedelta = timedelta(seconds=1)) -> None:
        self._store = store
        self._max_bytes = max_bytes
        self._every = every
        # Guards the three below. Again by the same thread: a finalizer that prints may run anywhere.
        self._lock = threading.RLock()
        self._transcripts: dict[Key, Transcript] = {}
        self._over: dict[Key, None] = {}

    def add(self, run: Run, line: LogLine) -> None:
        """Take a line of an attempt. Its text is cut to a sane length and made harmless."""
        kept = LogLine(
            at=line.at,
            level=safe_text(line.level[:16]),
            source=safe_text(line.source[:100]),
            text=harmless(line.text, seam=seam),
        )
        with self._lock:
            transcript = self._transcript(run)
            if transcript is not None:
                transcript.add(kept)

    def progress(self, run: Run, done: int, total: int | None) -> None:
        """Take how far an attempt has come. What is newest is written."""
        with self._lock:
            transcript = self._transcript(run)
            if transcript is not None:
                transcript.progress(done, total)

    def ended(self, run: Run) -> None:
        """Take note that an attempt is over: what it said is written whole, then forgotten. It says nothing more."""
        key = (run.id, run.token)
        with self._lock:
            if key in self._transcripts:
                self._transcripts[key].is_ended = True
            self._over[key] = None
            if len(self._over) > OVER:
                del self._over[next(iter(self._over))]

    def tick(self, now: datetime) -> timedelta:
        """Write what there is, of each attempt a bounded part.

        Raises:
            StoreUnavailable: what was not written is offered again at the next tick.
        """
        self._write(now, everything=False)
        return self._every

    def flush(self, now: datetime) -> bool:
        """Write all there is, at the end of the process; return whether the store has taken it."""
        try:
            # What an earlier pass could not write goes first, as it was; the rest after it. No further: whoever still
            # prints would never let it end.
            for _ in range(2):
                self._write(now, everything=True)
        except StoreUnavailable as error:
            log.warning("the last lines of %d runs are lost: %s", len(self._transcripts), error)
            return False
        return True

    def _transcript(self, run: Run) -> Transcript | None:
        key = (run.id, run.token)
        found = self._transcripts.get(key)
        if found is None and key not in self._over:
            found = self._transcripts[key] = Transcript(run.id, run.token, most=self._max_bytes, redact=redacted)
        return None if found is None or found.is_ended else found

    def _write(self, now: datetime, *, everything: bool) -> None:
        """Write a note of each attempt that has something to say."""
        with self._lock:
            offered = {key: one.next_note(everything=everything) for key, one in self._transcripts.items()}
        notes = [note for note in offered.values() if note is not None]
        for batch in _batches(notes):
            self._store.note(batch, now=now)
            with self._lock:
                for note in batch:
                    # Gone when another thread has written it as well, and all was told.
                    transcript = self._transcripts.get((note.run_id, note.token))
                    if transcript is not None:
                        transcript.written(note)
        self._forget_told()

    def _forget_told(self) -> None:
        with self._lock:
            for key in [key for key, one in self._transcripts.items() if one.is_ended and one.is_told]:
                del self._transcripts[key]


def _batches(notes: Sequence[Note]) -> Iterator[list[Note]]:
    """Divide notes into short transactions."""
    batch: list[Note] = []
    size = 0
    for note in notes:
        batch.append(note)
        size += 100 + sum(size_of(line) for chunk in note.chunks for line in chunk.lines)
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
