"""When runs expire. Few do, so that is kept apart: in an index of all runs, a time that hardly one has would cost every
insert, and on MariaDB every claim and every end as well."""

from collections.abc import Sequence
from datetime import datetime

from rota.clock import to_micros
from rota.core.model import Run
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.rows import since_epoch

EXPIRATION = ("run_id", "expires_at")

# Served by the index `due`, in its order.
IS_ANY_OVER = "SELECT 1 FROM {expirations} WHERE expires_at <= ? LIMIT 1"
OVER = "SELECT e.run_id FROM {expirations} AS e WHERE e.expires_at <= ? ORDER BY e.expires_at, e.run_id LIMIT ?"
FORGET = "{drop(expirations, run_id)}"


def remember(link: Link, runs: Sequence[Run]) -> None:
    """Keep when new runs expire."""
    some = [(run.id, since_epoch(run.expires_at)) for run in runs if run.expires_at is not None]
    if some:
        link.insert("expirations", EXPIRATION, some)


def over(link: Link, *, now: datetime, limit: int) -> list[str]:
    """Return the ids of runs whose time to begin is over, whether they have begun or not, the longest overdue first."""
    return [row[0] for row in link.all(OVER, to_micros(now), limit)]


def forget(link: Link, ids: Sequence[str]) -> None:
    """Ask about these no more. One that has begun does not expire: should its attempt be given back, whoever claims it
    again sees that its time is over."""
    link.run(FORGET, json_of([(run_id,) for run_id in ids]))
