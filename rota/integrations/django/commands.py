"""Django commands as jobs: called at their times with what a crontabber tells them, their output in the log."""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.core.management import call_command
from msgspec.structs import replace

from rota.app import Rota
from rota.context import RunContext
from rota.core.events import AttemptEnded
from rota.core.model import Outcome, Settlement, State
from rota.core.policy import WITHOUT_END, CatchUp, Retry
from rota.core.returns import Result
from rota.errors import JobNotFound
from rota.integrations.django.entries import Entry, read
from rota.paging import every_run
from rota.queries import RunQuery

log: logging.Logger = logging.getLogger(__name__)

AGAIN = Retry.fixed("1m", attempts=WITHOUT_END)
"""What failed is tried again by each pass until it is done: a crontabber gives no slot up, and the later ones wait."""

TIMEOUT = timedelta(hours=2)
"""How long a command may take."""

TAG = "cron"
"""By which rules and people know these jobs from those of the code."""

GOOD = (Outcome.SUCCEEDED, Outcome.INTERRUPTED, Outcome.SNOOZED, Outcome.CANCELLED)
"""Outcomes that are no failure of the command's."""


def take_in(rota: Rota, items: Sequence[object]) -> "Outcomes":
    """Make a job of each entry that can be one, and return what hears of their ends. What is wrong with the others is
    told by the system checks.

    Raises:
        DuplicateJob: a job of the code has the name of a command.
    """
    for entry in read(items):
        if isinstance(entry, Entry):
            register(rota, entry)
    outcomes = Outcomes(frozenset(names(items)))
    if items:
        rota.on(AttemptEnded)(outcomes.hear)
    return outcomes


def register(rota: Rota, entry: Entry) -> None:
    """Make a job of a command. It is called as the command is.

    Raises:
        DuplicateJob: another one has the name.
    """
    job = rota.job(
        name=entry.cmd,
        schedule=entry.timing,
        catch_up=CatchUp.all() if entry.backfill else CatchUp.latest(),
        retry=AGAIN,
        timeout=TIMEOUT,
        tags=[TAG],
    )
    job(caller_of(entry))


def caller_of(entry: Entry) -> Callable[..., Result]:
    """Return a function that calls the command, with the arguments of its entry or those of a start by hand."""

    def command(ctx: RunContext, arguments: list[str] | None = None) -> Result:
        words = list(entry.args if arguments is None else arguments)
        # As a command line, so that the command reads them by their type. Who starts it by hand may say another time.
        said = {word.partition("=")[0] for word in words}
        words += [f"{option}={at}" for option, at in told_of(entry, ctx).items() if option not in said]
        ctx.log.info("running %s", " ".join([entry.cmd, *words]))
        out = LogLines(ctx.log, entry.cmd, level=logging.INFO)
        err = LogLines(ctx.log, entry.cmd, level=logging.WARNING)
        try:
            call_command(entry.cmd, *words, stdout=out, stderr=err)
        except SystemExit as error:
            # A command may end as a program does.
            if error.code not in (None, 0):
                raise
        finally:
            out.flush_rest()
            err.flush_rest()
        # A command hears of no stop signal: one that comes to its end during a drain is done, and nothing left early.
        return Result()

    command.__doc__ = f"The Django command {entry.cmd}."
    return command


def told_of(entry: Entry, ctx: RunContext) -> dict[str, str]:
    """Return the options that the command is given besides its arguments, as ISO texts in UTC.

    `--run-time` is the slot, or now of a start by hand; `--last-success` is left out before the first.
    """
    told: dict[str, datetime] = {}
    if entry.backfill:
        told["--run-time"] = ctx.window.until
    if entry.last_success and ctx.last_success is not None:
        told["--last-success"] = ctx.last_success
    return {option: at.isoformat() for option, at in told.items()}


class LogLines:
    """A stream that writes each line into a log; what a command prints is kept with its run."""

    def __init__(self, log: logging.Logger, name: str, *, level: int) -> None:
        self._log = log
        self._name = name
        self._level = level
        self._rest = ""

    def write(self, text: str) -> int:
        """Take text, and log the lines that are whole."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._say(line)
        return len(text)

    def flush(self) -> None:
        """Nothing: a line is logged when it is whole."""

    def isatty(self) -> bool:
        return False

    def flush_rest(self) -> None:
        """Log a last line that has no end."""
        rest, self._rest = self._rest, ""
        self._say(rest)

    def _say(self, line: str) -> None:
        if line.strip():
            self._log.log(self._level, "%s: %s", self._name, line.rstrip())


class Outcomes:
    """What became of the attempts at commands in this process, and the voice that says what failed."""

    def __init__(self, commands: Collection[str]) -> None:
        self._commands = commands
        self._kept: list[Settlement] | None = None

    def hear(self, event: AttemptEnded) -> None:
        """Note an attempt that ended, and log one that failed: since it is tried again, no other alert tells of it."""
        settlement = event.settlement
        run = settlement.run
        if run.job not in self._commands:
            return
        if self._kept is not None:
            self._kept.append(settlement)
        if settlement.outcome in GOOD:
            return
        error = settlement.error
        log.error(
            "%s%s %s: %s",
            run.job,
            f" of {run.slot.isoformat()}" if run.slot is not None else "",
            settlement.outcome.replace("_", " "),
            (error.traceback or error.first_line) if error is not None else settlement.reason,
        )

    @contextmanager
    def kept(self) -> Iterator[list[Settlement]]:
        """Yield a list that gets each end within the block."""
        kept: list[Settlement] = []
        self._kept = kept
        try:
            yield kept
        finally:
            self._kept = None


def names(items: Sequence[object]) -> list[str]:
    """Return the commands of the list that are jobs, in its order."""
    return [entry.cmd for entry in read(items) if isinstance(entry, Entry)]


def chosen(items: Sequence[object], text: str) -> list[str]:
    """Return the commands that a comma separated text names, or all of the list for `all`.

    Raises:
        JobNotFound: one is not in the list.
    """
    known = names(items)
    wanted = known if text == "all" else [one.strip() for one in text.split(",") if one.strip()]
    for name in wanted:
        if name not in known:
            raise JobNotFound(name, known=known)
    return wanted


def let_go(rota: Rota, jobs: Sequence[str], *, reason: str) -> int:
    """Fire what these jobs have missed and cancel it with all that waits to be tried again; return how many runs.

    What is running goes on.
    """
    rota.tick(works=False, only=jobs)
    return cancel_waiting(rota, RunQuery(jobs=tuple(jobs)), reason=reason)


def cancel_waiting(rota: Rota, query: RunQuery, *, reason: str) -> int:
    """Cancel the runs of a query that have not begun, or wait to be tried again; return how many."""
    waiting = replace(query, states=(State.SCHEDULED, State.QUEUED))
    ids = [run.id for run in every_run(rota.store, waiting)]
    return len(rota.cancel(ids, reason=reason)) if ids else 0


def options_of(texts: Sequence[str]) -> list[str]:
    """Return `name=value` texts as options of a command line.

    Raises:
        ValueError: one has no name.
    """
    for text in texts:
        if not text.partition("=")[0].strip("- "):
            raise ValueError(f"--job-arg {text!r}: name=value is read")
    return [f"--{text.lstrip('-')}" for text in texts]
