"""Errors counted over settlements that are written together: how often each was met, and by which tenants (R38)."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from rota.core.fingerprint import fingerprint
from rota.core.model import ErrorReport, Outcome, Settlement

COUNTED = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST})
"""The outcomes of attempts that met an error. What was cancelled, or given back by a deploy, met none."""

LONGEST_MESSAGE = 1000
"""Characters of a message that an error record keeps; its last run has all of it."""

Key = tuple[str, str]
"""A job and a fingerprint."""


class Tally(Struct, kw_only=True):
    """One error of one job, as often as it was met."""

    job: str
    fingerprint: str
    error: ErrorReport
    """As it was met last."""
    first_at: datetime
    last_at: datetime
    last_run_id: str
    number: int
    tenants: dict[str, tuple[int, datetime]]
    """By tenant: how often, and when last."""


def tallies(settlements: Iterable[Settlement]) -> list[Tally]:
    """Return the errors of these settlements, by job and fingerprint, so that all who write them lock in one order."""
    found: dict[Key, Tally] = {}
    for one in settlements:
        if one.error is not None and one.outcome in COUNTED:
            _count(found, one, one.error)
    return [found[key] for key in sorted(found)]


def _count(found: dict[Key, Tally], one: Settlement, error: ErrorReport) -> None:
    run = one.run
    key = run.job, error.fingerprint or fingerprint(error.type, error.message, error.place)
    tally = found.get(key)
    if tally is None:
        tally = found[key] = Tally(
            job=key[0],
            fingerprint=key[1],
            error=error,
            first_at=one.ended_at,
            last_at=one.ended_at,
            last_run_id=run.id,
            number=0,
            tenants={},
        )
    tally.number += 1
    tally.first_at = min(tally.first_at, one.ended_at)
    if one.ended_at >= tally.last_at:
        tally.error, tally.last_at, tally.last_run_id = error, one.ended_at, run.id
    if run.tenant is not None:
        number, last_at = tally.tenants.get(run.tenant, (0, one.ended_at))
        tally.tenants[run.tenant] = (number + 1, max(last_at, one.ended_at))
