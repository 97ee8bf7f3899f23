"""Log records of runs: which run each is of, and how they are written. For applications that set up logging themselves
as well.

    handler.addFilter(rota.logs.RunFacts())
    handler.setFormatter(rota.logs.JsonLine())
"""

import json
import logging
from collections.abc import MutableMapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

from rota.context import current_run
from rota.core.masking import HIDDEN
from rota.core.model import Run
from rota.core.safe import safe_text
from rota.redaction import SECRETS, WITHHELD, redacted

RUN_FACTS: Final = ("run", "job", "tenant", "attempt")
"""What each record of a run says."""
FACTS: Final = (*RUN_FACTS, "round", "schedule", "worker", "left_out")
"""What a line of text says besides its message."""

_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""What every record has; all else was given with `extra`."""


class RunFacts(logging.Filter):
    """Gives each record its run, job, tenant and attempt (R44); outside of runs None, so that `%(job)s` is there.

    For a handler: a filter of a logger sees only what is logged to that very logger.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        given = vars(record)
        for name, fact in facts_of(current_run.get()).items():
            given.setdefault(name, fact)
        return True


def run_facts(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add run, job, tenant and attempt to an event of structlog: one of its processors."""
    for name, fact in facts_of(current_run.get()).items():
        if fact is not None:
            event.setdefault(name, fact)
    return event


def facts_of(run: Run | None) -> dict[str, object]:
    """Return what each record of a run says."""
    if run is None:
        return dict.fromkeys(RUN_FACTS)
    return {"run": run.id, "job": run.job, "tenant": run.tenant, "attempt": run.attempt}


class Redacted(logging.Formatter):
    """What another formatter makes, without secrets: for handlers of an application."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self._formatter = formatter or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return redacted(self._formatter.format(record))


class ConsoleLine(logging.Formatter):
    """`time level logger: message fact=value`, harmless on a terminal; the traceback follows, indented, so that no line
    of it passes for a record."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={value}" for name in FACTS if (value := getattr(record, name, None)) is not None)
        head = f"{_time(record):%Y-%m-%d %H:%M:%S} {record.levelname.lower():<7} {record.name}: "
        # Secrets first, as long as blanks stand where they end; what is escaped after that holds none.
        line = safe_text(redacted(head + _message(record) + facts))
        trace = _trace(self, record)
        return "\n  ".join([line, *safe_text(trace, lines=True).splitlines()]) if trace else line


class JsonLine(logging.Formatter):
    """One JSON object per line, in ASCII. What was given with `extra` stands in it too."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": redacted(record.name),
            "message": redacted(_message(record)),
        }
        told |= {name: _shown(name, value) for name, value in vars(record).items() if _is_extra(name, value, told)}
        trace = _trace(self, record)
        if trace:
            told["traceback"] = trace
        line = json.dumps(told)
        if SECRETS.redactor.knows(line):
            # In no text alone: in a number, or over the border of two.
            told = {name: told[name] for name in ("time", "level", "logger")} | {"message": WITHHELD}
            line = redacted(json.dumps(told))
        return line


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # What `logging` would print of it shows the arguments.
        return f"{record.msg} (its arguments do not fit)"


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    said = [record.exc_text or (formatter.formatException(record.exc_info) if record.exc_info else "")]
    return redacted("\n".join([*said, *([record.stack_info] if record.stack_info else [])]).strip("\n"))


def _is_extra(name: str, value: object, told: dict[str, object]) -> bool:
    return value is not None and name not in _USUAL and name not in told and not name.startswith("_")


def _shown(name: str, value: object) -> object:
    if SECRETS.mask.hides(name):
        return HIDDEN
    if isinstance(value, bool | int) or (isinstance(value, float) and isfinite(value)):
        return value
    return redacted(str(value))
