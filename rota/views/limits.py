"""How limits are used, and for which of them runs wait (R35)."""

from msgspec import Struct

from rota.app import Rota
from rota.core.limits import held_back
from rota.limiting import LimitInUse


class LimitRow(Struct, frozen=True, kw_only=True):
    """One limit, or one job, queue, tenant, key or host under a limit on each."""

    scope: str
    name: str
    limit: str
    """What it allows: `5 running, 100/1m`."""
    used: str
    """`3 of 5 running, 40 of 100 starts in 1m`."""
    running: int
    started: int
    waiting: int
    author: str | None
    """Who set it; None where code or settings say so."""
    reason: str | None


def limit_rows(app: Rota) -> list[LimitRow]:
    """Return the limits by what they are on: as they were declared or set, and each one that is used now."""
    return [_row(found) for found in app.limits.in_use()]


def _row(found: LimitInUse) -> LimitRow:
    scope, _, name = found.use.name.partition(":")
    is_general = found.limit is not None and found.limit.known_as == found.use.name and name == "*"
    return LimitRow(
        scope=scope,
        name=name,
        limit="gone" if found.limit is None else found.limit.said,
        used="" if is_general or found.limit is None else held_back(found.limit, found.use),
        running=found.use.running,
        started=found.use.started,
        waiting=found.use.aside,
        author=None if found.setting is None else found.setting.author or "somebody",
        reason=None if found.setting is None else found.setting.reason,
    )
