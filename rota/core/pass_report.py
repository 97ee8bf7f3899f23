"""What one pass came to, per job (R60)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from rota.core.model import Outcome, Round, RoundState, RunKind, Settlement, State

MOST_NAMES = 100
"""Tenants of a job that a report names, of each kind."""


class FiredRound(Struct, frozen=True, kw_only=True):
    """A slot that was fired, as it is now."""

    id: str
    job: str
    schedule: str | None
    slot: datetime | None
    state: RoundState
    reason: str | None


class JobPass(Struct, kw_only=True):
    """What a pass came to for one job."""

    job: str
    fired: int = 0
    """Slots."""
    ran: int = 0
    """Runs that were attempted to their end, whoever fired them."""
    succeeded: int = 0
    failed: int = 0
    """For good."""
    retrying: int = 0
    """Failed, and are to be tried again."""
    skipped: int = 0
    """By the overlap policy, for a pause, or by the job itself; and slots that were missed."""
    cancelled: int = 0
    open: int = 0
    """Of the slots that were fired: not over yet."""
    failed_tenants: list[str] = []
    """The first hundred, by name; those that are to be tried again as well."""
    skipped_tenants: list[str] = []
    """The first hundred, by name."""


class PassReport(Struct, frozen=True, kw_only=True):
    """What one pass came to."""

    fired: int
    ran: int
    succeeded: int
    failed: int
    retrying: int
    skipped: int
    cancelled: int
    open: int
    is_over: bool
    """Whether nothing could go on at once when it was written; else the time for the answer was up, and the runs go
    on."""
    jobs: list[JobPass]
    """By name; only those to which something happened."""
    rounds: list[FiredRound]
    """What was fired, in order."""


def pass_report(
    rounds: Sequence[Round],
    counts: Mapping[str, Mapping[State, int]],
    ended: Sequence[Settlement],
    *,
    skipped: Mapping[str, Sequence[str]],
    is_over: bool,
) -> PassReport:
    """Return the report of a pass that fired these rounds and saw these attempts end.

    `counts`: their runs by round and state; `skipped`: by round, tenants whose runs were skipped.
    """
    jobs: dict[str, JobPass] = {}

    def of(job: str) -> JobPass:
        return jobs.setdefault(job, JobPass(job=job))

    for settlement in ended:
        _add(of(settlement.run.job), settlement, is_counted=settlement.run.round_id in counts)
    for round_ in rounds:
        told, states = of(round_.job), counts.get(round_.id, {})
        if round_.state is RoundState.SKIPPED and not states:
            told.skipped += 1
        else:
            told.fired += 1
        told.skipped += states.get(State.SKIPPED, 0)
        told.cancelled += states.get(State.CANCELLED, 0)
        told.open += sum(number for state, number in states.items() if not state.is_final)
        told.skipped_tenants = [*told.skipped_tenants, *skipped.get(round_.id, ())]
    for told in jobs.values():
        told.failed_tenants = sorted(set(told.failed_tenants))[:MOST_NAMES]
        told.skipped_tenants = sorted(set(told.skipped_tenants))[:MOST_NAMES]
    return _summed(sorted(jobs.values(), key=lambda told: told.job), rounds, is_over=is_over)


def _add(told: JobPass, settlement: Settlement, *, is_counted: bool) -> None:
    """Count the end of an attempt. `is_counted`: what is skipped and cancelled is in the counts of its round."""
    run = settlement.run
    if run.kind is RunKind.EXPANSION and settlement.outcome is Outcome.SUCCEEDED:
        return
    match settlement.state:
        case State.SUCCEEDED:
            told.succeeded += 1
        case State.FAILED:
            told.failed += 1
        case State.SKIPPED | State.CANCELLED if is_counted:
            pass
        case State.SKIPPED:
            told.skipped += 1
        case State.CANCELLED:
            told.cancelled += 1
        case _ if settlement.outcome in (Outcome.INTERRUPTED, Outcome.SNOOZED):
            # Given back: it has not come to an end.
            return
        case _:
            told.retrying += 1
    told.ran += 1
    if settlement.outcome is not Outcome.SUCCEEDED and run.tenant is not None and settlement.state is not State.SKIPPED:
        told.failed_tenants = [*told.failed_tenants, run.tenant]


def _summed(jobs: list[JobPass], rounds: Sequence[Round], *, is_over: bool) -> PassReport:
    return PassReport(
        fired=sum(told.fired for told in jobs),
        ran=sum(told.ran for told in jobs),
        succeeded=sum(told.succeeded for told in jobs),
        failed=sum(told.failed for told in jobs),
        retrying=sum(told.retrying for told in jobs),
        skipped=sum(told.skipped for told in jobs),
        cancelled=sum(told.cancelled for told in jobs),
        open=sum(told.open for told in jobs),
        is_over=is_over,
        jobs=jobs,
        rounds=[
            FiredRound(id=one.id, job=one.job, schedule=one.schedule, slot=one.slot, state=one.state, reason=one.reason)
            for one in sorted(rounds, key=lambda one: one.id)
        ],
    )
