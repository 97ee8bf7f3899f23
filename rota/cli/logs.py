"""The log of long-running commands, on standard error."""

import logging
import sys
from typing import TextIO

from rota.clock import Clock, SystemClock
from rota.context import current_run
from rota.engine.echo import ECHOES, Allowances, say_left_out
from rota.logs import ConsoleLine, JsonLine, RunFacts
from rota.settings import LogFormat, Settings


def start_logging(settings: Settings, *, verbosity: int) -> None:
    """Write log records of this process to standard error, in the form and from the level that is set; with -q from
    WARNING on.

    An application that has set up logging itself keeps its own handlers.
    """
    if logging.getLogger().handlers:
        return
    form = settings.logging.format
    if form is LogFormat.AUTO:
        form = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    handler = LogStream(sys.stderr)
    handler.setFormatter(JsonLine() if form is LogFormat.JSON else ConsoleLine())
    level = logging.DEBUG if verbosity > 0 else logging.getLevelName(settings.logging.level)
    # On the handler too: a job's own log may be kept from a lower level on than is written here.
    handler.setLevel(level if verbosity >= 0 else max(level, logging.WARNING))
    handler.addFilter(RunFacts())
    handler.addFilter(Floods(clock=SystemClock()))
    logging.basicConfig(level=level, handlers=[handler])
    if verbosity <= 0:
        # Ten lines at the first start, about itself; what it did to the schema is in `rota db status`.
        logging.getLogger("alembic").setLevel(logging.WARNING)


class LogStream(logging.StreamHandler[TextIO]):
    """Writes records to a stream. One that cannot be written is named, and not shown (T53)."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 -- the name of `logging`
        kind, _, _ = sys.exc_info()
        try:
            self.stream.write(f"a record of {record.name!r} cannot be written: {kind.__name__ if kind else ''}\n")
        except OSError:
            # Nobody reads any more.
            return


class Floods(logging.Filter):
    """Lets so many records of a run through each second: one that floods its own log does not flood this one (F21)."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__()
        self._allowances = Allowances(clock=clock)

    def filter(self, record: logging.LogRecord) -> bool:
        run = current_run.get()
        if run is None or record.name in ECHOES:
            # What is printed was counted already, where it was printed.
            return True
        is_due, left_out = self._allowances.take(run)
        if is_due and left_out:
            say_left_out(run, left_out)
        return is_due
