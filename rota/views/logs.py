"""What a run printed and logged, as it is shown: by attempt, with the time since it began (R44)."""

import logging
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from rota.app import Rota
from rota.core.model import Attempt, LogChunk, RunHistory, State
from rota.core.safe import safe_text
from rota.errors import RunNotFound
from rota.redaction import redacted

# A token is a number of 64 bits; the rest is no larger than what every store can count to.
_WRITTEN = re.compile(r"\d{1,18}\.\d{1,9}\.\d{1,9}", re.ASCII)


class Place(NamedTuple):
    """Where a log has been read to."""

    token: int
    """Of the last chunk."""
    number: int
    left_out: int = 0
    """Lines that were not kept and are still to be told, with the first line that follows."""

    @classmethod
    def read(cls, text: str) -> "Place":
        """Return the place that `written` wrote.

        Raises:
            ValueError: it did not.
        """
        if not _WRITTEN.fullmatch(text):
            raise ValueError(f"{text!r} is no place in a log")
        token, number, left_out = map(int, text.split("."))
        return cls(token, number, left_out)

    @property
    def written(self) -> str:
        return f"{self.token}.{self.number}.{self.left_out}"


class LogRow(Struct, frozen=True, kw_only=True):
    """One line of a log."""

    attempt: int | None
    """Which attempt said it, from 1. None: one that the history does not have."""
    token: int
    at: datetime
    since_start_s: float | None
    """Seconds since the attempt began."""
    level: str
    source: str
    """The logger's name, or `stdout`, or `stderr`."""
    text: str
    """Without passwords and control characters."""
    left_out: int = 0
    """How many lines came right before this one and were not kept."""


class LogPage(Struct, frozen=True, kw_only=True):
    """A part of the log of a run, and how the run stood before it was read."""

    run: str
    job: str
    tenant: str | None
    state: State
    lines: list[LogRow]
    next: str | None
    """What to ask for as `after` next time, whether or not there is more by now; null while nothing was said."""
    has_more: bool
    """Whether there may be more already."""


class LogDetail(Struct, frozen=True, kw_only=True):
    """The log of a run."""

    run: str
    job: str
    tenant: str | None
    state: State
    lines: list[LogRow]
    left_out: int
    """How many lines of all attempts were not kept: the middle of logs that were too long."""
    not_shown: int
    """How many lines before the first of `lines` are kept and not among them."""


def log_page(app: Rota, run_id: str, *, after: Place | None, least: int = logging.NOTSET, chunks: int) -> LogPage:
    """Return the lines after a place that are no less severe than `least`, oldest first.

    At most so many `chunks` are read, of 64 KiB each. The run is found by its id or the beginning of it, and asked for
    before its log: what a final state comes with is not yet the end, since a worker writes its last lines after it.

    Raises:
        RunNotFound: there is none.
    """
    reader = _Reader(app, _found(app, run_id), after)
    run = reader.history.run
    found = app.store.log(run.id, after=None if after is None else (after.token, after.number), limit=chunks)
    lines = [row for chunk in found for row in reader.rows(chunk, least)]
    return LogPage(
        run=run.id,
        job=run.job,
        tenant=run.tenant,
        state=run.state,
        lines=lines,
        next=None if reader.place is None else reader.place.written,
        has_more=len(found) == chunks,
    )


def log_detail(page: LogPage, rows: Sequence[LogRow], *, tail: int | None) -> LogDetail:
    """Return the log of a run, of its lines the last `tail`: `page` was read last, `rows` are those of all pages."""
    shown = rows if tail is None else rows[max(len(rows) - tail, 0) :]
    return LogDetail(
        run=page.run,
        job=page.job,
        tenant=page.tenant,
        state=page.state,
        lines=list(shown),
        left_out=sum(row.left_out for row in rows),
        not_shown=len(rows) - len(shown),
    )


class _Reader:
    """Makes rows of chunks, and knows where it has come to."""

    def __init__(self, app: Rota, history: RunHistory, place: Place | None) -> None:
        self._app = app
        self.history = history
        self.place = place

    def rows(self, chunk: LogChunk, least: int) -> Iterator[LogRow]:
        """Yield the lines of a chunk. What was left out is told with the first that follows it."""
        before = self.place if self.place is not None and self.place.token == chunk.token else None
        if before is None and all(attempt.token != chunk.token for attempt in self.history.attempts):
            # It began after the run was asked for.
            self.history = _found(self._app, self.history.run.id)
        attempt, began_at = self._attempt(chunk.token)
        left_out = (before.left_out if before is not None else 0) + chunk.left_out
        for line in chunk.lines:
            if severity(line.level) < least:
                continue
            yield LogRow(
                attempt=attempt,
                token=chunk.token,
                at=line.at,
                since_start_s=None if began_at is None else round((line.at - began_at).total_seconds(), 3),
                level=safe_text(line.level),
                source=safe_text(line.source),
                text=safe_text(redacted(line.text).replace("\n", "\\n"), lines=True),
                left_out=left_out,
            )
            left_out = 0
        self.place = Place(chunk.token, chunk.number, left_out)

    def _attempt(self, token: int) -> tuple[int | None, datetime | None]:
        for number, attempt in enumerate(self.history.attempts, start=1):
            if attempt.token == token:
                return number, began(attempt)
        return None, None


def _found(app: Rota, run_id: str) -> RunHistory:
    history = app.store.run(run_id)
    if history is None:
        raise RunNotFound(run_id)
    return history


def began(attempt: Attempt) -> datetime | None:
    """Return when an attempt began; until it is over, only its claim is known."""
    return attempt.started_at or attempt.claimed_at


def severity(level: str) -> int:
    """Return the number of a level of `logging`; one that is not known counts as INFO."""
    return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
