"""What the services of one process share."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct

from rota.calls import Fleet
from rota.clock import Clock
from rota.core.expecting import Watch
from rota.core.limits import Limit
from rota.core.model import Tenant
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.ports import Store
from rota.settings import Settings
from rota.signature import Registered


class Premises(Struct, frozen=True, kw_only=True):
    """Handed to whoever makes a service."""

    store: Store
    clock: Clock
    bus: Bus
    directory: Directory
    jobs: Mapping[str, Registered]
    settings: Settings
    limits: tuple[Limit, ...]
    """What the code and the settings declare."""
    watches: tuple[Watch, ...] = ()
    """Scripts outside of Rota that are to say that they succeeded."""
    fleets: Mapping[str, Fleet] = MappingProxyType({})
    """Who carries out runs besides this process, by the executor that jobs name."""
    probe: Callable[[Tenant], object]
    """Connects to a tenant's database, or raises TenantUnavailable."""
