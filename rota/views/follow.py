"""How far rounds have come, and how they ended (R23)."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from msgspec import Struct

from rota.app import Rota
from rota.core.model import FINAL, RoundState, State
from rota.ports import RoundQuery, RunQuery
from rota.views.runs import TenantFailure, all_runs, tenant_failure

LOOKED_AT = 200


class Standing(Struct, frozen=True, kw_only=True):
    """Some rounds together, now."""

    done: int
    total: int
    failed: int
    is_over: bool


class Summary(Struct, frozen=True, kw_only=True):
    """Some rounds together, at their end."""

    rounds: list[str]
    counts: dict[str, int]
    failures: list[TenantFailure]
    reason: str | None
    """Why a round failed as a whole, before it had runs."""

    @property
    def is_clean(self) -> bool:
        return not self.failures and self.reason is None

    @property
    def is_partial(self) -> bool:
        return not self.is_clean and bool(self.counts.get(State.SUCCEEDED))


def standing(app: Rota, round_ids: Sequence[str], *, job: str) -> Standing:
    """Return how many runs of these rounds are over. The total grows until all tenants are listed."""
    counts: Counter[State] = Counter()
    for states in app.store.round_counts(round_ids).values():
        counts.update(states)
    total = sum(counts.values())
    done = sum(count for state, count in counts.items() if state in FINAL)
    failed = counts[State.FAILED] + counts[State.CANCELLED]
    settled = done == total
    if settled:
        # A round whose tenants are still being listed has no open run either, so its own state is asked for.
        recent = app.store.rounds(RoundQuery(jobs=(job,), states=(RoundState.RUNNING,), limit=LOOKED_AT))
        settled = not any(round_.id in set(round_ids) for round_ in recent)
    return Standing(done=done, total=total, failed=failed, is_over=settled)


def summary(app: Rota, round_ids: Sequence[str], *, job: str) -> Summary:
    """Return how these rounds ended, the failed tenants by name with the first line of each error."""
    counts: Counter[str] = Counter()
    failures: list[TenantFailure] = []
    for round_id in round_ids:
        for run in all_runs(app, RunQuery(round_id=round_id)):
            counts[str(run.state)] += 1
            if run.state in (State.FAILED, State.CANCELLED):
                failures.append(tenant_failure(run))
    failed = app.store.rounds(RoundQuery(jobs=(job,), states=(RoundState.FAILED,), limit=LOOKED_AT))
    whole = [round_ for round_ in failed if round_.id in set(round_ids) and not round_.expanded]
    reason = (whole[0].reason or "the tenants could not be listed") if whole else None
    return Summary(rounds=list(round_ids), counts=dict(counts), failures=failures, reason=reason)


def by_error(failures: Sequence[TenantFailure]) -> list[tuple[str, list[str]]]:
    """Return each error with the tenants that have it, the most frequent first."""
    # A dictionary for its order: a tenant that failed in several rounds is named once.
    grouped: dict[str, dict[str, None]] = defaultdict(dict)
    for failure in failures:
        grouped[failure.error][failure.tenant] = None
    return sorted(((error, list(named)) for error, named in grouped.items()), key=lambda item: (-len(item[1]), item[0]))
