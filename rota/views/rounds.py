"""Rounds as they are shown: who is done, who failed and why, who is held, and how long it took (R23)."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil

from msgspec import Struct
from msgspec.structs import replace

from rota.app import Rota
from rota.core.cause import Cause, causes, said
from rota.core.model import FINAL, Outcome, Round, RoundState, Run, RunKind, State
from rota.queries import RoundQuery, RunQuery
from rota.views.jobs import seconds_between
from rota.views.runs import RunRow, all_runs, run_row
from rota.views.why import Facts, in_front

SLOWEST = 5
RETRIABLE = (State.FAILED, State.CANCELLED)
"""What `rota retry` opens again of a round."""


class RoundRow(Struct, frozen=True, kw_only=True):
    """One round in a list."""

    id: str
    job: str
    schedule: str | None
    slot: datetime | None
    skipped_from: datetime | None
    trigger: str
    actor: str | None
    state: RoundState
    reason: str | None
    expected: int | None
    counts: Mapping[str, int]
    created_at: datetime
    ended_at: datetime | None
    duration_s: float | None


class TenantFailure(Struct, frozen=True, kw_only=True):
    """A tenant that a round failed for."""

    tenant: str
    run_id: str
    state: State
    outcome: Outcome | None
    error: str
    """The first line."""


class TenantAside(Struct, frozen=True, kw_only=True):
    """A tenant whose run did not begin: it was skipped, or is held, and why."""

    tenant: str
    run_id: str
    why: str


class TenantRunning(Struct, frozen=True, kw_only=True):
    """A tenant whose run is under way."""

    tenant: str
    run_id: str
    elapsed_s: float
    owner: str | None
    attempt: int
    done: int | None
    total: int | None


class Times(Struct, frozen=True, kw_only=True):
    """How long the tenants' runs took that are over, in seconds."""

    count: int
    sum_s: float
    p50_s: float
    p95_s: float


class RoundDetail(Struct, frozen=True, kw_only=True):
    """A round and its sum as it is now: each tenant that is not simply done or in line is named (R23)."""

    round: RoundRow
    places: int | None
    failures: list[TenantFailure]
    """Failed, timed out or cancelled, by tenant."""
    causes: list[Cause]
    """The same grouped by what went wrong, the most frequent first."""
    skipped: list[TenantAside]
    held: list[TenantAside]
    retrying: list[TenantAside]
    running: list[TenantRunning]
    """The longest first."""
    times: Times | None
    """None while none is over."""
    slowest: list[RunRow]

    @property
    def timed_out(self) -> list[str]:
        """The tenants whose run was stopped at its time limit."""
        return [failure.tenant for failure in self.failures if failure.outcome is Outcome.TIMED_OUT]

    @property
    def can_retry(self) -> bool:
        """Whether `rota retry` has something to do here: a run, or the listing of the tenants."""
        return bool(self.failures) or self.round.state is RoundState.FAILED


def round_rows(app: Rota, query: RoundQuery, *, since: datetime | None = None) -> list[RoundRow]:
    """Return rounds, newest first; with `since` only those made at or after."""
    found = app.store.rounds(query)
    if since is not None:
        found = [round_ for round_ in found if round_.created_at >= since]
    counts = app.store.round_counts([round_.id for round_ in found if round_.ended_at is None])
    return [_row(round_, counts.get(round_.id, {})) for round_ in found]


