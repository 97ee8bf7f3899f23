"""Tenants from the application's own code, and the one check that every source's answer goes through (R20)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import ValidationError, convert
from msgspec.structs import replace

from rota.core.fairness import LEAST_WEIGHT, MOST_WEIGHT, is_weight
from rota.core.model import Tenant
from rota.core.safe import safe_text
from rota.errors import ConfigurationError, TenantListFailed
from rota.ports import TenantSource
from rota.tenants.reason import reason

TenantLike = str | Tenant | Mapping[str, Any]
"""An id, a Tenant, or the fields of one."""

LONGEST_ID = 200
_FIELDS = frozenset(Tenant.__struct_fields__)


def listed(source: TenantSource) -> list[Tenant]:
    """Return the tenants of a source, in its order, after checking them.

    Raises:
        TenantListFailed: the source failed, listed nobody without `allow_empty`, listed an id twice, or an id
            that cannot be one. The message names the source and holds no password.
    """
    name = type(source).__name__
    try:
        tenants = [_with_zone(as_tenant(tenant)) for tenant in source.tenants()]
    except TenantListFailed:
        raise
    # A source may be the application's own code and raise anything. Whatever it is, the list is not known, and
    # the runs of known tenants must be told that from a bug in Rota.
    except Exception as error:
        raise TenantListFailed(f"{name} cannot list the tenants: {reason(error)}") from error
    if not tenants and not source.allow_empty:
        raise TenantListFailed(f"{name} lists no tenants; pass allow_empty=True if that is right")
    seen: set[str] = set()
    for tenant in tenants:
        if flaw := _flaw(tenant.id):
            raise TenantListFailed(f"{name} lists a tenant {tenant.id!r}: {flaw}")
        if tenant.id in seen:
            raise TenantListFailed(f"{name} lists tenant {tenant.id!r} twice; an id names one tenant")
        seen.add(tenant.id)
    return tenants


def as_source(value: object) -> TenantSource:
    """Return the source that `Rota(tenants=value)` means: a source itself, a callable, or a list of tenants.

    Raises:
        ConfigurationError: it is none of these.
    """
    if hasattr(value, "tenants") and hasattr(value, "allow_empty"):
        source: TenantSource = value
        return source
    if callable(value):
        return TenantCallable(value)
    if isinstance(value, Sequence | AbstractSet) and not isinstance(value, str | bytes):
        return TenantList(value)
    # Its type only: the value may hold passwords.
    raise ConfigurationError(
        f"tenants is a {type(value).__name__}; expected a list of ids or tenants, a callable that returns one, "
        f"or a source from rota.tenants"
    )


class TenantList:
    """Tenants that are known when the application starts."""

    def __init__(self, tenants: Iterable[TenantLike], *, allow_empty: bool = False) -> None:
        self.allow_empty = allow_empty
        self._tenants = [as_tenant(tenant) for tenant in tenants]

    def tenants(self) -> Sequence[Tenant]:
        return self._tenants


class TenantCallable:
    """Tenants as a function of the application returns them, called for every round."""

    def __init__(self, function: Callable[[], Iterable[TenantLike]], *, allow_empty: bool = False) -> None:
        self.allow_empty = allow_empty
        self._function = function

    def tenants(self) -> Sequence[Tenant]:
        return [as_tenant(tenant) for tenant in self._function()]


def as_tenant(value: TenantLike) -> Tenant:
    """Return the tenant that an id, a Tenant or a mapping of its fields stands for.

    Raises:
        ConfigurationError: it is something else, a mapping with a key that is no field of a tenant, or its weight is
            out of bounds.
    """
    match value:
        case Tenant():
            return _weighed(value)
        case str():
            return Tenant(id=value)
        case Mapping():
            # An unknown key is refused: a misspelt `url` would be a tenant without a database.
            if unknown := sorted(set(value) - _FIELDS):
                raise ConfigurationError(f"a tenant has no {', '.join(unknown)}; it has {', '.join(sorted(_FIELDS))}")
            try:
                return _weighed(convert(dict(value), Tenant))
            except ValidationError as error:
                raise ConfigurationError(f"tenant {value.get('id')!r}: {error}") from error
    raise ConfigurationError(f"a tenant is an id, a Tenant or a mapping of its fields, not {type(value).__name__}")


def _weighed(tenant: Tenant) -> Tenant:
    if not is_weight(tenant.weight):
        raise ConfigurationError(
            f"tenant {tenant.id!r}: weight={tenant.weight}: from {LEAST_WEIGHT} to {MOST_WEIGHT:g}; others have 1"
        )
    return tenant


def _with_zone(tenant: Tenant) -> Tenant:
    """Return the tenant with the zone that its attribute `tz` names, where its source gives none otherwise."""
    tz = tenant.attributes.get("tz") if tenant.tz is None else None
    return replace(tenant, tz=tz) if tz else tenant


def _flaw(tenant_id: str) -> str | None:
    """Return why this cannot be an id: it would be shown as, or compare equal to, another one."""
    if not tenant_id:
        return "an id is not empty"
    if len(tenant_id) > LONGEST_ID:
        return f"an id has at most {LONGEST_ID} characters"
    # MariaDB compares texts without their trailing spaces.
    if tenant_id != tenant_id.strip():
        return "an id neither starts nor ends with a space"
    if safe_text(tenant_id) != tenant_id:
        return "an id has no invisible characters"
    return None
