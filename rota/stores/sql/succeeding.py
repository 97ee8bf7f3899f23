"""Runs that succeeded and say nothing: most runs, so they are settled by the shortest way there is."""

from collections.abc import Sequence

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


class NotHeld(Exception):
    """Some of the runs are not held any more: each has to be looked at. Nothing was written."""


def are_plain(settlements: Sequence[Settlement]) -> bool:
    """Whether these can go the short way: each of another run, all at one time, and nothing follows but progress."""
    if not settlements or len({one.run.id for one in settlements}) < len(settlements):
        return False
    ended_at = settlements[0].ended_at
    return all(
        one.state is State.SUCCEEDED
        and one.outcome is Outcome.SUCCEEDED
        and one.ended_at == ended_at
        and one.result is None
        and one.error is None
        and not one.reason
        and one.lease_until is None
        and one.expanded is None
        and one.attempt == one.run.attempt
        and one.lost_count == one.run.lost_count
        and one.run.concurrency_key is None
        for one in settlements
    )


def succeed(link: Link, settlements: Sequence[Settlement]) -> list[str]:
    """Apply plain settlements, all or none, and return their ids.

    Raises:
        NotHeld: the fence refuses some; the transaction is to be rolled back.
    """
    ended_at = to_micros(settlements[0].ended_at)
    if link.dialect.name == "postgres":
        count = _by_token(link, settlements, ended_at)
    else:
        rows = [(one.run.id, one.run.token, since_epoch(one.started_at)) for one in settlements]
        sets = f"started_at = s.began, {SUCCEEDED}"
        count = link.update("runs", FIELDS, rows, sets=sets, where=FENCE, then=(ended_at,))
    if count != len(settlements):
        raise NotHeld
    progress.move(link, settlements)
    return [one.run.id for one in settlements]


def _by_token(link: Link, settlements: Sequence[Settlement], ended_at: int) -> int:
    began_of: dict[int, dict[str, int | None]] = {}
    for one in settlements:
        began_of.setdefault(one.run.token, {})[one.run.id] = since_epoch(one.started_at)
    count = 0
    for token, began in began_of.items():
        count += link.run(SUCCEED_POSTGRES, to_json(began), ended_at, list(began), token)
    return count
