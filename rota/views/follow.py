"""How far rounds have come, and how they ended (R23)."""

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec import Struct

from rota.app import Rota
from rota.core.cause import Cause, causes
from rota.core.model import FINAL, Round, RoundState, Run, State
from rota.queries import RunQuery
from rota.views.rounds import TenantFailure, tenant_failure
from rota.views.runs import all_runs, find_round


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
    causes: list[Cause]
    """The failures grouped by what went wrong, the most frequent first."""
    reason: str | None
    """Why a round failed as a whole, before it had runs."""

    @property
    def is_clean(self) -> bool:
        return not self.failures and self.reason is None

    @property
    def is_partial(self) -> bool:
        return not self.is_clean and bool(self.counts.get(State.SUCCEEDED))


def standing(app: Rota, round_ids: Sequence[str]) -> Standing:
    """Return how many runs of these rounds are over. The total grows until all tenants are listed."""
    counts: Counter[State] = Counter()
    for states in app.store.round_counts(round_ids).values():
        counts.update(states)
    total = sum(counts.values())
    done = sum(count for state, count in counts.items() if state in FINAL)
    failed = counts[State.FAILED] + counts[State.CANCELLED]
    # A round whose tenants are still being listed has no open run either, so its own state is asked for.
    settled = done == total and all(round_.state is not RoundState.RUNNING for round_ in _rounds(app, round_ids))
    return Standing(done=done, total=total, failed=failed, is_over=settled)


def summary(app: Rota, round_ids: Sequence[str]) -> Summary:
    """Return how these rounds ended, the failed tenants by name with the first line of each error."""
    counts: Counter[str] = Counter()
    failed: list[Run] = []
    for round_id in round_ids:
        for run in all_runs(app, RunQuery(round_id=round_id)):
            counts[str(run.state)] += 1
            if run.state in (State.FAILED, State.CANCELLED):
                failed.append(run)
    failed.sort(key=lambda run: run.tenant or "")
    whole = [one for one in _rounds(app, round_ids) if one.state is RoundState.FAILED and not one.expanded]
    reason = (whole[0].reason or "the tenants could not be listed") if whole else None
    return Summary(
        rounds=list(round_ids),
        counts=dict(counts),
        failures=[tenant_failure(run) for run in failed],
        causes=causes(failed),
        reason=reason,
    )


def _rounds(app: Rota, round_ids: Sequence[str]) -> Iterator[Round]:
    found = (find_round(app, round_id) for round_id in round_ids)
    return (round_ for round_ in found if round_ is not None)
