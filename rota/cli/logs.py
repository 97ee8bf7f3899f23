"""The log of long-running commands, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime

from rota.clock import Clock, SystemClock
from rota.context import current_run
from rota.core.safe import safe_text
from rota.engine.echo import ECHOES, Allowances, say_left_out
from rota.redaction import redacted
from rota.settings import LogFormat, Settings

FACTS = ("run", "job", "tenant", "round", "schedule", "worker")


def start_logging(settings: Settings, *, verbosity: int) -> None:
    """Write log records of this process to standard error, in the form and from the level that is set.

    An application that has set up logging itself keeps its own handlers.
    """
    if logging.getLogger().handlers:
        return
    form = settings.logging.format
    if form is LogFormat.AUTO:
        form = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if form is LogFormat.JSON else ConsoleLine())
    level = logging.DEBUG if verbosity > 0 else logging.getLevelName(settings.logging.level)
    # On the handler too: a job's own log may be kept from a lower level on than is written here.
    handler.setLevel(level)
    handler.addFilter(RunFacts())
    logging.basicConfig(level=level, handlers=[handler])
    if verbosity <= 0:
        # Ten lines at the first start, about itself; what it did to the schema is in `rota db status`.
        logging.getLogger("alembic").setLevel(logging.WARNING)


class RunFacts(logging.Filter):
    """Gives each record of a run that run, its job and its tenant as facts (R44), and lets so many a second through: a
    job that floods its own log does not flood this one (F21)."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._allowances = Allowances(clock=clock or SystemClock())

    def filter(self, record: logging.LogRecord) -> bool:
        run = current_run.get()
        if run is None:
            return True
        for name, fact in (("run", run.id), ("job", run.job), ("tenant", run.tenant)):
            vars(record).setdefault(name, fact)
        if record.name in ECHOES:
            # Counted already, where it was printed.
            return True
        is_due, left_out = self._allowances.take(run)
        if is_due and left_out:
            say_left_out(run, left_out)
        return is_due


class ConsoleLine(logging.Formatter):
    """`time level logger: message fact=value`, harmless on a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        head = f"{_time(record):%Y-%m-%d %H:%M:%S} {record.levelname.lower():<7} {record.name}: "
        line = head + safe_text(redacted(record.getMessage() + facts))
        trace = _trace(self, record)
        return f"{line}\n{safe_text(trace, lines=True)}" if trace else line


class JsonLine(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **_facts(record),
        }
        trace = _trace(self, record)
        return json.dumps(told | ({"traceback": trace} if trace else {}))


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _facts(record: logging.LogRecord) -> dict[str, str]:
    return {name: str(getattr(record, name)) for name in FACTS if getattr(record, name, None) is not None}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return redacted(formatter.formatException(record.exc_info)) if record.exc_info else ""
