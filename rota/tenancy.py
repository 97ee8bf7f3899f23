"""The tenants of an application: where they are listed, who is known, and the way to each one's database."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from rota.clock import Clock
from rota.core.controls import TenantSetting
from rota.core.model import Tenant
from rota.engine.directory import Directory
from rota.ports import TenantSource
from rota.settings import Settings
from rota.tenants.sources import as_source, listed

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from rota.tenants.engines import TenantEngines

Tenants = TenantSource | Sequence[str | Tenant] | Callable[[], Iterable[str | Tenant]]


class Tenancy:
    """Asks the source afresh for every round, and opens a tenant's database when a job first wants it."""

    def __init__(
        self,
        tenants: Tenants | None,
        *,
        clock: Clock,
        settings: Callable[[], Settings],
        own: Callable[[], Mapping[str, TenantSetting]],
    ) -> None:
        """`own`: what operators set for single tenants."""
        self.directory: Directory = Directory(self._listed, settings=own)
        self.reach: Callable[[Tenant], object] = _goes_through
        """Called before a tenant's database is opened or tried: a test raises here what a broken network would."""
        self.within: Callable[[], AbstractContextManager[object]] = nullcontext
        """What the source is asked within: an application context of a framework, which its code may need."""
        self._source = None if tenants is None else as_source(tenants)
        self._clock = clock
        self._settings = settings
        self._engines: TenantEngines | None = None
        self._one_makes_engines = threading.Lock()

    def use(self, tenants: object) -> None:
        """Take another source, before the first use."""
        self._source = as_source(tenants)

    def rehearse(self, reach: Callable[[Tenant], object]) -> None:
        """Take other circumstances: who cannot be reached, and what time it is."""
        self.reach = reach
        # What the last test left open may be of a database that has been made anew since.
        self.let_go()

    def let_go(self) -> None:
        """Close what is kept open between runs, and ask the source anew for the next tenant that is looked for."""
        self.directory.forget()
        if self._engines is not None:
            self._engines.close()

    def list(self) -> Sequence[Tenant]:
        """Return all tenants, asked of the source just now; see `Rota.list_tenants`."""
        return self.directory.list(now=self._clock.now())

    def _listed(self) -> Sequence[Tenant]:
        if self._source is None:
            return []
        with self.within():
            return listed(self._source)

    @contextmanager
    def borrow(self, tenant: Tenant) -> "Iterator[Engine]":
        """Give the engine of a tenant's database for as long as the block lasts."""
        self.reach(tenant)
        with self.engines().borrow(tenant) as engine:
            yield engine

    def probe(self, tenant: Tenant) -> None:
        """Connect to a tenant's database and have it answer.

        Raises:
            NoTenant, TenantUnavailable, MissingExtra: it cannot be reached; the message says why.
        """
        self.reach(tenant)
        self.engines().probe(tenant)

    def engines(self) -> "TenantEngines":
        """Return the engines of this process, made when first asked for."""
        # The first jobs of a worker all ask at once, and two of these would hold twice what may be open.
        with self._one_makes_engines:
            if self._engines is None:
                # Weight by choice: SQLAlchemy is loaded when a job first asks for its tenant's database.
                from rota.tenants.engines import TenantEngines

                self._engines = TenantEngines(max_open=self._settings().tenants.max_open_engines)
            return self._engines


def _goes_through(tenant: Tenant) -> None:
    """Keep nobody from a tenant's database."""


def first_time(connection: "Connection", run_id: str, name: str) -> bool:
    """Whether a run has not done what goes by this name in a tenant's database; see `RunContext.once`."""
    # Weight by choice: whoever has a connection has loaded SQLAlchemy.
    from rota.tenants.once import first_time

    return first_time(connection, run_id, name)
