"""One run that waits for its time or for a worker alone: in one statement, which needs no transaction around it.

What web applications do all day. Four round trips become one: the turn is looked up where it is written.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.core.model import Run
from rota.stores.sql.database import Link
from rota.stores.sql.front import LOOK_EVERY
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
    if link.dialect.name == "postgres" and not _is_quick(link, run.queue):
        return False
    row = accepted(run, "queued", 0.0)
    before, after = row[:TURN], row[TURN + 1 :]
    probes = (run.queue,) * 3
    of_tenant: Sequence[Any] = ()
    if run.tenant is not None:
        of_tenant = (run.queue, run.tenant) * 2
    if link.dialect.jumps:
        last = (*of_tenant, 1 / run.weight) if of_tenant else ()
        return link.run(OF_TENANT if of_tenant else OF_NOBODY, *before, *probes, *last, *after) > 0
    if of_tenant:
        return link.run(OF_TENANT_IN_FRONT, *before, 1 / run.weight, *after, *probes, *of_tenant) > 0
    return link.run(OF_NOBODY_IN_FRONT, *before, *after, *probes) > 0


def _is_quick(link: Link, queue: str) -> bool:
    """Whether the turn of a queue was found at once a moment ago: else `turns` has to look, and to remember."""
    known = link.fronts.turn(queue)
    return known is not None and not known.is_long and link.fronts.now() - known.counted_at < LOOK_EVERY
