"""Why a slot ran, failed, was left out, or never came to be."""

from datetime import datetime, timedelta

import msgspec

from rota.core.agenda import Agenda, agenda_of, timing_for
from rota.core.agenda import agenda as agenda_in
from rota.core.model import Round, RoundState, Run, Schedule, State
from rota.core.words import parse
from rota.errors import BadSchedule, TenantListFailed
from rota.queries import AuditQuery, RoundQuery
from rota.views.why.facts import LOOKED_AT, TICK, Facts
from rota.views.why.reason import Code, Reason, distance, named, reason
from rota.views.why.run import name_of, why_run
from rota.views.why.standing import tenant_reasons, what_holds

ON_TIME = timedelta(minutes=1)
"""A slot that is so little late is not overdue: it is about to be fired."""


def why_slot(facts: Facts, schedule: Schedule, tenant: str | None, slot: datetime) -> list[Reason]:
    """Return what became of one slot of a schedule, for a tenant or all of them."""
    run = facts.run_of_slot(schedule.name, tenant, slot) if _is_of_one(facts, schedule, tenant) else None
    if run is not None:
        return _of_run(facts, run)
    apart = tenant_reasons(facts, schedule, tenant)
    round_ = facts.round_of_slot(schedule.name, slot)
    if round_ is not None:
        return apart or _of_round(facts, round_, tenant)
    left_out = _left_out(facts, schedule, slot)
    if left_out is not None:
        return [left_out]
    agenda = agenda_for(facts, schedule, tenant)
    if agenda is None:
        return what_holds(facts, schedule)
    if agenda.next_slot(after=slot - TICK) != slot:
        return [_no_slot(facts, schedule, agenda, slot)]
    if apart:
        return apart
    if slot > facts.now:
        text = f"the slot is to come: {facts.at(slot)} ({distance(slot, now=facts.now)})"
        return [*what_holds(facts, schedule), reason(Code.SLOT_TO_COME, text, slot=slot)]
    return undecided(facts, schedule, slot) if slot > schedule.cursor else [_never_fired(facts, schedule, tenant, slot)]


def agenda_for(facts: Facts, schedule: Schedule, tenant: str | None) -> Agenda | None:
    """Return the slots of a schedule, for a tenant those in its zone; None when its text cannot be read."""
    try:
        if tenant is None or not schedule.zones:
            return agenda_of(schedule)
        known = facts.tenants.get(tenant)
        return agenda_in(timing_for(parse(schedule.timing), known, default=facts.app.settings.timezone), ())
    except (BadSchedule, TenantListFailed):
        return None


def undecided(facts: Facts, schedule: Schedule, slot: datetime) -> list[Reason]:
    """Return why a slot that has come was not fired."""
    held = what_holds(facts, schedule)
    if held:
        return held
    if facts.job(schedule.job) is None:
        text = f"no job {schedule.job} is registered in this code: a scheduler that has it fires the slot"
        return [reason(Code.UNKNOWN_JOB, text, job=schedule.job, slot=slot)]
    if not facts.schedulers:
        last = max((worker.last_seen for worker in facts.schedulers_known), default=None)
        since = f"none lives since {facts.at(last)}" if last is not None else "none is known"
        text = f"slot {facts.at(slot)} is not fired yet, because no scheduler lives: {since}"
        return [reason(Code.NO_SCHEDULER, text, "rota start, or rota tick", slot=slot, last_seen=last)]
    late = distance(slot, now=facts.now)
    text = f"slot {facts.at(slot)} is due ({late}), and is fired within seconds"
    if facts.now - slot > ON_TIME:
        text = f"slot {facts.at(slot)} is due ({late}), and the schedulers have not come to it: read their log"
        return [reason(Code.NO_SCHEDULER, text, "rota workers", slot=slot)]
    return [reason(Code.SLOT_TO_COME, text, slot=slot)]


