"""Asking for runs: `.enqueue` and what comes with it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rota.core.codec import ARGUMENTS_LIMIT
from rota.core.model import Run, Tenant, Trigger
from rota.errors import BadArguments, NoTenant, StoreUnavailable, TenantNotFound
from rota.footing import Footing
from rota.handle import RunHandle
from rota.job import JobFunction


class StoreEnqueuer:
    """Makes runs of calls, checked whole before any of them is written."""

    def __init__(self, footing: Footing) -> None:
        self.checks_tenants: bool = True
        """Off where whoever holds the store checks them: in a child process."""
        self._store = footing.store
        self._jobs = footing.jobs
        self._directory = footing.directory
        self._list_tenants = footing.list_tenants
        self._clock = footing.clock
        self._carriers = footing.carriers

    def enqueue_calls(
        self, job: JobFunction[Any, Any, Any], calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]
    ) -> list[RunHandle]:
        """Queue one run per call, all or none, in one round trip. What `.enqueue` and `.enqueue_many` do."""
        # Not the policy of `job`: what `using` returned may be older than the settings.
        options, policy, now = job.options, self._jobs.get(job.name, job).job, self._clock.now()
        tenant = self._tenant(job, now)
        carried = self._carriers.pack()
        due_at = options.at or (now + options.delay if options.delay else now)
        runs = [
            Run(
                id=self._clock.new_id(),
                job=policy.name,
                queue=options.queue or policy.queue,
                tenant=options.tenant,
                user_id=options.user_id,
                args=_fitting(job.registered.signature.encode(args, kwargs), carried, job=policy.name),
                carried=carried,
                priority=policy.priority if options.priority is None else options.priority,
                due_at=due_at,
                created_at=now,
                trigger=Trigger.ENQUEUE,
                weight=tenant.weight if tenant is not None else 1.0,
                max_attempts=policy.retry.attempts,
            )
            for args, kwargs in calls
        ]
        try:
            self._store().enqueue(runs, now=now)
        except StoreUnavailable:
            # Perhaps only the answer was lost: the ids make a second try safe, and the caller could not make it (A2).
            self._store().enqueue(runs, now=now)
        return [RunHandle(run.id, self._store, self._clock) for run in runs]

    def _tenant(self, job: JobFunction[Any, Any, Any], now: datetime) -> Tenant | None:
        """Return the tenant that the runs are for, as far as it is known here."""
        name = job.options.tenant
        if name is None:
            if job.job.per_tenant:
                raise NoTenant(f"job {job.name!r} is per_tenant: say which, {job.name}.using(tenant=...).enqueue(...)")
            return None
        if not self.checks_tenants:
            return None
        tenant = self._directory.find(name, now=now)
        if tenant is None:
            raise TenantNotFound(name, known=[known.id for known in self._list_tenants()])
        return tenant


def _fitting(args: str, carried: str | None, *, job: str) -> str:
    """Return the arguments, once it is sure that there is room for them beside what is carried (R37)."""
    if carried is None:
        return args
    sizes = len(args.encode()), len(carried.encode())
    if sum(sizes) > ARGUMENTS_LIMIT:
        raise BadArguments(
            f"job {job!r}: its arguments are {sizes[0]:,} bytes of JSON and what is carried {sizes[1]:,}, the limit "
            f"for both is {ARGUMENTS_LIMIT:,}: carry an id, not what it stands for"
        )
    return args
