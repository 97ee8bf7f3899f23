"""Tenants as a list, and whether their databases answer."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from rota.app import Rota
from rota.core.model import Tenant
from rota.core.safe import masked
from rota.errors import TenantNotFound, TenantUnavailable
from rota.tenants.engines import TenantEngines


class TenantRow(Struct, frozen=True, kw_only=True):
    """One tenant; the password of its database is masked."""

    id: str
    database: str | None
    schema: str | None
    tags: list[str]


class TenantTried(Struct, frozen=True, kw_only=True):
    """Whether a tenant's database answered."""

    id: str
    state: str
    """`ok`, `failed`, or `none` for a tenant without a database."""
    took_s: float
    error: str | None


def tenant_rows(app: Rota) -> list[TenantRow]:
    """Return the tenants as their source lists them now."""
    return [
        TenantRow(
            id=tenant.id,
            database=masked(tenant.url) if tenant.url else None,
            schema=tenant.schema,
            tags=list(tenant.tags),
        )
        for tenant in app.list_tenants()
    ]


def try_tenants(app: Rota, only: Sequence[str] | None) -> Iterator[tuple[TenantTried, int]]:
    """Yield what opening each tenant's database gave, with how many there are.

    Raises:
        TenantNotFound: `only` names one that is not listed; before anything is opened.
    """
    listed = {tenant.id: tenant for tenant in app.list_tenants()}
    for name in only or ():
        if name not in listed:
            raise TenantNotFound(name, known=listed)
    ids = list(listed) if only is None else list(only)
    # Engines of its own, one at a time: trying 2,000 tenants must not push out those in use.
    engines = TenantEngines(max_open=1)
    for name in ids:
        yield _tried(listed[name], engines, monotonic=app.clock.monotonic), len(ids)


def _tried(tenant: Tenant, engines: TenantEngines, *, monotonic: Callable[[], float]) -> TenantTried:
    started, state, error = monotonic(), "ok", None
    if tenant.url is None:
        state = "none"
    else:
        try:
            with engines.borrow(tenant) as engine, engine.connect():
                pass
        except TenantUnavailable as unavailable:
            state, error = "failed", masked(str(unavailable).partition("\n")[0])
    return TenantTried(id=tenant.id, state=state, took_s=round(monotonic() - started, 4), error=error)
