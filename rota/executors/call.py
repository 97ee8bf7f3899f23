"""From a function to the ending of an attempt: what it returned, raised or was stopped for."""

import traceback
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any

from rota.context import StopSignal, current_contact, current_run
from rota.core.codec import encode_result
from rota.core.exceptions import class_names
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome
from rota.core.retry import LONGEST_WAIT, asked_wait
from rota.core.returns import Cancel, Fail, Result, Snooze
from rota.errors import BadArguments, ContextMismatch, ResultNotStorable, Stopped, TenantGone, TenantUnavailable
from rota.executors.culprit import place_of
from rota.numbers import count, current_numbers
from rota.redaction import redacted

UNSUCCESSFUL = "Unsuccessful"
"""How an error is called that was returned and is no exception; a policy may name it."""

MOST_MESSAGE = 8_000
MOST_TRACEBACK = 32_000
"""Characters kept of an error: enough for a person, small enough for a row."""


def execute(function: Callable[[], object], *, stop: StopSignal, started_at: datetime) -> Ending:
    """Call the function and return how it ended. Raises nothing: a job that calls `sys.exit` ends its attempt, not
    its worker (R21, R43)."""
    try:
        return ending_of(function(), stop=stop, started_at=started_at)
    # One of the four broad catches: a job that calls sys.exit must not end its worker.
    except BaseException as error:  # noqa: BLE001
        return ending_of_error(error, stop=stop, started_at=started_at)


def ending_of_error(error: BaseException, *, stop: StopSignal, started_at: datetime) -> Ending:
    """Return what an exception says of the attempt (R43)."""
    match error:
        case Stopped():
            return _stopped(stop, _message(error), started_at)
        case TenantGone():
            return Ending(outcome=Outcome.CANCELLED, started_at=started_at, reason=_message(error))
        case ResultNotStorable() | BadArguments() | ContextMismatch():
            # Another attempt would do the work again and end the same way.
            return Ending(outcome=Outcome.FAILED, started_at=started_at, error=report(error), retry=False)
        case _ if not stop.is_set():
            # A job that catches it, and goes on or raises something else, has its own mind about its database.
            return Ending(
                outcome=Outcome.FAILED,
                started_at=started_at,
                error=report(error),
                classes=class_names(error),
                delay=_asked_wait(error),
                reached=False if isinstance(error, TenantUnavailable) else None,
            )
        case _:
            # Whatever a job raises once it was told to stop is its way to stop: a cancelled run is not tried again.
            return Ending(outcome=stop.outcome, started_at=started_at, error=report(error), reason=stop.reason)


def ending_of(returned: object, *, stop: StopSignal, started_at: datetime) -> Ending:
    """Return what a returned value says of the attempt (R43)."""
    match returned:
        case None if stop.is_set():
            # It returned early because it was told to: that is not a success.
            return _stopped(stop, stop.reason, started_at)
        case None:
            return Ending(outcome=Outcome.SUCCEEDED, started_at=started_at, reached=_reached())
        case Result():
            value = {"value": returned.value, "counts": dict(returned.counts)}
            kept = {name: part for name, part in value.items() if part}
            _count(returned.counts)
            return _said(
                stop, success=returned.success, error=returned.error, value=kept or None, started_at=started_at
            )
        case Snooze() | Fail() if stop.is_set() and stop.outcome is Outcome.CANCELLED:
            # Somebody has cancelled it meanwhile: it does not come back.
            return _stopped(stop, stop.reason, started_at)
        case Snooze():
            return _snoozed(returned.delay, started_at)
        # A reason may be anything, an exception before all; what is stored is text.
        case Cancel():
            reason = _cut(str(returned.reason), MOST_MESSAGE)
            return Ending(outcome=Outcome.CANCELLED, started_at=started_at, reason=reason)
        case Fail():
            error = ErrorReport(type="Fail", message=_cut(str(returned.reason), MOST_MESSAGE))
            return Ending(
                outcome=Outcome.FAILED,
                started_at=started_at,
                error=error,
                classes=(error.type,),
                retry=bool(returned.retry),
            )
        case _ if isinstance(getattr(returned, "success", None), bool):
            numbers = {
                name: value
                for name, value in _attributes(returned).items()
                if isinstance(value, int | float) and not isinstance(value, bool)
            }
            _count(numbers)
            return _said(
                stop,
                success=getattr(returned, "success", False),
                error=getattr(returned, "error", None),
                value={"counts": numbers} if numbers else None,
                started_at=started_at,
            )
        case _:
            result = encode_result(returned)
            if isinstance(returned, dict):
                _count(returned)
            return Ending(outcome=Outcome.SUCCEEDED, started_at=started_at, result=result, reached=_reached())


