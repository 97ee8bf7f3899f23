"""What scripts outside of Rota say of themselves."""

from rota.core.access import Capability
from rota.core.watched import Ping, PingKind
from rota.operations.operation import Desk, Question, operation


class PingAsked(Question, frozen=True, kw_only=True):
    """What a script says of itself."""

    name: str
    """Under which it is watched: see `rota.watch` and the settings `freshness.watch`."""
    kind: PingKind = PingKind.SUCCESS
    output: str | None = None
    """What it printed, or has to say: the last 10,000 characters are kept."""


@operation("POST", "/api/v1/ping/{name}", needs=Capability.TRIGGER)
def ping(desk: Desk, asked: PingAsked) -> Ping:
    """Say for a script outside of Rota that it has succeeded, or failed, or starts.

    A success proves its newest slot. A script is of no tenant: it is there for those who may see all tenants, and
    jobs that are called as it is.
    """
    return desk.app.pings.record(asked.name, asked.kind, text=asked.output)
