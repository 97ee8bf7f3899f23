"""What tells people before they ask: by when schedules must have succeeded, what went wrong, whom to tell, sums; and
which run a run was enqueued by. Fewer indexes move with a run (decision 17).

Code for schema 4 goes on beside it: every new column may be empty, and nothing that it names is gone. What it asks
of an index that has changed is answered by another one, more slowly.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer

from rota.stores.sql.migrations.making import (
    KEY,
    add,
    has_column,
    has_partial,
    ident,
    index,
    label,
    long_text,
    name,
    named,
    option,
    set_schema,
    table,
    word,
)

revision = "0005"
down_revision = "0004"

FILL = 45
MARKS = {
    "due_state": "state = 'scheduled'",
    "tenant_state": "tenant IS NOT NULL AND state IN ('queued','limited')",
    "key_state": (
        "concurrency_key IS NOT NULL AND state IN ('scheduled','waiting','held','limited','queued','running')"
    ),
    "round_state": "round_id IS NOT NULL",
    "batch_state": "batch IS NOT NULL",
}
MARKED_INDEXES = {
    "due_all": ("due_state", "due_at", "id"),
    "tenant_all": ("tenant_state", "queue", "tenant", "turn"),
    "keyed": ("key_state", "concurrency_key", "due_at", "id"),
    "round": ("round_id", "round_state"),
    "batch": ("batch", "batch_state", "held_by"),
}


def upgrade() -> None:
    _runs()
    _schedules()
    _freshness()
    _alerts()
    _rollups()
    set_schema(5)


def _runs() -> None:
    add("runs", Column("parent", ident()))
    index("runs", "parent", ["parent", "id"], where="parent IS NOT NULL")
    if not has_partial():
        _mark_runs()
    elif op.get_context().dialect.name == "postgresql":
        _lighten_runs()


def _mark_runs() -> None:
    """Let only those runs move in an index that it is for: see `marks`. All in one statement, which is there whole or
    not at all, and writes the table anew once."""
    if has_column("runs", "due_state"):
        return
    table = named("runs")
    columns = ", ".join(
        f"ADD COLUMN {name} VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin "
        f"GENERATED ALWAYS AS (CASE WHEN {condition} THEN state END) STORED"
        for name, condition in MARKS.items()
    )
    room = f"ADD COLUMN room VARCHAR(72) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '{72 * '-'}'"
    anew = ", ".join(
        f"DROP INDEX {table}_{name}, ADD INDEX {table}_{name} ({', '.join(columns)})"
        for name, columns in MARKED_INDEXES.items()
    )
    op.execute(f"ALTER TABLE {table} {columns}, {room}, {anew}")


def _lighten_runs() -> None:
    """Leave what runs out of the index of jobs, and room for the entries that a run gets when its state changes."""
    preparer = op.get_context().dialect.identifier_preparer
    key = ".".join(preparer.quote(part) for part in (option("schema"), f"{named('runs')}_pkey") if part)
    op.execute(f"ALTER INDEX {key} SET (fillfactor = {FILL})")
    op.drop_index(f"{named('runs')}_job", named("runs"), schema=option("schema"))
    op.create_index(
        f"{named('runs')}_job",
        named("runs"),
        ["job", "id"],
        schema=option("schema"),
        postgresql_where=sa.text("state <> 'running'"),
        postgresql_with={"fillfactor": FILL},
    )


def _schedules() -> None:
    add("schedules", Column("fresh_within", BigInteger))


def _freshness() -> None:
    table(
        "pairs",
        Column("schedule", label(), primary_key=True),
        Column("tenant", label(), primary_key=True),
        Column("state", word(), nullable=False),
        Column("last_success", BigInteger),
        Column("late_at", BigInteger),
        Column("stale_at", BigInteger),
        Column("look_at", BigInteger),
        Column("flipped_at", BigInteger, nullable=False),
        Column("watched_from", BigInteger, nullable=False),
        Column("rule", word(), nullable=False),
    )
    index("pairs", "look", ["look_at", "schedule", "tenant"], where="look_at IS NOT NULL")
    table(
        "flips",
        Column("id", ident(), primary_key=True),
        Column("schedule", name(), nullable=False),
        Column("tenant", name(), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("old_state", word(), nullable=False),
        Column("new_state", word(), nullable=False),
        Column("reason", long_text()),
    )
    index("flips", "pair", ["schedule", "tenant", "id"])
    index("flips", "old", ["at"])
    table(
        "pings",
        Column("id", ident(), primary_key=True),
        Column("name", name(), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("kind", word(), nullable=False),
        Column("body", long_text()),
        Column("duration", BigInteger),
    )
    index("pings", "name", ["name", "id"])
    index("pings", "old", ["at"])


def _alerts() -> None:
    table(
        "signals",
        Column("id", ident(), primary_key=True),
        Column("body", long_text(), nullable=False),
    )
    table(
        "incidents",
        Column("id", ident(), primary_key=True),
        Column("open_key", name(KEY)),
        Column("state", word(), nullable=False),
        Column("job", name(), nullable=False),
        Column("body", long_text(), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("closed_at", BigInteger),
        Column("look_at", BigInteger),
    )
    index("incidents", "open", ["open_key"], where="open_key IS NOT NULL", unique=True)
    index("incidents", "look", ["look_at", "id"], where="look_at IS NOT NULL")
    index("incidents", "job", ["job", "id"])
    index("incidents", "old", ["closed_at"])
    table(
        "incident_tenants",
        Column("incident_id", ident(), primary_key=True),
        Column("tenant", name(), primary_key=True),
        Column("body", long_text(), nullable=False),
    )
    _deliveries()


def _deliveries() -> None:
    table(
        "deliveries",
        Column("id", ident(), primary_key=True),
        Column("incident_id", ident(), nullable=False),
        Column("channel", name(), nullable=False),
        Column("alert", long_text(), nullable=False),
        Column("state", word(), nullable=False),
        Column("due_at", BigInteger, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("error", long_text(), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger),
    )
    index("deliveries", "waiting", ["state", "channel", "id"])
    index("deliveries", "channel", ["channel", "id"])
    index("deliveries", "incident", ["incident_id", "id"])
    index("deliveries", "old", ["ended_at"])


def _rollups() -> None:
    table(
        "rollups",
        # Made of all that tells one row from another: together they are longer than a key may be.
        Column("id", ident(), primary_key=True),
        Column("subject", word(), nullable=False),
        Column("grain", word(), nullable=False),
        Column("start_at", BigInteger, nullable=False),
        Column("job", name(), nullable=False),
        Column("tenant", name(), nullable=False),
        Column("queue", name(), nullable=False),
        Column("outcome", word(), nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("duration_sum", BigInteger, nullable=False),
        Column("duration_most", BigInteger, nullable=False),
        Column("wait_sum", BigInteger, nullable=False),
        Column("wait_most", BigInteger, nullable=False),
        *(Column(f"bucket_{i}", BigInteger, nullable=False) for i in range(24)),
    )
    index("rollups", "start", ["grain", "start_at"])
    index("rollups", "job", ["grain", "job", "start_at"])
    table(
        "measures",
        Column("id", ident(), primary_key=True),
        Column("grain", word(), nullable=False),
        Column("start_at", BigInteger, nullable=False),
        Column("job", name(), nullable=False),
        Column("tenant", name(), nullable=False),
        Column("name", name(), nullable=False),
        Column("number", BigInteger, nullable=False),
        Column("total", Double, nullable=False),
        Column("least", Double, nullable=False),
        Column("most", Double, nullable=False),
    )
    index("measures", "start", ["grain", "start_at"])
    table(
        "rollup_sources",
        Column("source", ident(), primary_key=True),
        Column("number", BigInteger, nullable=False),
        Column("seen_at", BigInteger, nullable=False),
    )
