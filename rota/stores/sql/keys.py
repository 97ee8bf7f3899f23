"""Concurrency keys: who holds one, and who is next in line. All served by the index `keyed`."""

from collections.abc import Iterable
from typing import Any

from rota.stores.sql.database import Link
from rota.stores.sql.rows import OPEN

HOLDS = "{key_state} IN ('scheduled', 'held', 'limited', 'queued', 'running')"

PLACE = "r.id, r.queue, r.tenant, r.due_at, r.weight, r.held_by"
"""What has to be known of a run to place it: schedule, hold or queue it."""


def _one_of(*states: str) -> str:
    """Return an expression that is 1 if a run in one of these states has the key of the row at hand, else NULL.

    One probe per state: MariaDB cannot use an index for a list of states and a key of another table together, and
    makes a join of EXISTS.
    """
    probes = (
        f"(SELECT 1 FROM {{runs}} AS o WHERE o.{{key_state}} = '{state}' AND o.concurrency_key = s.name LIMIT 1)"
        for state in states
    )
    return f"coalesce({', '.join(probes)})"


OPEN_KEYS = (
    "SELECT s.name FROM {rows(name:text)} AS s WHERE "
    + _one_of("running", "queued", "scheduled", "waiting", "held", "limited")
    + " IS NOT NULL"
)

# One probe per state again. Those who wait are counted one by one: with the policy that asks, they are few.
OPEN_COUNTS = (
    "SELECT s.name, "
    + " + ".join(
        f"(SELECT count(*) FROM {{runs}} AS o WHERE o.{{key_state}} = '{state}' AND o.concurrency_key = s.name)"
        for state in ("running", "queued", "scheduled", "waiting", "held", "limited")
    )
    + " FROM {rows(name:text)} AS s"
)
SHARING = f"SELECT r.id FROM {{runs}} AS r WHERE r.concurrency_key = ? AND r.{{key_state}} IN {OPEN} ORDER BY r.id"

IS_ANY_WAITING = """
SELECT 1 FROM {runs} AS r WHERE r.{key_state} = 'waiting' AND r.concurrency_key IS NOT NULL LIMIT 1
"""

# From each key to the next, not through all who wait for it: ten thousand slots may wait for one tenant.
WAITED_FOR = """
WITH RECURSIVE waited (name) AS (
    SELECT min(r.concurrency_key) FROM {runs} AS r WHERE r.{key_state} = 'waiting' AND r.concurrency_key IS NOT NULL
    UNION ALL
    SELECT (SELECT min(r.concurrency_key) FROM {runs} AS r
            WHERE r.{key_state} = 'waiting' AND r.concurrency_key > waited.name)
    FROM waited WHERE waited.name IS NOT NULL
)
SELECT waited.name FROM waited WHERE waited.name IS NOT NULL
"""
WAITED_FOR_BY_GROUPS = """
SELECT DISTINCT r.concurrency_key FROM {runs} AS r WHERE r.{key_state} = 'waiting' AND r.concurrency_key IS NOT NULL
"""

# `r.state` is said again for the row that gets locked: whoever had it locked before may have let it go on.
FIRST_WAITING = f"""
SELECT {PLACE} FROM {{rows(name:text)}} AS s JOIN {{runs}} AS r ON r.id = (
    SELECT w.id FROM {{runs}} AS w WHERE w.{{key_state}} = 'waiting' AND w.concurrency_key = s.name
    ORDER BY w.due_at, w.id LIMIT 1
)
WHERE r.state = 'waiting' AND {_one_of("running", "queued", "scheduled", "held", "limited")} IS NULL
ORDER BY r.due_at, r.id{{lock}}
"""

SHARED = f"""
SELECT r.concurrency_key FROM {{runs}} AS r WHERE r.concurrency_key IS NOT NULL AND r.{HOLDS}
GROUP BY r.concurrency_key HAVING count(*) > 1
"""

HOLDERS = f"""
SELECT r.id, r.concurrency_key FROM {{rows(name:text)}} AS s JOIN {{runs}} AS r ON r.concurrency_key = s.name
WHERE r.{HOLDS}
ORDER BY r.concurrency_key, CASE r.state WHEN 'running' THEN 0 ELSE 1 END, r.token DESC, r.due_at, r.id{{lock}}
"""


def open_keys(link: Link, names: Iterable[str]) -> set[str]:
    """Return which of these keys an open run has, waiting ones included."""
    return {row[0] for row in link.rows(OPEN_KEYS, [(name,) for name in sorted(names)])}


def open_counts(link: Link, names: Iterable[str]) -> dict[str, int]:
    """Return how many open runs each of these keys has, waiting ones included."""
    return {name: int(number) for name, number in link.rows(OPEN_COUNTS, [(name,) for name in sorted(names)])}


def sharing(link: Link, names: Iterable[str]) -> list[str]:
    """Return the ids of the open runs of these keys, waiting ones included."""
    return [row[0] for name in sorted(names) for row in link.all(SHARING, name)]


def first_waiting(link: Link, names: Iterable[str] | None) -> list[Any]:
    """Return PLACE of the first waiting run of each key that nobody holds, in line."""
    if names is None:
        wanted = link.all(WAITED_FOR if link.dialect.jumps else WAITED_FOR_BY_GROUPS)
    else:
        wanted = [(name,) for name in sorted(set(names))]
    return link.rows(FIRST_WAITING, wanted) if wanted else []


def put_aside(link: Link) -> int:
    """Let all but one of the runs that hold one key wait, and return how many.

    Two transactions that did not see each other may let two runs of a key go on. The unique `running_key` keeps the
    second from running; this gives it back its place in line. One that runs, or has been tried, stays.
    """
    shared = link.all(SHARED)
    if not shared:
        return 0
    aside, kept = [], set()
    for run_id, name in link.rows(HOLDERS, shared):
        if name in kept:
            aside.append((run_id,))
        kept.add(name)
    return link.update(
        "runs",
        "row_id:id",
        aside,
        sets="state = 'waiting', limited_by = NULL",
        where="r.id = s.row_id AND r.state IN ('scheduled', 'held', 'limited', 'queued')",
    )
