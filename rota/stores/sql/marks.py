"""The state of a run once more, for the few whom an index is for: on engines whose indexes hold every row.

PostgreSQL and SQLite have indexes with a condition. On MariaDB and MySQL a change of state moved a run in six indexes,
twice in its life, though for most runs five of them are never asked. There these columns stand in them instead. They
are NULL for all others, the server computes them, and where one does not change nothing moves: a claim with its
settlement takes the server 65 us, not 108. See decision 17.

A statement says `r.{key_state}`, and means the mark where there is one, else `r.state`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, Computed, text

from rota.stores.sql.making import filler, word

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

ROOM = 72
"""How much a row is to grow when its run is claimed and ends: owner, four instants, outcome."""
ROOM_CLAIMED = 20
"""How much of it is left for the end."""

WORDS: Mapping[str, str] = {mark: mark for mark in MARKS} | {
    "less_room": f", room = '{ROOM_CLAIMED * '-'}'",
    "no_room": ", room = ''",
}
"""What these words mean in a statement on engines that have the marks."""

NO_WORDS: Mapping[str, str] = dict.fromkeys(MARKS, "state") | {"less_room": "", "no_room": ""}
"""And on those whose indexes have conditions."""


def mark_columns() -> list[Column[Any]]:
    """Return the columns. Stored: the indexes of virtual ones have to be cleared up by computing them again.

    Beside them stands `room`, which says nothing and gives way as a row grows: InnoDB fills its pages, and else writes
    one anew for every few runs that are claimed, a tenth of what claim and settlement cost.
    """
    marks: list[Column[Any]] = [
        Column(name, word(), Computed(f"CASE WHEN {condition} THEN state END", persisted=True))
        for name, condition in MARKS.items()
    ]
    return [*marks, Column("room", filler(ROOM), nullable=False, server_default=text(f"'{ROOM * '-'}'"))]
