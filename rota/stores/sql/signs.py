"""Of what there is something to do, in one statement: what an idle process asks each second (decision 27)."""

from datetime import datetime

from rota.clock import to_micros
from rota.queries import Sign
from rota.stores.sql import expiry, keys, queue, rounds
from rota.stores.sql.database import Link

# Each finds its first row where an index begins, and reads what the verb of the sign reads, or less.
PROBES = {
    Sign.RUN_QUEUED: ("SELECT 1 FROM {runs} AS r WHERE r.state = 'queued' AND r.turn >= 0 LIMIT 1",),
    Sign.RUN_DUE: (queue.IS_ANY_DUE, expiry.IS_ANY_OVER, keys.IS_ANY_WAITING),
    Sign.RUN_HELD: ("SELECT 1 FROM {runs} AS r WHERE r.state = 'held' AND r.held_by > '' LIMIT 1",),
    Sign.RUN_ASIDE: ("SELECT 1 FROM {runs} AS r WHERE r.state = 'limited' AND r.limited_by > '' LIMIT 1",),
    Sign.ROUND_OVER: (rounds.IS_ANY_FINISHED,),
    Sign.SLOT_DUE: ("SELECT 1 FROM {schedules} WHERE state = 'active' AND next_at <= ? LIMIT 1",),
    Sign.CONTROL: ("SELECT 1 FROM {controls} LIMIT 1",),
    Sign.ALERT_WAITING: ("SELECT 1 FROM {deliveries} WHERE state = 'waiting' LIMIT 1",),
}
LOOK = "SELECT " + ", ".join(
    f"coalesce({', '.join(f'({probe})' for probe in probes)}, 0)" for probes in PROBES.values()
)
TIMES = LOOK.count("?")


def shown(link: Link, *, now: datetime) -> frozenset[Sign]:
    """Return the signs that there are."""
    found = link.one(LOOK, *[to_micros(now)] * TIMES)
    return frozenset(sign for sign, is_there in zip(PROBES, found, strict=True) if is_there)
