"""What the parts of an application share: its store, jobs, tenants, clock and settings."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rota.carrying import Carriers
from rota.clock import Clock
from rota.core.model import Tenant
from rota.engine.directory import Directory
from rota.job import JobFunction
from rota.ports import Store
from rota.settings import Settings

Jobs = Mapping[str, JobFunction[Any, Any, Any]]


class Footing(Struct, frozen=True, kw_only=True):
    """Handed to each part when the application is made, before there is a store or final settings: so those are asked
    for."""

    store: Callable[[], Store]
    """Opens it at the first call."""
    jobs: Jobs
    directory: Directory
    list_tenants: Callable[[], Sequence[Tenant]]
    clock: Clock
    carriers: Carriers
    """What is carried along with each enqueue."""
    settings: Callable[[], Settings]

    def zone(self) -> str:
        """Return the zone of what names none."""
        return self.settings().timezone
