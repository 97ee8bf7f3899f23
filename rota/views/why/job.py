"""Why a job or a schedule does not run, for a tenant or all, now or in one slot."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from msgspec.structs import replace

from rota.app import Rota
from rota.core.controls import Paused
from rota.core.model import Run, Schedule, ScheduleState
from rota.core.words import parse
from rota.errors import BadArguments, TenantNotFound
from rota.queries import RunQuery
from rota.views.explain import Explained, explain_agenda
from rota.views.why.answer import answer
from rota.views.why.facts import TICK, Facts
from rota.views.why.reason import ALL_IS_WELL, Code, Reason, Why, distance, reason
from rota.views.why.run import name_of, paused, why_run
from rota.views.why.slot import agenda_for, why_slot
from rota.views.why.standing import tenant_held, tenant_reasons, unlisted, what_holds
from rota.views.why.waiting import groups


def ask_schedule(
    app: Rota, schedule: Schedule, *, tenant: str | None, slot: datetime | None, count: int, zone: tzinfo = UTC
) -> Why:
    """Return why a schedule does not run, with its next `count` slots.

    Raises:
        BadArguments: a tenant is named, and its job has none.
        TenantNotFound: the source does not list it, and its job never ran for it.
    """
    facts = Facts(app, zone=zone)
    _check_tenant(facts, schedule.job, tenant)
    for_whom = f" for {tenant}" if tenant is not None else ""
    if slot is not None:
        subject = f"slot {facts.at(slot)} of {schedule.name}{for_whom}"
        return answer("slot", subject, why_slot(facts, schedule, tenant, slot))
    theirs = [run for run in facts.open_runs(schedule.job, tenant) if run.schedule == schedule.name]
    reasons = _of_schedule(facts, schedule, tenant, theirs)
    told = answer("schedule", f"schedule {schedule.name} of {schedule.job}{for_whom}", reasons)
    return replace(told, schedules=_in_words(facts, [schedule], tenant, count))


def ask_job(app: Rota, name: str, *, tenant: str | None, slot: datetime | None, count: int, zone: tzinfo = UTC) -> Why:
    """Return why a job does not run, with the next `count` slots of its schedules.

    Raises:
        BadArguments: a tenant is named, and the job has none; or a slot, and it has no schedule.
        TenantNotFound: the source does not list it, and the job never ran for it.
    """
    facts = Facts(app, zone=zone)
    _check_tenant(facts, name, tenant)
    schedules = facts.schedules_of(name)
    for_whom = f" for {tenant}" if tenant is not None else ""
    if slot is not None:
        return answer(
            "slot", f"slot {facts.at(slot)} of {name}{for_whom}", _of_slot(facts, name, schedules, tenant, slot)
        )
    runs = facts.open_runs(name, tenant)
    reasons = _of_job(facts, name, tenant, schedules, runs)
    for schedule in schedules:
        theirs = [run for run in runs if run.schedule == schedule.name]
        reasons += _of_schedule(facts, schedule, tenant, theirs)
    known = {schedule.name for schedule in schedules}
    reasons += groups(facts, [run for run in runs if run.schedule not in known])
    told = answer("job", f"job {name}{for_whom}", reasons)
    return replace(told, schedules=_in_words(facts, schedules, tenant, count))


def _check_tenant(facts: Facts, job: str, tenant: str | None) -> None:
    known = facts.job(job)
    if tenant is not None and known is not None and not known.per_tenant:
        raise BadArguments(f"job {job!r} is not per_tenant: it runs once, for nobody in particular")
    if tenant is not None and facts.is_stranger(tenant) and not facts.has_history(job, tenant):
        raise TenantNotFound(tenant, known=facts.tenants)


def _of_slot(
    facts: Facts, name: str, schedules: Sequence[Schedule], tenant: str | None, slot: datetime
) -> list[Reason]:
    if not schedules:
        raise BadArguments(f"job {name!r} has no schedule that was ever started, so it has no slots")
    found = [why_slot(facts, one, tenant, slot) for one in schedules]
    # Of several schedules those are meant that have this slot, and of them those that are for the tenant.
    for apart in ({Code.NO_SLOT, Code.TENANT_EXCLUDED}, {Code.NO_SLOT}, set[Code]()):
        meant = [reasons for reasons in found if not any(one.code in apart for one in reasons)]
        if meant:
            return [one for reasons in meant for one in reasons]
    return []


def _of_job(
    facts: Facts, name: str, tenant: str | None, schedules: Sequence[Schedule], runs: Sequence[Run]
) -> list[Reason]:
    """Return what is so of the job as a whole."""
    known = facts.job(name)
    found = [paused(facts, Paused.JOB, name)]
    if known is None:
        text = f"no job {name} is registered in this code: it runs where other code is that has it"
        found.append(reason(Code.UNKNOWN_JOB, text, "put it back into the code", job=name))
    else:
        found.append(paused(facts, Paused.QUEUE, known.queue))
    if tenant is not None:
        found += [unlisted(facts, tenant), *tenant_held(facts, tenant)]
    if not schedules and name in facts.app.jobs and facts.app.jobs[name].timing is not None:
        text = f"the schedule of {name} is in the code, and no process has started it yet"
        found.append(reason(Code.NEVER_STARTED, text, "rota start, or rota tick", job=name))
    elif not schedules:
        text = f"job {name} has no schedule: it runs when somebody enqueues or starts it"
        found += [reason(Code.NO_SCHEDULE, text, job=name), None if runs else _last_run(facts, name, tenant)]
    return [one for one in found if one is not None]


def _last_run(facts: Facts, job: str, tenant: str | None) -> Reason | None:
    query = RunQuery(jobs=(job,), tenants=() if tenant is None else (tenant,), limit=1)
    last = next(iter(facts.app.store.runs(query)), None)
    if last is None:
        return None
    told = why_run(facts, last)[0]
    return replace(told, text=f"the last one, {name_of(facts, last)}: {told.text}")


def _of_schedule(facts: Facts, schedule: Schedule, tenant: str | None, runs: Sequence[Run]) -> list[Reason]:
    apart = tenant_reasons(facts, schedule, tenant)
    if apart:
        return apart
    held = what_holds(facts, schedule)
    waiting = groups(facts, runs)
    found = [*held, *tenant_held(facts, tenant), *waiting]
    if not held and not waiting:
        found += _last_slot(facts, schedule, tenant)
    return [*found, *_in_future(facts, schedule, tenant, is_fine=all(one.code in ALL_IS_WELL for one in found))]


def _last_slot(facts: Facts, schedule: Schedule, tenant: str | None) -> list[Reason]:
    agenda = agenda_for(facts, schedule, tenant)
    slot = None if agenda is None else agenda.slot_before(facts.now + TICK)
    if slot is None or slot <= schedule.created_at:
        # Of a schedule that has just been made there is nothing to tell yet.
        return []
    return why_slot(facts, schedule, tenant, slot)


def _in_future(facts: Facts, schedule: Schedule, tenant: str | None, *, is_fine: bool) -> list[Reason]:
    """Return when it succeeded last and is due next; without a next slot while it does not fire."""
    known = facts.job(schedule.job)
    is_of_all = tenant is None and known is not None and known.per_tenant
    progress = facts.app.store.progress(schedule=schedule.name, tenants=None if is_of_all else [tenant or ""])
    last = max((one.last_success for one in progress if one.last_success is not None), default=None)
    said = f"last success in slot {facts.at(last)} ({distance(last, now=facts.now)})" if last else "no success yet"
    is_new = last is None and schedule.last_run_at is None
    if is_new:
        said = "has not run yet"
    agenda = agenda_for(facts, schedule, tenant)
    next_at = None
    if schedule.state is ScheduleState.ACTIVE and agenda is not None:
        next_at = agenda.next_slot(after=max(facts.now, schedule.cursor))
        due = f"next at {facts.at(next_at)} ({distance(next_at, now=facts.now)})" if next_at else "no slot is to come"
        said = f"{said}: {due}" if is_new else f"{said}, {due}"
    code = Code.FINE if is_fine else Code.NEXT
    fine = " runs fine" if is_fine and last is not None else ""
    text = f"{schedule.name} {said}" if is_new else f"{schedule.name}{fine}: {said}"
    return [reason(code, text, schedule=schedule.name, last_success=last, next_at=next_at)]


def _in_words(facts: Facts, schedules: Sequence[Schedule], tenant: str | None, count: int) -> list[Explained]:
    found = []
    for schedule in schedules:
        agenda = agenda_for(facts, schedule, tenant)
        if agenda is not None:
            found.append(explain_agenda(parse(schedule.timing), agenda, after=facts.now, count=count))
    return found
