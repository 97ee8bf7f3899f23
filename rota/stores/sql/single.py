"""One run that waits for its time or for a worker alone: in one statement, which needs no transaction around it.

What web applications do all day. Four round trips become one: the turn is looked up where it is written.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.core.model import Run
from rota.stores.sql.database import Link
from rota.stores.sql.front import COUNTING, LONG, SO_FAR, Turn
from rota.stores.sql.rows import ACCEPTED, accepted
from rota.stores.sql.turns import QUEUE_TURN

TURN = ACCEPTED.index("turn")
COLUMNS = ", ".join(ACCEPTED)
BEFORE, AFTER = ", ".join("?" * TURN), ", ".join("?" * (len(ACCEPTED) - TURN - 1))

PLAIN = f"INSERT INTO {{runs}} ({COLUMNS}) VALUES ({BEFORE}, ?, {AFTER})"

# The probes of `turns.LAST_TURNS`.
LAST = """(SELECT max(l.turn) FROM (
    SELECT (SELECT r.turn FROM {runs} AS r WHERE r.{tenant_state} = 'queued' AND r.queue = ? AND r.tenant = ?
            ORDER BY r.turn DESC LIMIT 1) AS turn
    UNION ALL
    SELECT (SELECT r.turn FROM {runs} AS r WHERE r.{tenant_state} = 'limited' AND r.queue = ? AND r.tenant = ?
            ORDER BY r.turn DESC LIMIT 1)
) AS l)"""

# As `fairness.turns` has it.
OF_NOBODY = f"INSERT INTO {{runs}} ({COLUMNS}) VALUES ({BEFORE}, coalesce(({QUEUE_TURN}), 0), {AFTER})"
OF_TENANT = (
    f"INSERT INTO {{runs}} ({COLUMNS}) VALUES ({BEFORE}, "
    f"{{greatest}}(coalesce(({QUEUE_TURN}), 0), coalesce({LAST} + ?, 0)), {AFTER})"
)

# PostgreSQL, once in a while: the same with the turn of the queue, and with what was passed to find it.
COUNTED = (
    f"{COUNTING}, front AS MATERIALIZED (SELECT coalesce(({QUEUE_TURN}), 0) AS turn FROM before), "
    f"added AS (INSERT INTO {{runs}} ({COLUMNS}) SELECT {BEFORE}, %s, {AFTER} FROM front RETURNING id) "
    f"SELECT front.turn, {SO_FAR} - before.passed FROM added, front, before"
)
OF_NOBODY_COUNTED = COUNTED % "front.turn"
OF_TENANT_COUNTED = COUNTED % f"greatest(front.turn, coalesce({LAST} + ?, 0))"

# MariaDB does not jump from one priority to the next. Of one priority alone the first is the smallest turn; where there
# are others, nothing is inserted.
FRONT = """
    (SELECT r.priority FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.turn >= 0
     ORDER BY r.priority, r.turn LIMIT 1) AS first,
    (SELECT r.priority FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.turn >= 0
     ORDER BY r.priority DESC, r.turn DESC LIMIT 1) AS last,
    (SELECT r.turn FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.turn >= 0
     ORDER BY r.priority, r.turn LIMIT 1) AS turn"""
OF_NOBODY_IN_FRONT = f"""
INSERT INTO {{runs}} ({COLUMNS}) SELECT {BEFORE}, coalesce(p.turn, 0), {AFTER}
FROM (SELECT {FRONT}) AS p WHERE p.first IS NULL OR p.first = p.last
"""
OF_TENANT_IN_FRONT = f"""
INSERT INTO {{runs}} ({COLUMNS}) SELECT {BEFORE}, greatest(coalesce(p.turn, 0), coalesce(p.behind + ?, 0)), {AFTER}
FROM (SELECT {FRONT}, {LAST} AS behind) AS p WHERE p.first IS NULL OR p.first = p.last
"""


def enqueue(link: Link, run: Run, *, now: datetime) -> bool:
    """Insert a new run and return True, or return False where one statement does not do."""
    if run.concurrency_key is not None or run.held_by is not None or run.expires_at is not None or run.state.is_final:
        return False
    if run.due_at > now:
        return link.run(PLAIN, *accepted(run, "scheduled", run.turn)) > 0
    row = accepted(run, "queued", 0.0)
    before, after = row[:TURN], row[TURN + 1 :]
    probes = (run.queue,) * 3
    of_tenant: Sequence[Any] = ()
    if run.tenant is not None:
        of_tenant = (run.queue, run.tenant) * 2
    if not link.dialect.jumps:
        if of_tenant:
            return link.run(OF_TENANT_IN_FRONT, *before, 1 / run.weight, *after, *probes, *of_tenant) > 0
        return link.run(OF_NOBODY_IN_FRONT, *before, *after, *probes) > 0
    last = (*of_tenant, 1 / run.weight) if of_tenant else ()
    if link.dialect.name == "postgres":
        known = link.fronts.turn_of_late(run.queue)
        if known is None:
            template = OF_TENANT_COUNTED if of_tenant else OF_NOBODY_COUNTED
            return _count(link, run.queue, template, *probes, *before, *last, *after)
        if known.is_long:
            return False
    return link.run(OF_TENANT if of_tenant else OF_NOBODY, *before, *probes, *last, *after) > 0


def _count(link: Link, queue: str, template: str, *parameters: Any) -> bool:
    """Insert by a statement that tells how long its look was: for a while nobody has to find that out."""
    at = link.fronts.now()
    turn, passed = link.one(template, *parameters)
    link.fronts.learn_turn(queue, Turn(turn=turn, counted_at=at, is_long=passed >= LONG))
    return True
