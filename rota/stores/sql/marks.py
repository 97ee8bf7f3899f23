"""The state of a run once more, for the few whom an index is for: on engines whose indexes hold every row.

PostgreSQL and SQLite have indexes with a condition. On MariaDB and MySQL a change of state moved a run in six indexes,
twice in its life, though for most runs five of them are never asked. There these columns stand in them instead. They
are NULL for all others, the server computes them, and where one does not change nothing moves: a claim with its
settlement takes the server 65 us, not 108. See decision 17.

A statement says `r.{key_state}`, and means the mark where there is one, else `r.state`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Computed

from rota.stores.sql.making import word

MARKS: Mapping[str, str] = {
    "due_state": "state = 'scheduled'",
    "tenant_state": "tenant IS NOT NULL AND state IN ('queued','limited')",
    "key_state": (
        "concurrency_key IS NOT NULL AND state IN ('scheduled','waiting','held','limited','queued','running')"
    ),
    "round_state": "round_id IS NOT NULL",
    "batch_state": "batch IS NOT NULL",
}
"""Where each of them is the state."""

NO_MARKS: Mapping[str, str] = dict.fromkeys(MARKS, "state")
"""What is said instead where indexes have conditions."""


def mark_columns() -> list[Column[Any]]:
    """Return the columns. Stored: the indexes of virtual ones have to be cleared up by computing them again."""
    return [
        Column(name, word(), Computed(f"CASE WHEN {condition} THEN state END", persisted=True))
        for name, condition in MARKS.items()
    ]
