"""What is expected of each schedule and tenant, as this process knows it: read each while, asked with every success."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rota.core.expecting import Situation, Watch, rule_of
from rota.core.freshness import Allowance, Expectation, Rule, expectation
from rota.core.model import Run, RunKind, Schedule, State, Tenant
from rota.core.policy import Job
from rota.core.watched import watch_key
from rota.engine.directory import Directory
from rota.engine.standing import Standing
from rota.errors import TenantListFailed
from rota.ports import Store
from rota.signature import Registered

LIST_EVERY = timedelta(minutes=5)
"""How old the list of tenants may be; rounds list them afresh, and new ones are seen then."""


class Rulebook:
    """Knows the schedules as they were read last, and makes rules of them.

    Read by threads that settle; only `tick` writes, whole values at a time.
    """

    def __init__(
        self,
        store: Store,
        *,
        jobs: Mapping[str, Registered],
        directory: Directory,
        default: Allowance,
        zone: str,
        watches: Sequence[Watch] = (),
        every: timedelta = timedelta(seconds=15),
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._directory = directory
        self._default = default
        self._zone = zone
        self._watches = tuple(watches)
        self._every = every
        self._standing = Standing(store)
        self._listed_at: datetime | None = None
        self._known = _Known({})

    def tick(self, now: datetime) -> timedelta:
        """Read the schedules anew."""
        self._take(self._store.schedules())
        return self._every

    def situation(self, now: datetime, *, lists_tenants: bool = True) -> Situation:
        """Return everything that expectations depend on, asked just now; the tenants only now and then, or not at all.

        Raises:
            StoreUnavailable: the store was not reached.
        """
        schedules = self._store.schedules()
        self._take(schedules)
        self._standing.tick(now)
        return Situation(
            schedules=tuple(schedules),
            jobs={name: registered.job for name, registered in self._jobs.items()},
            tenants=self._tenants(now) if lists_tenants else self._directory.known or None,
            watches=self._watches,
            failed=frozenset(name for name in map(watch_key, self._names()) if self._has_failed(name)),
            zone=self._zone,
            default=self._default,
            paused_jobs=self._standing.paused_jobs,
            paused_queues=self._standing.paused_queues,
            paused_tenants=self._standing.paused_tenants,
            shadows=frozenset(self._standing.shadows),
        )

    def on_success(self, run: Run) -> Expectation | None:
        """Return by when a run's schedule has to succeed again for its tenant; None where it stands for no slot, or
        nobody here knows. Asks nobody: it is called while others wait to settle."""
        if run.schedule is None or run.slot is None or run.kind is not RunKind.JOB:
            return None
        known, key = self._known, (run.schedule, run.tenant or "")
        if key not in known.rules:
            known.rules[key] = self._rule(known, *key)
        rule = known.rules[key]
        return None if rule is None else expectation(rule, proof=run.slot)

    def _names(self) -> list[str]:
        return [watch.name for watch in self._watches]

    def _has_failed(self, key: str) -> bool:
        return any(one.last_state is State.FAILED for one in self._store.progress(schedule=key))

    def _rule(self, known: "_Known", name: str, tenant: str) -> Rule | None:
        schedule = known.schedules.get(name)
        if schedule is None:
            return None
        whose = self._directory.known.get(tenant)
        return rule_of(schedule, self._job(schedule), whose, default=self._default, zone=self._zone)

    def _job(self, schedule: Schedule) -> Job | None:
        registered = self._jobs.get(schedule.job)
        return None if registered is None else registered.job

    def _take(self, schedules: Sequence[Schedule]) -> None:
        taken = {schedule.name: schedule for schedule in schedules}
        if _versions(taken) != _versions(self._known.schedules):
            self._known = _Known(taken)

    def _tenants(self, now: datetime) -> Mapping[str, Tenant] | None:
        if not any(registered.job.per_tenant for registered in self._jobs.values()):
            return {}
        if self._listed_at is None or not timedelta(0) <= now - self._listed_at < LIST_EVERY:
            try:
                self._directory.list(now=now)
            except TenantListFailed:
                # The round fails, and alerts; who was watched stays watched.
                return None
            self._listed_at = now
            # Zones of tenants may have changed.
            self._known = _Known(self._known.schedules)
        return self._directory.known


class _Known:
    """Schedules, and the rules that were made of them: replaced together, so that no old rule outlives its schedule."""

    def __init__(self, schedules: Mapping[str, Schedule]) -> None:
        self.schedules = schedules
        self.rules: dict[tuple[str, str], Rule | None] = {}


def _versions(schedules: Mapping[str, Schedule]) -> dict[str, int]:
    return {name: schedule.version for name, schedule in schedules.items()}
