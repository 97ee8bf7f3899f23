"""What operators set for single tenants: a zone, a weight, schedules of their own (R24)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rota.audit import entry
from rota.core.builder import When, as_timing
from rota.core.controls import Control, ControlKind, TenantSetting, readable
from rota.core.fairness import LEAST_WEIGHT, MOST_WEIGHT, is_weight
from rota.core.kind import Interval
from rota.core.model import Schedule, ScheduleState, Tenant
from rota.core.words import parse
from rota.core.zone import TENANT, is_zone
from rota.drafts import check_name
from rota.engine.circuits import make_due
from rota.errors import ConfigurationError, JobNotFound, Refused, TenantNotFound
from rota.footing import Footing
from rota.ports import Store
from rota.schedules import Schedules


class Plan(Struct, frozen=True, kw_only=True):
    """A schedule of a tenant's own that was checked and is to be made, or taken away again."""

    general: Schedule
    own: str
    when: str | None
    """The text of its timing; None to take it away."""


class OwnSettings:
    """Reads and changes them. All is checked before anything is written; every change leaves an entry in the audit."""

    def __init__(self, footing: Footing, *, schedules: Schedules) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._schedules = schedules
        self._directory = footing.directory
        self._clock = footing.clock

    def list(self) -> dict[str, TenantSetting]:
        """Return what is set, by tenant."""
        return every_setting(self._store())

    def get(self, tenant: str) -> TenantSetting:
        """Return what is set for a tenant; nothing is where nothing was.

        Raises:
            TenantNotFound: the source does not list it.
        """
        self._find(tenant)
        control = self._store().control(ControlKind.TENANT, tenant)
        return TenantSetting() if control is None else TenantSetting.of(control)

    def set(
        self,
        tenant: str,
        *,
        tz: str | None = None,
        weight: float | None = None,
        schedules: Mapping[str, When | None] | None = None,
        actor: str | None = None,
        reason: str | None = None,
    ) -> TenantSetting:
        """Change what is given, leave the rest, and return what is set then. In force within a minute everywhere.

        `tz` "" and `weight` 0 give back what the source says. `schedules`: by the name of a general schedule when this
        tenant is due instead, in its own zone unless the timing names one; None gives it back to the general one.

        A schedule of its own is a row named `GENERAL@TENANT`, and the general one excludes the tenant. They are
        written one after the other, in the order in which the tenant is rather in both than in none: if the process
        dies in between, the same call again completes it.

        Raises:
            TenantNotFound, ScheduleNotFound, JobNotFound: there is none of that name.
            ConfigurationError: no zone has this name, or the weight is out of bounds.
            BadSchedule: a timing is not understood.
            Refused: the schedule is not for this tenant, or its job not per tenant.
        """
        known = self._find(tenant)
        _check(tz, weight)
        zone = tz or known.tz
        plans = [self._plan(tenant, name, when, zone=zone) for name, when in (schedules or {}).items()]
        for plan in plans:
            self._carry_out(plan, tenant, actor=actor, reason=reason)
        return self._write(tenant, tz=tz, weight=weight, plans=plans, actor=actor, reason=reason)

    def try_now(self, tenant: str, *, actor: str | None = None, reason: str | None = None) -> bool:
        """Have a parked tenant tried within a second; return whether it is parked.

        Raises:
            TenantNotFound: the source does not list it.
        """
        self._find(tenant)
        audit = entry(self._clock, actor=actor, action="tenant.try", target=tenant, reason=reason)
        return make_due(self._store(), tenant, now=self._clock.now(), audit=audit)

    def _find(self, tenant: str) -> Tenant:
        found = self._directory.find(tenant, now=self._clock.now())
        if found is None:
            raise TenantNotFound(tenant, known=[one.id for one in self._directory.list(now=self._clock.now())])
        return found

    def _plan(self, tenant: str, name: str, when: When | None, *, zone: str | None) -> Plan:
        general, own = self._schedules.get(name), own_name(name, tenant)
        check_name(own)
        if general.job not in self._jobs:
            raise JobNotFound(general.job, known=self._jobs)
        if not self._jobs[general.job].job.per_tenant:
            raise Refused(f"schedule {name!r} is of job {general.job!r}, which is not per_tenant")
        if general.tenants is not None and tenant not in general.tenants:
            raise Refused(f"schedule {name!r} is not for tenant {tenant!r} at all: put one for it")
        if general.state is ScheduleState.BROKEN:
            raise Refused(f"schedule {name!r} is broken: {general.reason}")
        if when is None:
            return Plan(general=general, own=own, when=None)
        timing = as_timing(when, tz=zone or _zone_of(general))
        found = self._store().schedule(own)
        if found is not None and (found.job, found.tenants) != (general.job, (tenant,)):
            raise Refused(f"there is a schedule {own!r} already, which is something else: rename or delete it first")
        return Plan(general=general, own=own, when=str(timing))

    def _carry_out(self, plan: Plan, tenant: str, *, actor: str | None, reason: str | None) -> None:
        general = plan.general
        if plan.when is None:
            self._schedules.exclude(general.name, tenant, is_excluded=False, actor=actor, reason=reason)
            if self._store().schedule(plan.own) is not None:
                self._schedules.delete(plan.own, actor=actor, reason=reason)
            return
        arguments = self._jobs[general.job].registered.signature.decode(general.args)
        self._schedules.put(
            plan.own,
            job=general.job,
            when=plan.when,
            tenant=tenant,
            args=arguments.args,
            kwargs=arguments.kwargs,
            user_id=general.user_id,
            catch_up=general.catch_up,
            overlap=general.overlap,
            jitter=general.jitter,
            actor=actor,
            reason=reason,
        )
        self._schedules.exclude(general.name, tenant, is_excluded=True, actor=actor, reason=reason)

    def _write(
        self, tenant: str, *, tz: str | None, weight: float | None, plans: Sequence[Plan], actor: str | None,
        reason: str | None,
    ) -> TenantSetting:  # fmt: skip
        said = {plan.general.name: plan.when for plan in plans}
        audit = entry(
            self._clock, actor=actor, action="tenant.set", target=tenant, reason=reason, tz=tz, weight=weight,
            schedules=said or None,
        )  # fmt: skip
        store = self._store()
        while True:
            control = store.control(ControlKind.TENANT, tenant)
            before = TenantSetting() if control is None else TenantSetting.of(control)
            own = dict(before.schedules) | {plan.general.name: plan.own for plan in plans if plan.when is not None}
            for plan in plans:
                if plan.when is None:
                    own.pop(plan.general.name, None)
            after = replace(
                before,
                tz=before.tz if tz is None else tz or None,
                weight=before.weight if weight is None else weight or None,
                schedules=own,
            )
            version = None if control is None else control.version
            changed = Control(
                kind=ControlKind.TENANT,
                name=tenant,
                body=after.body(),
                version=1 if version is None else version + 1,
                changed_at=self._clock.now(),
            )
            if after == before or store.put_control(changed, expected_version=version, audit=audit):
                self._directory.forget()
                return after


def every_setting(store: Store) -> dict[str, TenantSetting]:
    """Return what is set for single tenants; what cannot be read is left out (R21)."""
    return {control.name: setting for control, setting in readable(store.controls(ControlKind.TENANT), TenantSetting)}


def own_name(general: str, tenant: str) -> str:
    """Return the name of the schedule that a tenant has in place of a general one."""
    return f"{general}@{tenant}"


def _check(tz: str | None, weight: float | None) -> None:
    if tz and (tz == TENANT or not is_zone(tz)):
        raise ConfigurationError(f"tz={tz!r} is no time zone, such as Europe/Paris")
    if weight and not is_weight(weight):
        raise ConfigurationError(f"weight={weight}: from {LEAST_WEIGHT} to {MOST_WEIGHT:g}; other tenants have 1")


def _zone_of(schedule: Schedule) -> str:
    """Return the zone that a timing of a general schedule is in; where it has none, UTC."""
    timing = parse(schedule.timing)
    return "UTC" if isinstance(timing, Interval) or timing.tz is None else timing.tz