def report(error: BaseException) -> ErrorReport:
    """Return an exception as plain data; works for exceptions that cannot even say what they are."""
    try:
        lines = traceback.format_exception(type(error), error, _without_our_frames(error), chain=True)
        text = "".join(lines)
    # An exception is the job's own code: it may fail at anything that is asked of it.
    except BaseException as worse:  # noqa: BLE001
        text = f"(its traceback cannot be had: {type(worse).__name__})"
    return ErrorReport(
        type=type(error).__qualname__, message=_message(error), traceback=_tail(text), place=place_of(error)
    )


def _message(error: BaseException) -> str:
    try:
        return _cut(str(error), MOST_MESSAGE)
    # As above; ours may have been made the base of one of the job's.
    except BaseException as worse:  # noqa: BLE001
        return f"(its message cannot be had: {type(worse).__name__})"


def _snoozed(delay: object, started_at: datetime) -> Ending:
    if isinstance(delay, timedelta) and timedelta(0) <= delay <= LONGEST_WAIT:
        return Ending(outcome=Outcome.SNOOZED, started_at=started_at, delay=delay)
    message = f"Snooze({delay!r}): expected a timedelta from 0 to {LONGEST_WAIT.days} days"
    error = ErrorReport(type="Snooze", message=_cut(message, MOST_MESSAGE))
    return Ending(outcome=Outcome.FAILED, started_at=started_at, error=error, retry=False)


def _said(stop: StopSignal, *, success: bool, error: object, value: object, started_at: datetime) -> Ending:
    if success:
        result = None if value is None else encode_result(value)
        return Ending(outcome=Outcome.SUCCEEDED, started_at=started_at, result=result, reached=_reached())
    try:
        result = None if value is None else encode_result(value)
    except ResultNotStorable:
        # The job's own error says more, and it may be tried again.
        result = None
    classes: tuple[str, ...] = (UNSUCCESSFUL,)
    if isinstance(error, BaseException):
        said, classes = report(error), class_names(error)
    else:
        text = str(error or "the job says that it did not succeed")
        said = ErrorReport(type=UNSUCCESSFUL, message=_cut(text, MOST_MESSAGE))
    if stop.is_set():
        # Its answer to being told to stop, as the functions of a `stop_event` give it: no failure of its own.
        return Ending(outcome=stop.outcome, started_at=started_at, error=said, result=result, reason=stop.reason)
    delay = _asked_wait(error) if isinstance(error, BaseException) else None
    return Ending(
        outcome=Outcome.FAILED, started_at=started_at, error=said, classes=classes, delay=delay, result=result
    )


def _stopped(stop: StopSignal, reason: str, started_at: datetime) -> Ending:
    if not stop.is_set():
        # It raised Stopped by itself: nobody asked, so it is a failure like any other.
        error: ErrorReport | None = ErrorReport(type="Stopped", message=reason)
        return Ending(outcome=Outcome.FAILED, started_at=started_at, error=error, classes=class_names(Stopped(reason)))
    error = ErrorReport(type="Stopped", message=stop.reason) if stop.outcome is Outcome.TIMED_OUT else None
    return Ending(outcome=stop.outcome, started_at=started_at, error=error, reason=stop.reason)


def _asked_wait(error: BaseException) -> timedelta | None:
    try:
        return asked_wait(error)
    # An exception is the job's own code: it may fail at anything that is asked of it.
    except BaseException:  # noqa: BLE001
        return None


def _reached() -> bool | None:
    """True if this attempt had a connection to its tenant's database; else nothing is known of it."""
    contact = current_contact.get()
    return True if contact is not None and contact.is_made else None


def _count(returned: Mapping[Any, object]) -> None:
    """Count the numbers that the current run has returned as its own (R53)."""
    run = current_run.get()
    if run is None or (counted_by := current_numbers.get()) is None:
        return
    for name, number in returned.items():
        if isinstance(number, int | float) and not isinstance(number, bool):
            count(counted_by, run.job, run.tenant, name, number)


def _attributes(value: object) -> dict[str, object]:
    slots: tuple[str, ...] = getattr(type(value), "__slots__", ())
    return {**{name: getattr(value, name, None) for name in slots}, **getattr(value, "__dict__", {})}


def _without_our_frames(error: BaseException) -> TracebackType | None:
    frame = error.__traceback__
    while frame is not None and str(frame.tb_frame.f_globals.get("__name__")).startswith("rota."):
        frame = frame.tb_next
    return frame


def _cut(text: str, most: int) -> str:
    # Whole: of a secret that is cut in two neither half would be found.
    text = redacted(text)
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _tail(text: str) -> str:
    text = redacted(text)
    return text if len(text) <= MOST_TRACEBACK else f"(cut)...{text[-MOST_TRACEBACK:]}"
