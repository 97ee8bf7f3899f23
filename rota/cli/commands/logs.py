"""`rota logs`: what a run printed and logged."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import click
import msgspec
from msgspec.structs import replace

from rota.cli.command import RotaCommand
from rota.cli.output import Form
from rota.cli.session import Session, pass_session
from rota.clock import sleep
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.logs import Level, LogAsked, read_log
from rota.views.logs import LogPage, LogRow, log_detail

POLL = timedelta(milliseconds=250)
LAST_LOOKS = 6
"""How often the log is read again after the end of a run: its worker writes once a second."""
MOST_CHUNKS = 200
LEVELS = ("debug", "info", "warn", "warning", "error", "critical")


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such run"})
@click.argument("run")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the run is over, however it ends.")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only lines at least as severe.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Begin with the last N lines.")
@click.option("--times", is_flag=True, help="Show the time of day, not the time since the attempt began.")
@pass_session
def logs(session: Session, run: str, *, follows: bool, level: str | None, tail: int | None, times: bool) -> None:
    """Show what a run printed and logged.

    The beginning of an id will do: six digits or more, if only one has it. What goes to standard error counts as a
    warning. Of a long log the first and the last part are kept; how many lines are missing stands in their place.
    With -f and --json, each line is a document of its own.
    """
    reader = Reader(session, run, level=Level({"warn": "warning"}.get(level.lower(), level.lower())) if level else None)
    rows = list(reader.read())
    detail = log_detail(reader.page, rows, tail=tail)
    page = Page(session, with_times=times)
    if not follows:
        session.out.one("rota.logs/1", detail, page.lines(detail.lines, not_shown=detail.not_shown))
        if not detail.lines and session.out.is_for_people:
            session.out.say("nothing was printed or logged" + (f" at level {level} or above" if level else ""))
        return
    page.write(detail.lines, not_shown=detail.not_shown)
    for row in followed(reader):
        page.write([row])
    session.out.say(f"run {reader.page.run[:12]}: {reader.page.state}")


class Reader:
    """Reads the log of one run, and goes on where it left off."""

    def __init__(self, session: Session, run: str, *, level: Level | None) -> None:
        self.session = session
        self._asked = LogAsked(id=run, level=level, chunks=MOST_CHUNKS)
        self.page: LogPage
        """What was read last."""

    def read(self) -> Iterator[LogRow]:
        """Yield the lines that came since the last time, oldest first."""
        while True:
            self.page = self.session.ask(read_log, self._asked)
            yield from self.page.lines
            self._asked = replace(self._asked, id=self.page.run, after=self.page.next)
            if not self.page.has_more:
                return


def followed(reader: Reader) -> Iterator[LogRow]:
    """Yield the lines that come, until the run is over and its last lines have had time to be written."""
    looks = LAST_LOOKS
    while True:
        yield from reader.read()
        if reader.page.state.is_final:
            if looks == 0:
                return
            looks -= 1
        sleep(reader.session.poll if reader.session.is_far else POLL)


class Page:
    """Writes lines of a log for people, each attempt under a line of its own."""

    def __init__(self, session: Session, *, with_times: bool) -> None:
        self._session = session
        self._with_times = with_times
        self._token: int | None = None

    def write(self, rows: Iterable[LogRow], *, not_shown: int = 0) -> None:
        """Write lines as they come."""
        out = self._session.out
        if out.form in (Form.JSON, Form.NDJSON):
            for row in rows:
                out.event(msgspec.to_builtins(row))
            return
        for line in self.lines(rows, not_shown=not_shown):
            out.text(line)

    def lines(self, rows: Iterable[LogRow], *, not_shown: int) -> Iterator[str]:
        """Yield what is shown for these lines."""
        if not_shown:
            yield f"… {not_shown:,} earlier lines are not shown"
        for row in rows:
            if row.token != self._token:
                # The first attempt needs no heading until there is a second.
                if self._token is not None or (row.attempt or 0) != 1:
                    yield f"--- attempt {row.attempt or f'with token {row.token}'} ---"
                self._token = row.token
            if row.left_out:
                yield f"… {row.left_out:,} lines were left out here"
            yield f"{self._time(row):<10}  {row.level.lower():<8}  {safe_text(row.source)}  {row.text}"

    def _time(self, row: LogRow) -> str:
        if self._with_times or row.since_start_s is None:
            return _clock_time(row.at.astimezone(self._session.zone))
        return f"t+{row.since_start_s:.1f}s"


def _clock_time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
