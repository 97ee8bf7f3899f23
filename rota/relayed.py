"""The worker's side of a `RelayStore`: takes in what its child processes enqueue."""

from collections.abc import Sequence

from msgspec.structs import replace

from rota.core.host import host_of
from rota.core.model import Run, Tenant
from rota.errors import TenantNotFound
from rota.executors.frames import Asked
from rota.premises import Premises


class Intake:
    """Checks and completes runs of child processes, which know no tenant but their own, and no URL of its database."""

    def __init__(self, premises: Premises) -> None:
        self._premises = premises

    def enqueue(self, asked: Asked) -> list[str]:
        """Queue what a child asks for, all or none; return the ids as the store does.

        Raises:
            TenantNotFound: one is for a tenant that is not there.
            StoreUnavailable: nothing was queued.
        """
        store, now = self._premises.store, self._premises.clock.now()
        tenants = self._tenants([*asked.runs, *(one.run for one in asked.unique)])
        if asked.unique:
            return store.enqueue_unique([replace(one, run=_of(tenants, one.run)) for one in asked.unique], now=now)
        return store.enqueue([_of(tenants, run) for run in asked.runs], now=now)

    def _tenants(self, runs: Sequence[Run]) -> dict[str, Tenant]:
        now, found = self._premises.clock.now(), dict[str, Tenant]()
        for name in dict.fromkeys(run.tenant for run in runs if run.tenant is not None):
            tenant = self._premises.directory.find(name, now=now)
            if tenant is None:
                raise TenantNotFound(name, known=())
            found[name] = tenant
        return found


def _of(tenants: dict[str, Tenant], run: Run) -> Run:
    """Return a run with its tenant's share of the queue and host, for fairness and limits."""
    tenant = tenants.get(run.tenant or "")
    return run if tenant is None else replace(run, weight=tenant.weight, host=host_of(tenant.url))
