"""Opening ended runs of flows again, together with what was given up since they had not succeeded (R32)."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from rota.core.controls import AuditEntry
from rota.core.flow import MOST_STEPS, part_of, reopened
from rota.core.gates import FLOW, flow_batch, flow_of, follow_batch
from rota.core.model import Run
from rota.core.part import Role
from rota.paging import PAGE
from rota.ports import Store
from rota.queries import RunQuery


class Reopening(Struct, frozen=True, kw_only=True):
    """Which runs are opened again together."""

    plain: list[str]
    """Of no flow."""
    parts: list[str]
    """Of flows. They are held by the gate of flows: each goes on when what comes before it has succeeded."""
    followers: list[str]
    """What was given up for one of them, and is opened again in the same call: a death in between would leave a flow
    that ends in its middle."""


def named_runs(store: Store, ids: Sequence[str]) -> list[Run]:
    """Return the runs of these ids that are there, each once, in the order given: a thousand are one question."""
    wanted, found = list(dict.fromkeys(ids)), dict[str, Run]()
    for start in range(0, len(wanted), PAGE):
        some = tuple(wanted[start : start + PAGE])
        found |= {run.id: run for run in store.runs(RunQuery(ids=some, kind=None, limit=len(some)))}
    return [found[run_id] for run_id in wanted if run_id in found]


def reopening(store: Store, ids: Sequence[str]) -> Reopening:
    """Return what is opened again with these runs."""
    parts = [run for run in named_runs(store, ids) if run.part is not None]
    theirs = {run.id for run in parts}
    others: dict[tuple[str, Role], list[Run]] = {}
    followers: dict[str, None] = {}
    for run in parts:
        flow, role = flow_of(run) or "", part_of(run).role
        if (flow, role) not in others:
            others[flow, role] = _others(store, flow, role)
        followers.update(dict.fromkeys(reopened(run, others[flow, role])))
    return Reopening(
        plain=[run_id for run_id in dict.fromkeys(ids) if run_id not in theirs],
        parts=[run.id for run in parts],
        followers=[run_id for run_id in followers if run_id not in theirs],
    )


def reopen(
    store: Store, ids: Sequence[str], *, now: datetime, reason: str, audit: AuditEntry | None = None
) -> list[str]:
    """Open ended runs again, those of flows with what was given up for them; return the ids of what is open now."""
    chosen = reopening(store, ids)
    parts: list[str] = []
    if chosen.parts or chosen.followers:
        parts = store.requeue(
            [*chosen.parts, *chosen.followers], now=now, reason=reason, held_by=FLOW, audit=audit
        )  # fmt: skip
        # What was given up between question and answer. Behind what is open now nobody gives up anything any more.
        late = reopening(store, chosen.parts).followers
        if late:
            parts += store.requeue(late, now=now, reason=reason, held_by=FLOW)
    return [*store.requeue(chosen.plain, now=now, reason=reason, audit=None if parts else audit), *parts]


def _others(store: Store, flow: str, role: Role) -> list[Run]:
    """Return the runs of a flow that may come after one in this role."""
    if role is Role.STEP:
        return store.runs(RunQuery(batch=flow_batch(flow), limit=MOST_STEPS))
    return store.runs(RunQuery(batch=follow_batch(flow))) if role is Role.MEMBER else []
