"""Why a gate is closed for the run that it holds, and what would open it."""

from rota.core import campaign as pace
from rota.core.campaign import Campaign, CampaignState
from rota.core.cause import said
from rota.core.controls import Paused
from rota.core.dependencies import Blocker
from rota.core.gates import DEPENDS, FLOW, split
from rota.core.model import Run, State
from rota.core.policy import tries
from rota.views.why.facts import Facts
from rota.views.why.flow import in_flow
from rota.views.why.reason import Code, Reason, reason


def at_gate(facts: Facts, run: Run) -> list[Reason]:
    """Return what keeps a held run; that of a paused or parked job or tenant is told by who paused it."""
    gate = run.held_by or ""
    match split(gate):
        case "depends", _:
            found = blocked(facts, run)
        case "flow", _ if run.part is not None:
            found = in_flow(facts, run)
        case "canary", round_id:
            found = _behind_canary(facts.canary(round_id), round_id)
        case "canary-run", run_id:
            history = facts.app.store.run(run_id)
            found = _behind_canary(history.run if history else None, run.round_id or run.id)
        case "round", round_id:
            found = _in_round(facts, gate, round_id)
        case "catch-up", schedule:
            found = _in_catch_up(facts, run, gate, schedule)
        case "campaign", name:
            found = _in_campaign(facts, run, gate, name)
        case "job" | "tenant" | "parked", _:
            found = []
        case _:
            return [reason(Code.HELD, f"it is held by {gate}, which this version does not know", gate=gate)]
    return found or _opens(facts, run, gate)


def _opens(facts: Facts, run: Run, gate: str) -> list[Reason]:
    """Return that nothing keeps it any more, unless what does is told elsewhere."""
    if _is_told(facts, gate):
        return []
    if not facts.workers:
        text = f"it is held by {gate}, and no process lives that would let it go on"
        return [reason(Code.NO_SCHEDULER, text, "rota start", gate=gate)]
    if facts.job(run.job) is None:
        text = f"no job {run.job} is registered in this code: a process that has it lets it go on"
        return [reason(Code.UNKNOWN_JOB, text, job=run.job, gate=gate)]
    text = "what it waited for has come: it goes on within seconds"
    return [reason(Code.HELD, text, gate=gate)]


def _is_told(facts: Facts, gate: str) -> bool:
    """Whether it is said elsewhere that the job or tenant of a gate is paused or parked."""
    match split(gate):
        case "job", name:
            return facts.pause(Paused.JOB, name) is not None
        case "tenant" | "parked", name:
            return facts.pause(Paused.TENANT, name) is not None or facts.parked(name) is not None
        case _:
            return False


def in_front(facts: Facts, run: Run) -> str:
    """Return in one line what a scheduled run waits for: cheap, for rounds of which thousands wait."""
    if run.waits_for is not None:
        return "an earlier run of its schedule and tenant goes first"
    if run.due_at > facts.now:
        again = f"attempt {tries(run.attempt + 1, run.max_attempts)} is" if run.attempt else "it is due"
        return f"{again} at {facts.at(run.due_at)}"
    gate = run.held_by
    if gate is None:
        return "it is due, and goes on within a second"
    if gate == DEPENDS:
        return "; ".join(_blocked_by(facts, one) for one in facts.blockers(run)) or "what it waited for has come"
    if gate == FLOW:
        # Each waits for something else.
        return _closed(facts, run, gate)
    if gate not in facts.told_of_gates:
        facts.told_of_gates[gate] = _closed(facts, run, gate)
    return facts.told_of_gates[gate]


def _blocked_by(facts: Facts, one: Blocker) -> str:
    # Without the tenant, whose line it stands in: the same words for all of them.
    key = f"{one.schedule} {one.slot.timestamp()} {one.why}"
    if key not in facts.told_of_gates:
        facts.told_of_gates[key] = f"blocked by {one.job}, slot {facts.at(one.slot)} ({one.why})"
    return facts.told_of_gates[key]


def _closed(facts: Facts, run: Run, gate: str) -> str:
    kind, name = split(gate)
    what = "tenant" if kind == "parked" else kind
    pause = facts.pause(Paused(what), name) if what in ("job", "tenant") else None
    if pause is not None:
        return f"{what} {name} is {pause.said}"
    circuit = facts.parked(name) if what == "tenant" else None
    if circuit is not None:
        return f"tenant {name} is parked: {circuit.reason}"
    return "; ".join(one.text for one in at_gate(facts, run))


