"""What a run that failed for good leaves behind, written with its last settlement: the seed of an incident (R50).

A success leaves nothing: whether an incident is over is read from what ran, see `incident`.
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from msgspec import Struct

from rota.core.alert import IncidentKind
from rota.core.fingerprint import fingerprint
from rota.core.model import ErrorReport, Outcome, Settlement, State
from rota.core.secret_shape import without_shapes

LONGEST = 300
"""Characters of an error that an alert says; its run has all of it."""


class Signal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run that failed for good. Nothing of its arguments, and no traceback: it ends in a mail (R65)."""

    id: str
    """Made of when its run was claimed, in hexadecimal microseconds, and which one it is: settled twice, it is one."""
    kind: IncidentKind
    job: str
    tenant: str = ""
    """"" where there is none."""
    fingerprint: str = ""
    error: str = ""
    place: str = ""
    run_id: str
    slot: datetime | None = None
    at: datetime


def signals_of(settlements: Iterable[Settlement]) -> list[Signal]:
    """Return the signals of those settlements that end a run as failed, in their order."""
    return [_signal(one) for one in settlements if one.state is State.FAILED]


def claimed_before(instant_us: int) -> str:
    """Return the id below which the signals of runs stand that were claimed before this instant, in microseconds."""
    return f"{max(instant_us, 0):014x}"


def _signal(settlement: Settlement) -> Signal:
    run, error = settlement.run, settlement.error
    return Signal(
        id=claimed_before(run.token) + sha256(run.id.encode()).hexdigest()[:18],
        kind=_kind(settlement.outcome),
        job=run.job,
        tenant=run.tenant or "",
        fingerprint=_fingerprint(error),
        error=_said(error, settlement.reason),
        place="" if error is None else _line(error.place),
        run_id=run.id,
        slot=run.slot,
        at=settlement.ended_at,
    )


def _kind(outcome: Outcome) -> IncidentKind:
    match outcome:
        case Outcome.TIMED_OUT:
            return IncidentKind.TIMED_OUT
        case Outcome.LOST:
            return IncidentKind.LOST
        case _:
            return IncidentKind.FAILED


def _fingerprint(error: ErrorReport | None) -> str:
    if error is None:
        return ""
    return error.fingerprint or fingerprint(error.type, error.message, error.place)


def _said(error: ErrorReport | None, reason: str | None) -> str:
    return _line(error.first_line if error is not None else reason or "")


def _line(text: str) -> str:
    # What comes from a job may be no text at all: half of a surrogate pair.
    known = without_shapes(text).encode("utf-8", "replace").decode()
    line = next(iter(known.strip().splitlines()), "")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