def round_detail(app: Rota, round_: Round) -> RoundDetail:
    """Return a round with its sum as it is now."""
    runs = all_runs(app, RunQuery(round_id=round_.id))
    failed = sorted((run for run in runs if run.state in RETRIABLE), key=_by_tenant)
    waiting = sorted((run for run in runs if run.state is State.SCHEDULED), key=_by_tenant)
    skipped = [run for run in runs if run.state is State.SKIPPED]
    now = app.clock.now()
    row = _row(round_, Counter(run.state for run in runs))
    if row.reason is None and not round_.expanded:
        row = _because(row, _expansion_error(app, round_))
    timed = sorted(_timed(runs), key=lambda one: (-one[0], one[1].tenant or ""))
    facts = Facts(app)
    return RoundDetail(
        round=row,
        places=round_.places,
        failures=[tenant_failure(run) for run in failed],
        causes=causes(failed),
        skipped=[_aside(run, said(run)) for run in sorted(skipped, key=_by_tenant)],
        held=[_aside(run, in_front(facts, run)) for run in waiting if not _is_tried(run)],
        retrying=[_aside(run, in_front(facts, run)) for run in waiting if _is_tried(run)],
        running=_running(runs, now=now),
        times=_times([took for took, _ in timed]),
        slowest=[run_row(run) for _, run in timed[:SLOWEST]],
    )


def tenant_failure(run: Run) -> TenantFailure:
    """Return a failed run as what its round says of the tenant."""
    return TenantFailure(
        tenant=run.tenant or "", run_id=run.id, state=run.state, outcome=run.outcome, error=said(run)
    )  # fmt: skip


def _row(round_: Round, counts: Mapping[State, int]) -> RoundRow:
    # An ended round keeps its sum, whatever is pruned of its runs.
    now = {str(state): count for state, count in sorted(counts.items())}
    return RoundRow(
        id=round_.id,
        job=round_.job,
        schedule=round_.schedule,
        slot=round_.slot,
        skipped_from=round_.skipped_from,
        trigger=round_.trigger,
        actor=round_.actor,
        state=round_.state,
        reason=round_.reason,
        expected=round_.expected,
        counts=dict(round_.counts) or now,
        created_at=round_.created_at,
        ended_at=round_.ended_at,
        duration_s=seconds_between(round_.created_at, round_.ended_at),
    )


def _because(row: RoundRow, reason: str | None) -> RoundRow:
    return replace(row, reason=reason)


def _by_tenant(run: Run) -> str:
    return run.tenant or ""


def _is_tried(run: Run) -> bool:
    return run.attempt > 0 and run.held_by is None and run.waits_for is None


def _aside(run: Run, why: str) -> TenantAside:
    return TenantAside(tenant=run.tenant or "", run_id=run.id, why=why)


def _running(runs: Sequence[Run], *, now: datetime) -> list[TenantRunning]:
    running = [run for run in runs if run.state is State.RUNNING]
    found = [
        TenantRunning(
            tenant=run.tenant or "",
            run_id=run.id,
            # The clocks of two hosts differ a little.
            elapsed_s=max(seconds_between(run.started_at or run.claimed_at, now) or 0.0, 0.0),
            owner=run.owner,
            attempt=run.attempt,
            done=run.done,
            total=run.total,
        )
        for run in running
    ]
    return sorted(found, key=lambda one: (-one.elapsed_s, one.tenant))


def _timed(runs: Sequence[Run]) -> Iterator[tuple[float, Run]]:
    """Yield how long each run took that is over and was begun."""
    for run in runs:
        if run.state in FINAL and run.started_at is not None and run.ended_at is not None:
            yield (run.ended_at - run.started_at).total_seconds(), run


def _times(taken: Sequence[float]) -> Times | None:
    if not taken:
        return None
    by_length = sorted(taken)
    return Times(
        count=len(by_length),
        sum_s=round(sum(by_length), 3),
        p50_s=round(_percentile(by_length, 50), 3),
        p95_s=round(_percentile(by_length, 95), 3),
    )


def _percentile(by_length: Sequence[float], percent: int) -> float:
    """Return the nearest rank: a time that was really taken."""
    return by_length[ceil(len(by_length) * percent / 100) - 1]


def _expansion_error(app: Rota, round_: Round) -> str | None:
    """Return why the tenants of a round could not be listed."""
    expansions = app.store.runs(RunQuery(round_id=round_.id, kind=RunKind.EXPANSION, limit=1))
    return expansions[0].error.first_line if expansions and expansions[0].error else None
