"""How plain settlements are written: see `rota.stores.plain`."""

from rota.stores.plain import Plain
from rota.stores.sql import progress
from rota.stores.sql.database import Link
from rota.stores.sql.rows import to_json

# What is the same for all stands in the statement. The attempt stays on the row, with all its claim wrote there.
SUCCEEDED = """
state = 'succeeded', outcome = 'succeeded', ended_at = ?, lease_until = NULL, running_key = NULL{no_room}
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


def succeed(link: Link, plain: Plain) -> list[str]:
    """Apply plain settlements, all or none, and return their ids.

    Raises:
        NotHeld: the fence refuses some; the transaction is to be rolled back.
    """
    if link.dialect.name == "postgres":
        count = _by_token(link, plain)
    else:
        sets = f"started_at = s.began, {SUCCEEDED}"
        rows = list(zip(plain.ids, plain.tokens, plain.began, strict=True))
        count = link.update("runs", FIELDS, rows, sets=sets, where=FENCE, then=(plain.ended_at,))
    if count != len(plain.ids):
        raise NotHeld
    progress.move(link, plain.settlements)
    return plain.ids


def _by_token(link: Link, plain: Plain) -> int:
    began_of: dict[int, dict[str, int | None]] = {}
    for run_id, token, began in zip(plain.ids, plain.tokens, plain.began, strict=True):
        began_of.setdefault(token, {})[run_id] = began
    count = 0
    for token, runs in began_of.items():
        count += link.run(SUCCEED_POSTGRES, to_json(runs), plain.ended_at, list(runs), token)
    return count
