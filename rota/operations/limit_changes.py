"""What is changed about limits (R35)."""

from msgspec import Struct

from rota.core.access import Capability
from rota.core.limits import Limit, LimitScope
from rota.errors import BadRequest
from rota.operations.operation import Desk, Question, operation


class LimitAsked(Question, frozen=True, kw_only=True):
    """What is to be limited, and how."""

    scope: LimitScope
    name: str
    """`*` is each one apart."""
    running: int | None = None
    """How many run at once."""
    rate: str | None = None
    """How many begin in any such time: `100/1m`."""
    lift: bool = False
    """No limit, whatever the code or the settings say."""
    reason: str
    """For those who will wonder."""


class LimitDropAsked(Question, frozen=True, kw_only=True):
    """Which limit that somebody set is to go."""

    scope: LimitScope
    name: str
    reason: str | None = None
    """Kept in the audit."""


class LimitDropped(Struct, frozen=True, kw_only=True):
    """What holds in the place of a limit that was taken away."""

    scope: LimitScope
    name: str
    limit: str
    """In words."""


@operation("PUT", "/api/v1/limits/{scope}/{name}", needs=Capability.ADMIN, is_whole=True)
def set_limit(desk: Desk, asked: LimitAsked) -> Limit:
    """Set a limit in place of what code and settings say of the same, within seconds and for all processes."""
    if asked.lift == (asked.running is not None or asked.rate is not None):
        raise BadRequest("lift", "say running, rate or both; or lift")
    return desk.app.limits.set(
        asked.scope, asked.name, running=asked.running, rate=asked.rate, reason=asked.reason, actor=desk.actor
    )


@operation("DELETE", "/api/v1/limits/{scope}/{name}", needs=Capability.ADMIN, is_whole=True)
def drop_limit(desk: Desk, asked: LimitDropAsked) -> LimitDropped:
    """Take away what was set: what the code or the settings say holds again."""
    limits = desk.app.limits
    limits.drop(asked.scope, asked.name, reason=asked.reason, actor=desk.actor)
    holds = (one.said for one in limits.holding() if (one.scope, one.name) == (asked.scope, asked.name))
    return LimitDropped(scope=asked.scope, name=asked.name, limit=next(holds, "no limit"))
