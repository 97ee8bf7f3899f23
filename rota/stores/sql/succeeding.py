"""Runs that succeeded and say nothing: most runs, so they are settled by the shortest way there is."""

from collections.abc import Sequence
from typing import NamedTuple

from rota.clock import to_micros
from rota.core.model import Outcome, Settlement, State
from rota.stores.sql import progress
from rota.stores.sql.database import Link
from rota.stores.sql.rows import since_epoch, to_json

# What is the same for all stands in the statement. The attempt stays on the row, with all its claim wrote there.
SUCCEEDED = """
state = 'succeeded', outcome = 'succeeded', ended_at = ?, lease_until = NULL, running_key = NULL
"""
FIELDS = "row_id:id, held:int, began:int"
FENCE = "r.id = s.row_id AND r.token = s.held AND r.state = 'running'"

# No join, for which the planner would choose by its statistics between a probe for each run and all that is running,
# times all that is settled. A list of keys has one plan. Runs that were claimed together have one token.
SUCCEED_POSTGRES = f"""
UPDATE {{runs}} AS r SET started_at = (?::jsonb ->> r.id)::bigint, {SUCCEEDED}
WHERE r.id = ANY(?) AND r.token = ? AND r.state = 'running'
"""


SUCCESS, DONE = Outcome.SUCCEEDED, State.SUCCEEDED


class NotHeld(Exception):
    """Some of the runs are not held any more: each has to be looked at. Nothing was written."""


class Plain(NamedTuple):
    """Plain settlements, and what is written of them."""

    settlements: Sequence[Settlement]
    ids: list[str]
    rows: list[tuple[str, int, int | None]]
    """Run, token, start."""
    ended_at: int


def plain(settlements: Sequence[Settlement]) -> Plain | None:
    """Return settlements that can go the short way: each of another run, all at one time, and nothing follows but
    progress. None where one of them cannot."""
    if not settlements:
        return None
    ended_at = settlements[0].ended_at
    rows: list[tuple[str, int, int | None]] = []
    for one in settlements:
        run = one.run
        if (
            one.outcome is not SUCCESS
            or one.state is not DONE
            or one.result is not None
            or run.concurrency_key is not None
            or one.ended_at != ended_at
            or one.error is not None
            or one.reason
            or one.lease_until is not None
            or one.expanded is not None
            or one.attempt != run.attempt
            or one.lost_count != run.lost_count
        ):
            return None
        rows.append((run.id, run.token, since_epoch(one.started_at)))
    ids = [row[0] for row in rows]
    if len(set(ids)) < len(ids):
        return None
    return Plain(settlements, ids, rows, to_micros(ended_at))


def succeed(link: Link, plain: Plain) -> list[str]:
    """Apply plain settlements, all or none, and return their ids.

    Raises:
        NotHeld: the fence refuses some; the transaction is to be rolled back.
    """
    if link.dialect.name == "postgres":
        count = _by_token(link, plain)
    else:
        sets = f"started_at = s.began, {SUCCEEDED}"
        count = link.update("runs", FIELDS, plain.rows, sets=sets, where=FENCE, then=(plain.ended_at,))
    if count != len(plain.rows):
        raise NotHeld
    progress.move(link, plain.settlements)
    return plain.ids


def _by_token(link: Link, plain: Plain) -> int:
    began_of: dict[int, dict[str, int | None]] = {}
    for run_id, token, began in plain.rows:
        began_of.setdefault(token, {})[run_id] = began
    count = 0
    for token, runs in began_of.items():
        count += link.run(SUCCEED_POSTGRES, to_json(runs), plain.ended_at, list(runs), token)
    return count
