"""Of what there is something to do."""

from datetime import datetime

from rota.queries import Sign
from rota.stores.redis.mapping import micros
from rota.stores.redis.queue import ids_of
from rota.stores.redis.server import Server


def shown(server: Server, *, now: datetime) -> frozenset[Sign]:
    """Return the signs that there are."""
    return frozenset(map(Sign, ids_of(server.call("signs", {"now": micros(now)}))))
