"""Why a run waits for what comes before it in its flow (R32)."""

from rota.core.cause import said
from rota.core.flow import named, part_of
from rota.core.gates import flow_batch, flow_of
from rota.core.model import OPEN, Run, State
from rota.views.why.facts import Facts
from rota.views.why.reason import Code, Reason, reason


def in_flow(facts: Facts, run: Run) -> list[Reason]:
    """Return what a held run of a flow waits for; nothing when that has come."""
    part = part_of(run)
    return _after_batch(facts, run) if part.after is None else _after_step(facts, part.after)


def _after_step(facts: Facts, after: str) -> list[Reason]:
    history = facts.app.store.run(after)
    if history is None or history.run.state is State.SUCCEEDED:
        return []
    before = history.run
    how = f": {said(before)}" if before.state.is_final else ""
    text = f"it waits for {named(before)}, which is {before.state}{how}: run {before.id}"
    fix = f"rota retry {before.id}" if before.state is State.FAILED else f"rota explain {before.id}"
    return [reason(Code.FLOW, text, fix, run=before.id, state=str(before.state))]


def _after_batch(facts: Facts, run: Run) -> list[Reason]:
    flow = flow_of(run) or ""
    counts = facts.app.store.batch_counts(flow_batch(flow))
    standing = {str(state): counts[state] for state in State if state in OPEN and counts.get(state)}
    if not standing:
        return []
    how = ", ".join(f"{number} {state}" for state, number in standing.items())
    text = f"it waits for its batch: {sum(standing.values())} of {part_of(run).of} members are not over ({how})"
    return [reason(Code.FLOW, text, f"rota show {flow}", flow=flow, open=standing)]
