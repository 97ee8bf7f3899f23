"""What stands in for the world while an application is tested."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from msgspec import Struct

from rota.clock import Clock
from rota.context import RunContext
from rota.core.model import Tenant
from rota.inline import Inline
from rota.ports import Store

Around = Callable[[RunContext], AbstractContextManager[object]]


class Rehearsal(Struct, frozen=True, kw_only=True):
    """Another store, another clock, and where a test may break in."""

    store: Store
    clock: Clock
    outermost: Around
    """Around each run, and around what the application puts around it."""
    innermost: Around
    """Around the job's function alone."""
    reach: Callable[[Tenant], object]
    """Called before a tenant's database is opened or tried; raises TenantUnavailable for one that is cut off."""
    inline: Inline | None = None
    """Whether what is enqueued is executed at once."""
