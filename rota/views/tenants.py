"""Tenants as a list, what stands in their way, and whether their databases answer."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from rota.app import Rota
from rota.core.controls import Circuit, Pause, Paused, TenantSetting
from rota.core.host import host_of
from rota.core.model import Tenant
from rota.engine.circuits import every_circuit
from rota.errors import RotaError, TenantNotFound
from rota.redaction import redacted
from rota.tenants.engines import TenantEngines


class TenantRow(Struct, frozen=True, kw_only=True):
    """One tenant; the password of its database is masked."""

    id: str
    state: str
    """`active`, `paused`, or `parked` as long as its database cannot be reached."""
    reason: str | None
    since: datetime | None
    next_probe_at: datetime | None
    """When a parked tenant is tried next."""
    failures: int
    """How often in a row its database could not be reached."""
    database: str | None
    host: str | None
    schema: str | None
    tz: str | None
    weight: float
    tags: list[str]
    schedules: dict[str, str]
    """Schedules of its own, by the name of the general one."""


class TenantTried(Struct, frozen=True, kw_only=True):
    """Whether a tenant's database answered."""

    id: str
    state: str
    """`ok`, `failed`, or `none` for a tenant without a database."""
    took_s: float
    error: str | None
    host: str | None = None


class Look(Struct, frozen=True, kw_only=True):
    """What is set, paused and parked, by tenant."""

    pauses: Mapping[str, Pause]
    circuits: Mapping[str, Circuit]
    settings: Mapping[str, TenantSetting]


def tenant_rows(app: Rota) -> list[TenantRow]:
    """Return the tenants as their source lists them now, in its order."""
    look = _look(app)
    return [_row(tenant, look) for tenant in app.list_tenants()]


def tenant_row(app: Rota, name: str) -> TenantRow:
    """Return one tenant.

    Raises:
        TenantNotFound: the source does not list it.
    """
    listed = {tenant.id: tenant for tenant in app.list_tenants()}
    if name not in listed:
        raise TenantNotFound(name, known=listed)
    return _row(listed[name], _look(app))


class Tries(NamedTuple):
    """Some databases, each of which is opened when it is come to."""

    each: Iterator[TenantTried]
    total: int
    """How many there are, with those before the start."""


def try_tenants(app: Rota, only: Sequence[str] | None, *, start: int = 0) -> Tries:
    """Return what opening each tenant's database gives, in the order named or that of their source, from a start on.

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
    each = (_tried(listed[name], engines, monotonic=app.clock.monotonic) for name in ids[start:])
    return Tries(each, len(ids))


def by_host(unreachable: Sequence[str | None], *, total: int) -> str:
    """Return where the trouble is, in one line: `12 of 214 unreachable, all on db-3`; empty without any."""
    if not unreachable:
        return ""
    counts = Counter(host for host in unreachable if host is not None).most_common(3)
    head = f"{len(unreachable)} of {total} unreachable"
    if not counts:
        return head
    first, most = counts[0]
    if most == len(unreachable):
        return f"{head}, {'all ' if most > 1 else ''}on {first}"
    return f"{head}: {', '.join(f'{count} on {host}' for host, count in counts)}"


def _tried(tenant: Tenant, engines: TenantEngines, *, monotonic: Callable[[], float]) -> TenantTried:
    started, state, error = monotonic(), "ok", None
    if tenant.url is None:
        state = "none"
    else:
        try:
            engines.probe(tenant)
        except RotaError as unavailable:
            state, error = "failed", redacted(str(unavailable).partition("\n")[0])
    took_s = round(monotonic() - started, 4)
    return TenantTried(id=tenant.id, state=state, took_s=took_s, error=error, host=host_of(tenant.url))


def _look(app: Rota) -> Look:
    return Look(
        pauses={pause.name: pause for pause in app.pauses.list() if pause.kind is Paused.TENANT},
        circuits=every_circuit(app.store),
        settings=app.tenant_settings.list(),
    )


def _row(tenant: Tenant, look: Look) -> TenantRow:
    pause, circuit = look.pauses.get(tenant.id), look.circuits.get(tenant.id)
    setting = look.settings.get(tenant.id, TenantSetting())
    is_parked = circuit is not None and circuit.is_open
    state = "parked" if is_parked else "paused" if pause is not None else "active"
    return TenantRow(
        id=tenant.id,
        state=state,
        reason="; ".join(
            [*([redacted(circuit.reason)] if circuit is not None else []), *([pause.said] if pause is not None else [])]
        )
        or None,
        since=circuit.parked_at if circuit is not None and is_parked else pause.since if pause is not None else None,
        next_probe_at=circuit.probe_at if circuit is not None and is_parked else None,
        failures=circuit.failures if circuit is not None else 0,
        database=redacted(tenant.url) if tenant.url else None,
        host=host_of(tenant.url),
        schema=tenant.schema,
        tz=setting.tz or tenant.tz,
        weight=setting.weight or tenant.weight,
        tags=list(tenant.tags),
        schedules=dict(setting.schedules),
    )