def _is_of_one(facts: Facts, schedule: Schedule, tenant: str | None) -> bool:
    known = facts.job(schedule.job)
    return tenant is not None or known is None or not known.per_tenant


def _of_run(facts: Facts, run: Run) -> list[Reason]:
    reasons = why_run(facts, run)
    if run.state in (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED):
        first, *others = reasons
        return [reason(first.code, f"{name_of(facts, run)}: {first.text}", first.fix, **first.facts), *others]
    return reasons


def _of_round(facts: Facts, round_: Round, tenant: str | None) -> list[Reason]:
    if not round_.expanded:
        return unlisted(facts, round_)
    if tenant is not None:
        text = (
            f"round {round_.id} of this slot has no run for {tenant}: it was not among the {round_.expected or 0} "
            f"tenants that were listed at {facts.at(round_.created_at)}"
        )
        return [reason(Code.TENANT_NOT_LISTED_THEN, text, f"rota show {round_.id}", round=round_.id, tenant=tenant)]
    return sum_of(facts, round_)


def unlisted(facts: Facts, round_: Round) -> list[Reason]:
    """Return why the tenants of a round are not listed."""
    expansion = facts.expansion(round_.id)
    if expansion is None or expansion.state is State.RUNNING:
        return [reason(Code.LISTING, f"the tenants of round {round_.id} are being listed", round=round_.id)]
    if expansion.state is State.FAILED:
        error = expansion.error.first_line if expansion.error is not None else round_.reason or "no error was recorded"
        text = f"its tenants could not be listed: {error}"
        return [reason(Code.TENANTS_NOT_LISTED, text, f"rota retry {round_.id}", round=round_.id, error=error)]
    text = f"the tenants of round {round_.id} are not listed yet"
    return [reason(Code.LISTING, text, round=round_.id), *why_run(facts, expansion)]


_SUM = {
    RoundState.SUCCEEDED: Code.SUCCEEDED,
    RoundState.PARTIAL: Code.FAILED,
    RoundState.FAILED: Code.FAILED,
    RoundState.SKIPPED: Code.SKIPPED,
    RoundState.RUNNING: Code.RUNNING,
}


def sum_of(facts: Facts, round_: Round) -> list[Reason]:
    """Return how it stands with a round whose tenants are listed."""
    counts = facts.app.store.round_counts([round_.id]).get(round_.id, {})
    shown = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no runs"
    slot = f" of slot {facts.at(round_.slot)}" if round_.slot is not None else ""
    fix = f"rota retry {round_.id}" if _SUM[round_.state] is Code.FAILED else f"rota show {round_.id}"
    by_state = {str(state): count for state, count in counts.items()}
    return [
        reason(
            _SUM[round_.state], f"round {round_.id}{slot} is {round_.state}: {shown}", fix, round=round_.id,
            counts=by_state,
        )
    ]  # fmt: skip


def _left_out(facts: Facts, schedule: Schedule, slot: datetime) -> Reason | None:
    """Return the range in which a policy decided to run nothing, if the slot lies in one."""
    query = RoundQuery(schedule=schedule.name, states=(RoundState.SKIPPED,), slot_since=slot, limit=LOOKED_AT)
    for round_ in facts.app.store.rounds(query):
        if round_.skipped_from is not None and round_.slot is not None and round_.skipped_from <= slot <= round_.slot:
            span = f"from {facts.at(round_.skipped_from)} to {facts.at(round_.slot)}"
            text = f"skipped with all slots {span}: {round_.reason}"
            until = round_.slot + timedelta(seconds=1)
            fix = (
                f"rota backfill {schedule.name} --since {round_.skipped_from:%Y-%m-%dT%H:%M:%SZ} "
                f"--until {until:%Y-%m-%dT%H:%M:%SZ}"
            )
            return reason(
                Code.SKIPPED_RANGE, text, fix, round=round_.id, skipped_from=round_.skipped_from,
                skipped_until=round_.slot, policy=str(schedule.catch_up.mode),
            )  # fmt: skip
    return None


