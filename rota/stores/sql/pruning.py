"""Forgetting old history (R72)."""

from datetime import datetime
from typing import Any

from rota.clock import id_after, to_micros
from rota.stores.sql.database import Link, json_of

# In the order of ids, which is nearly that in which runs end: what may go stands in front. What was made after the
# instant cannot have ended before it and is not read, or a pass that finds nothing would read all there is; and
# PostgreSQL, whose statistics say that few are left to find, would read and sort all of it for each 500. The last run
# of a schedule and tenant stays: one with a larger id must exist. Later slots are asked first, where the index `slot`
# finds one within a slot or two; the general question is for runs without a slot.
OLD = """
SELECT r.id FROM {runs} AS r
WHERE r.id < ? AND (
    r.state IN ('succeeded', 'skipped') AND r.ended_at < ?
    OR r.state IN ('failed', 'cancelled') AND r.ended_at < ?
) AND (r.slot IS NULL OR r.slot < ?) AND (
    r.schedule IS NULL
    OR EXISTS (SELECT 1 FROM {runs} AS n WHERE n.schedule = r.schedule AND n.slot > r.slot AND n.id > r.id
               AND (n.tenant = r.tenant OR (n.tenant IS NULL AND r.tenant IS NULL)))
    OR EXISTS (SELECT 1 FROM {runs} AS n WHERE n.schedule = r.schedule AND n.id > r.id
               AND (n.tenant = r.tenant OR (n.tenant IS NULL AND r.tenant IS NULL)))
)
ORDER BY r.id LIMIT ?
"""
FINAL = "SELECT r.id FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id WHERE r.ended_at IS NOT NULL{lock}"
DROP_ATTEMPTS = "{drop(attempts, run_id)}"
DROP_LOGS = "{drop(logs, run_id)}"
DROP_RUNS = """
{drop(runs, id)}
AND state IN ('succeeded', 'failed', 'cancelled', 'skipped')
"""
EMPTY_ROUNDS = """
SELECT r.id FROM {rounds} AS r
WHERE (r.state = 'failed' AND r.ended_at < ? OR r.state <> 'failed' AND r.ended_at < ?)
AND (r.slot IS NULL OR r.slot < ?) AND NOT EXISTS (SELECT 1 FROM {runs} AS u WHERE u.round_id = r.id)
"""
DROP_ROUNDS = "{drop(rounds, id)} AND ended_at IS NOT NULL"


def old_runs(
    link: Link, *, succeeded_before: datetime, failed_before: datetime, slots_before: datetime, limit: int
) -> list[Any]:
    """Return the ids of runs that may go, smallest first. Reads far; so it is done outside of a transaction."""
    last = id_after(max(succeeded_before, failed_before))
    return link.all(OLD, last, to_micros(succeeded_before), to_micros(failed_before), to_micros(slots_before), limit)


def drop_runs(link: Link, ids: list[Any]) -> int:
    """Delete runs that are still ended, with their attempts and logs; return how many."""
    ended = [row[:1] for row in link.rows(FINAL, ids)]
    if not ended:
        return 0
    link.run(DROP_ATTEMPTS, json_of(ended))
    link.run(DROP_LOGS, json_of(ended))
    return link.run(DROP_RUNS, json_of(ended))


def drop_rounds(link: Link, *, succeeded_before: datetime, failed_before: datetime, slots_before: datetime) -> None:
    """Delete ended rounds whose runs are gone and that are as old as their runs would have to be."""
    empty = link.all(EMPTY_ROUNDS, to_micros(failed_before), to_micros(succeeded_before), to_micros(slots_before))
    if empty:
        link.run(DROP_ROUNDS, json_of(empty))
