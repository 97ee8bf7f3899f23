"""How many runs of one process use databases of the same host at once (R22)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from rota.core.host import host_of
from rota.core.model import Run
from rota.engine.directory import Directory
from rota.errors import TenantListFailed

NOBODY: frozenset[str] = frozenset()


class Hosts:
    """Decides at the claim, before a run begins: who waits for a host takes no place and no thread from others (R21).

    A run counts for its tenant's host from claim to settlement, whether it opens the database or not: nobody can tell
    before. What is claimed beyond that is given back at once, and while a host has no room, claims leave out all its
    tenants; so what is given back comes again only when there is room, here or in another process.
    """

    def __init__(self, directory: Directory, *, most: int) -> None:
        self._directory = directory
        self._most = most
        self._of: Mapping[str, str | None] = {}
        """The hosts of the tenants that were listed last."""
        self._listing: object = None

    def divide(
        self, claimed: Sequence[Run], *, held: Iterable[Run], now: datetime
    ) -> tuple[Sequence[Run], Sequence[Run]]:
        """Return which of these runs may begin beside those that are held, and which may not, in their order."""
        busy = self._busy(held)
        fits, excess = [], []
        for run in claimed:
            host = self._host(run.tenant, now)
            if host is not None and busy[host] >= self._most:
                excess.append(run)
                continue
            busy[host] += 1
            fits.append(run)
        return fits, excess

    def full(self, held: Iterable[Run]) -> frozenset[str]:
        """Return the tenants on hosts that have no room."""
        busy = self._busy(held)
        full = {host for host, count in busy.items() if host is not None and count >= self._most}
        if not full:
            return NOBODY
        return frozenset(tenant for tenant, host in self._hosts().items() if host in full)

    def _busy(self, held: Iterable[Run]) -> Counter[str | None]:
        hosts = self._hosts()
        return Counter(hosts.get(run.tenant) for run in held if run.tenant is not None)

    def _hosts(self) -> Mapping[str, str | None]:
        known = self._directory.known
        if known is not self._listing:
            self._of = {name: host_of(tenant.url) for name, tenant in known.items()}
            self._listing = known
        return self._of

    def _host(self, tenant: str | None, now: datetime) -> str | None:
        if tenant is None:
            return None
        if tenant not in self._hosts():
            # Not seen in this process yet: the source is asked, once for all its tenants.
            try:
                self._directory.find(tenant, now=now)
            except TenantListFailed:
                # It ends with that error by itself.
                return None
        return self._hosts().get(tenant)