def _no_slot(facts: Facts, schedule: Schedule, agenda: Agenda, slot: datetime) -> Reason:
    around = [one for one in (agenda.slot_before(slot), agenda.next_slot(after=slot)) if one is not None]
    near = f"; next to it are {named(facts.at(one) for one in around)}" if around else ""
    return reason(Code.NO_SLOT, f"{facts.at(slot)} is no slot of {schedule.name}{near}", slot=slot)


def _never_fired(facts: Facts, schedule: Schedule, tenant: str | None, slot: datetime) -> Reason:
    """Return why a slot that was decided on has left no trace."""
    if slot <= schedule.created_at:
        text = f"schedule {schedule.name} was made later, at {facts.at(schedule.created_at)}"
        return reason(Code.BEFORE_SCHEDULE, text, _made_up(schedule, slot), created_at=schedule.created_at)
    then = _paused_then(facts, schedule, slot) or _changed_since(facts, schedule, slot)
    if then is not None:
        return then
    kept = facts.now - facts.app.settings.retention.succeeded
    progress = next(iter(facts.app.store.progress(schedule=schedule.name, tenants=[tenant or ""])), None)
    is_passed = progress is not None and progress.last_success is not None and slot <= progress.last_success
    if slot < kept and is_passed:
        text = "its history is not kept any more, and a later slot has succeeded"
        return reason(Code.PRUNED, text, slot=slot)
    text = "it never fired, and no reason was recorded"
    return reason(Code.NOT_FIRED, text, _made_up(schedule, slot), slot=slot)


def _made_up(schedule: Schedule, slot: datetime) -> str:
    until = slot + timedelta(seconds=1)
    return f"rota backfill {schedule.name} --since {slot:%Y-%m-%dT%H:%M:%SZ} --until {until:%Y-%m-%dT%H:%M:%SZ}"


def _paused_then(facts: Facts, schedule: Schedule, slot: datetime) -> Reason | None:
    """Return the pause, of the schedule or its job, in which a slot lay, as the audit has it."""
    for kind, name in (("schedule", schedule.name), ("job", schedule.job)):
        entries = facts.app.store.audit(AuditQuery(target=name, action=f"{kind}.", limit=LOOKED_AT))
        turns = [one for one in entries if one.at <= slot and one.action in (f"{kind}.pause", f"{kind}.resume")]
        # Newest first: what was said last before the slot was so when it came.
        if turns and turns[0].action == f"{kind}.pause" and not _was_over(turns[0].detail, slot):
            entry = turns[0]
            who = f"{entry.actor or 'somebody'} (at {facts.at(entry.at)})"
            text = f"{kind} {name} was paused then by {who}: {entry.reason}"
            return reason(
                Code.PAUSED_THEN, text, _made_up(schedule, slot), kind=kind, name=name, author=entry.actor,
                reason=entry.reason, since=entry.at,
            )  # fmt: skip
    return None


def _was_over(detail: str, slot: datetime) -> bool:
    until = msgspec.json.decode(detail).get("until")
    return until is not None and datetime.fromisoformat(until) <= slot


CHANGES = ("schedule.put", "schedule.override", "schedule.restore", "schedule.set")


def _changed_since(facts: Facts, schedule: Schedule, slot: datetime) -> Reason | None:
    """Return the change after which the schedule went on from then: an edit never runs the past again (R5)."""
    query = AuditQuery(target=schedule.name, action="schedule.", since=slot, limit=LOOKED_AT)
    changed = [entry for entry in facts.app.store.audit(query) if entry.action in CHANGES]
    if not changed:
        return None
    first = changed[-1]
    text = (
        f"schedule {schedule.name} was changed at {facts.at(first.at)} by {first.actor or 'somebody'}, and an edit "
        "runs nothing of the past"
    )
    return reason(Code.CHANGED_SINCE, text, _made_up(schedule, slot), changed_at=first.at, author=first.actor)
