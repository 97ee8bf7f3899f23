"""What a run printed and logged, as it is shown: by attempt, with the time since it began (R44)."""

import logging
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.model import Attempt, LogChunk, Run, RunHistory, State
from rota.core.safe import safe_text
from rota.errors import RunNotFound
from rota.redaction import redacted

PAGE = 200

Place = tuple[int, int]
"""Where a log has been read to: token and number of the last chunk."""


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


class LogReader:
    """Reads the log of one run, and goes on where it left off."""

    def __init__(self, app: Rota, run_id: str) -> None:
        """Find the run by its id, or the beginning of it.

        Raises:
            RunNotFound: there is none.
        """
        self._app = app
        self._after: Place | None = None
        self._token: int | None = None
        self._left_out = 0
        self.history: RunHistory = self._found(run_id)

    @property
    def run(self) -> Run:
        return self.history.run

    def refresh(self) -> None:
        """Ask anew how the run stands."""
        self.history = self._found(self.run.id)

    def read(self, *, least: int = logging.NOTSET) -> Iterator[LogRow]:
        """Yield the lines that came since the last time and are no less severe than `least`, oldest first."""
        while chunks := self._app.store.log(self.run.id, after=self._after, limit=PAGE):
            for chunk in chunks:
                yield from self._rows(chunk, least)
            self._after = (chunks[-1].token, chunks[-1].number)
            if len(chunks) < PAGE:
                return

    def _rows(self, chunk: LogChunk, least: int) -> Iterator[LogRow]:
        if self._token != chunk.token:
            self._token, self._left_out = chunk.token, 0
            if all(attempt.token != chunk.token for attempt in self.history.attempts):
                # It began after the run was asked for.
                self.refresh()
        attempt, began_at = self._attempt(chunk.token)
        self._left_out += chunk.left_out
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
                left_out=self._left_out,
            )
            # Told with the first line that follows.
            self._left_out = 0

    def _attempt(self, token: int) -> tuple[int | None, datetime | None]:
        for number, attempt in enumerate(self.history.attempts, start=1):
            if attempt.token == token:
                return number, began(attempt)
        return None, None

    def _found(self, run_id: str) -> RunHistory:
        history = self._app.store.run(run_id)
        if history is None:
            raise RunNotFound(run_id)
        return history


def began(attempt: Attempt) -> datetime | None:
    """Return when an attempt began; until it is over, only its claim is known."""
    return attempt.started_at or attempt.claimed_at


def severity(level: str) -> int:
    """Return the number of a level of `logging`; one that is not known counts as INFO."""
    return logging.getLevelNamesMapping().get(level.upper(), logging.INFO)


def log_detail(reader: LogReader, *, least: int, tail: int | None) -> LogDetail:
    """Return the log of a run, of its lines the last `tail`."""
    run = reader.run
    rows = list(reader.read(least=least))
    shown = rows if tail is None else rows[max(len(rows) - tail, 0) :]
    return LogDetail(
        run=run.id,
        job=run.job,
        tenant=run.tenant,
        state=run.state,
        lines=shown,
        left_out=sum(row.left_out for row in rows),
        not_shown=len(rows) - len(shown),
    )
