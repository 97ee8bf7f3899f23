"""What is changed about tenants (R24, R25). A pause is one of `pause_changes`."""

from collections.abc import Mapping

from msgspec import Struct, field

from rota.core.access import Capability
from rota.core.controls import Paused
from rota.errors import BadRequest
from rota.operations.operation import Desk, Question, operation
from rota.views.tenants import TenantRow, tenant_row


class TenantSetAsked(Question, frozen=True, kw_only=True):
    """What is to hold for one tenant alone; what is left out stays."""

    name: str
    zone: str | None = None
    """Its time zone; "" gives back that of the source."""
    weight: float | None = None
    """Its share of a queue beside others, who have 1; 0 gives back that of the source."""
    schedules: Mapping[str, str | None] = field(default_factory=dict)
    """By the name of a general schedule, when this tenant is due in its place: `every monday at 06:00`; null gives it
    back to the general one."""
    reason: str | None = None
    """Kept in the audit."""


class TenantNamed(Question, frozen=True, kw_only=True):
    """Which tenant, and why."""

    name: str
    reason: str | None = None
    """Kept in the audit."""


class Recovery(Struct, frozen=True, kw_only=True):
    """What stood in the way of a tenant, and does so no more."""

    tenant: TenantRow
    is_tried: bool
    """It is parked, and its database is tried within a second."""
    is_resumed: bool
    """It was paused, and is no longer."""


@operation("PATCH", "/api/v1/tenants/{name}", needs=Capability.ADMIN)
def set_tenant(desk: Desk, asked: TenantSetAsked) -> TenantRow:
    """Set for one tenant alone: zone, weight, schedules of its own. All is checked before anything is written."""
    if asked.zone is None and asked.weight is None and not asked.schedules:
        raise BadRequest("", "nothing to set: give zone, weight or schedules")
    desk.app.tenant_settings.set(
        asked.name,
        tz=asked.zone,
        weight=asked.weight,
        schedules=asked.schedules,
        actor=desk.actor,
        reason=asked.reason,
    )
    return tenant_row(desk.app, asked.name)


@operation("POST", "/api/v1/tenants/{name}/recover", needs=Capability.MANAGE)
def recover_tenant(desk: Desk, asked: TenantNamed) -> Recovery:
    """End the pause of a tenant; have one that is parked tried at once."""
    app = desk.app
    is_parked = app.tenant_settings.try_now(asked.name, actor=desk.actor, reason=asked.reason)
    is_paused = app.pauses.get(Paused.TENANT, asked.name) is not None
    if is_paused or not is_parked:
        app.pauses.resume(Paused.TENANT, asked.name, actor=desk.actor, reason=asked.reason)
    return Recovery(tenant=tenant_row(app, asked.name), is_tried=is_parked, is_resumed=is_paused or not is_parked)
