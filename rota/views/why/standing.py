"""What holds a schedule up as a whole, and which tenants it is not for."""

from rota.core.controls import Paused, Shadow
from rota.core.dependencies import covers
from rota.core.model import RoundState, Schedule, ScheduleState
from rota.errors import TenantListFailed, close_names
from rota.queries import RoundQuery
from rota.views.why.facts import Facts
from rota.views.why.reason import Code, Reason, distance, reason
from rota.views.why.run import parked, paused

_STANDS = {
    ScheduleState.BROKEN: Code.SCHEDULE_BROKEN,
    ScheduleState.ORPHANED: Code.SCHEDULE_ORPHANED,
    ScheduleState.FAILED: Code.SCHEDULE_FAILED,
    ScheduleState.DONE: Code.SCHEDULE_DONE,
}
_FIX = {
    ScheduleState.BROKEN: "rota schedules put {name}, or rota schedules delete {name}",
    ScheduleState.ORPHANED: "rota schedules delete {name}, or put it back into the code",
}
_SAID = {
    ScheduleState.ORPHANED: "it left the code",
    ScheduleState.DONE: "its one time has come and its run succeeded",
}


def what_holds(facts: Facts, schedule: Schedule) -> list[Reason]:
    """Return why a schedule fires nothing; nothing when it does."""
    of_job = paused(facts, Paused.JOB, schedule.job)
    found = [of_job] if of_job is not None else []
    if schedule.state is ScheduleState.PAUSED:
        found.append(_paused(facts, schedule))
    elif schedule.state is ScheduleState.ACTIVE:
        shadow = facts.app.shadows.get(schedule.name)
        found += [] if shadow is None else [_in_shadow(schedule, shadow)]
    else:
        why = schedule.reason or _SAID.get(schedule.state, "no reason is known")
        text = f"schedule {schedule.name} is {schedule.state}: {why}"
        found.append(
            reason(
                _STANDS[schedule.state], text, _fix(facts, schedule),
                schedule=schedule.name, state=str(schedule.state), reason=schedule.reason,
            )
        )  # fmt: skip
    return found


def _in_shadow(schedule: Schedule, shadow: Shadow) -> Reason:
    text = f"schedule {schedule.name} fires and starts nothing: it is {shadow.said}"
    return reason(
        Code.IN_SHADOW, text, f"rota schedules shadow {schedule.name} --end", schedule=schedule.name,
        author=shadow.author, reason=shadow.reason, since=shadow.since,
    )  # fmt: skip


def _fix(facts: Facts, schedule: Schedule) -> str | None:
    if schedule.state is ScheduleState.FAILED:
        # What failed runs again, and for nobody else: a round of its own would be for all.
        query = RoundQuery(schedule=schedule.name, states=(RoundState.FAILED, RoundState.PARTIAL), limit=1)
        failed = next(iter(facts.app.store.rounds(query)), None)
        return f"rota retry {failed.id}" if failed is not None else f"rota schedules put {schedule.name}"
    fix = _FIX.get(schedule.state)
    return fix.format(name=schedule.name) if fix else None


def _paused(facts: Facts, schedule: Schedule) -> Reason:
    until = schedule.paused_until
    ends = f", until {facts.at(until)} ({distance(until, now=facts.now)})" if until is not None else ""
    text = f"schedule {schedule.name} is paused by {schedule.paused_by or 'somebody'}: {schedule.reason}{ends}"
    return reason(
        Code.PAUSED_SCHEDULE, text, f"rota resume --schedule {schedule.name}", name=schedule.name,
        author=schedule.paused_by, reason=schedule.reason, until=until,
    )  # fmt: skip


def tenant_reasons(facts: Facts, schedule: Schedule, tenant: str | None) -> list[Reason]:
    """Return why a schedule is not for a tenant; nothing when it is."""
    if tenant is None:
        return []
    if not covers(schedule, tenant):
        return [_left_out(facts, schedule, tenant)]
    unknown = unlisted(facts, tenant)
    return [unknown] if unknown is not None else []


def tenant_held(facts: Facts, tenant: str | None) -> list[Reason]:
    """Return how a tenant is paused or parked."""
    found = [] if tenant is None else [paused(facts, Paused.TENANT, tenant), parked(facts, tenant)]
    return [one for one in found if one is not None]


def unlisted(facts: Facts, tenant: str) -> Reason | None:
    """Return that the source does not list a tenant, or cannot be asked; None when it does."""
    try:
        if tenant in facts.tenants:
            return None
    except TenantListFailed as error:
        text = f"the tenants cannot be listed: {error}"
        return reason(Code.TENANTS_NOT_LISTED, text, "rota tenants list", error=str(error))
    close = close_names(tenant, facts.tenants)
    meant = f"; close names are {', '.join(close)}" if close else ""
    text = f"the source of tenants does not list {tenant}{meant}"
    return reason(Code.TENANT_UNKNOWN, text, "rota tenants list", tenant=tenant, close=close or None)


def _left_out(facts: Facts, schedule: Schedule, tenant: str) -> Reason:
    others = [
        one.name
        for one in facts.schedules_of(schedule.job)
        if one.name != schedule.name and one.tenants is not None and covers(one, tenant)
    ]
    own = f", which has {', '.join(others)} in its place" if others else ""
    text = f"schedule {schedule.name} is not for {tenant}{own}"
    fix = f"rota explain {others[0]} --tenant {tenant}" if others else f"rota schedules show {schedule.name}"
    return reason(Code.TENANT_EXCLUDED, text, fix, schedule=schedule.name, tenant=tenant, own=others or None)