def blocked(facts: Facts, run: Run) -> list[Reason]:
    """Return the jobs that a run waits for: each with its slot, how it stands and its error (R11)."""
    found = []
    for one in facts.blockers(run):
        theirs = facts.run_of_slot(one.schedule, one.tenant, one.slot)
        error = None if theirs is None or theirs.error is None else theirs.error.first_line
        state = "" if theirs is None else f"; run {theirs.id} is {theirs.state}"
        what = f"blocked: {_unmet(facts, one)}{state}" + (f": {error}" if error else "")
        tenant = f" --tenant {one.tenant}" if one.tenant else ""
        fix = f"rota retry {theirs.id}" if theirs is not None and theirs.state.is_final else f"rota explain {one.job}"
        found.append(
            reason(
                Code.DEPENDS, what, fix if fix.startswith("rota retry") else fix + tenant,
                job=one.job, schedule=one.schedule, slot=one.slot, tenant=one.tenant, why=one.why, error=error,
                run=None if theirs is None else theirs.id,
            )
        )  # fmt: skip
    return found


def _unmet(facts: Facts, one: Blocker) -> str:
    tenant = f" for {one.tenant}" if one.tenant else ""
    return f"{one.job} has not succeeded{tenant} in its slot {facts.at(one.slot)} ({one.why})"


def _behind_canary(canary: Run | None, round_id: str) -> list[Reason]:
    if canary is None:
        text = "the canary of its round has no run yet: its tenants are being listed"
        return [reason(Code.CANARY, text, f"rota explain {round_id}", round=round_id)]
    if canary.state is State.SUCCEEDED:
        return []
    how = f" ({said(canary)})" if canary.state.is_final else ""
    text = f"canary {canary.tenant} goes first, and is {canary.state}{how}: run {canary.id}"
    return [
        reason(
            Code.CANARY, text, f"rota explain {canary.id}", round=round_id, tenant=canary.tenant, run=canary.id,
            state=str(canary.state),
        )
    ]  # fmt: skip


def _in_round(facts: Facts, gate: str, round_id: str) -> list[Reason]:
    round_ = facts.round(round_id)
    places = round_.places if round_ is not None else None
    out = facts.out(gate)
    if places is None or out < places:
        return []
    text = f"all {places} places of its round are taken"
    return [reason(Code.ROUND_PLACES, text, f"rota show {round_id}", round=round_id, places=places, taken=out)]


def _in_catch_up(facts: Facts, run: Run, gate: str, schedule: str) -> list[Reason]:
    job = facts.job(run.job)
    most = facts.app.settings.scheduler.max_catch_up_parallel
    places = most if job is None or job.max_parallel is None else min(most, job.max_parallel)
    out = facts.out(gate)
    if out < places:
        return []
    text = f"missed slots of {schedule} are made up {places} at a time, and {out} are out"
    return [reason(Code.CATCH_UP_PLACES, text, schedule=schedule, places=places, taken=out)]


def _in_campaign(facts: Facts, run: Run, gate: str, name: str) -> list[Reason]:
    campaign = facts.campaign(name)
    if campaign is None:
        return []
    match campaign.state:
        case CampaignState.PAUSED:
            who = f"paused by {campaign.paused_by or 'somebody'}: {campaign.why}"
            return [_of(Code.BACKFILL_PAUSED, campaign, f"backfill {name} is {who}", f"rota backfills resume {name}")]
        case CampaignState.STOPPED:
            text = f"backfill {name} is stopped: {campaign.why}"
            return [_of(Code.BACKFILL_STOPPED, campaign, text, f"rota backfills resume {name}")]
        case _:
            return _in_active_campaign(facts, run, gate, campaign)


def _in_active_campaign(facts: Facts, run: Run, gate: str, campaign: Campaign) -> list[Reason]:
    if campaign.canary is not None and run.tenant != campaign.canary and facts.is_any_open(gate, campaign.canary):
        text = f"canary {campaign.canary} of backfill {campaign.id} goes first, and has not ended"
        return [_of(Code.CANARY, campaign, text, f"rota runs --tenant {campaign.canary}")]
    out = facts.out(gate)
    if campaign.parallel is not None and out >= campaign.parallel:
        text = f"backfill {campaign.id} runs {campaign.parallel} at a time, and {out} are out"
        return [_of(Code.BACKFILL_PLACES, campaign, text, f"rota backfills show {campaign.id}")]
    if pace.allowance(campaign, now=facts.now) == 0:
        text = f"backfill {campaign.id} begins {campaign.rate:g} runs a minute, and the next is not due yet"
        return [_of(Code.BACKFILL_PACE, campaign, text, f"rota backfills show {campaign.id}")]
    return []


def _of(code: Code, campaign: Campaign, text: str, fix: str) -> Reason:
    return reason(
        code, text, fix, backfill=campaign.id, parallel=campaign.parallel, rate=campaign.rate,
        author=campaign.paused_by, reason=campaign.why,
    )  # fmt: skip
