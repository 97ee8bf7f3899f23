"""The tables. Migrations build the same ones step by step; a test compares the two (R71).

Instants are microseconds since the epoch, ids 32 hexadecimal digits. Keys compare byte by byte on every engine, so
that an order or a duplicate is the same everywhere. `priority` is stored negated: one ascending index then serves
the claim on engines without descending ones. The states `waiting`, `held` and `limited` exist only here: they are
`scheduled` with `waits_for`, due but kept by a gate, and due but kept by a limit, told apart by states of their own so
that every index can tell them apart too. The columns of schedules have defaults, so that people can write one with
plain SQL.
"""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    event,
    text,
    true,
)

from rota.stores.sql.making import KEY, LIMIT, ident, index, label, long_text, name, word
from rota.stores.sql.marks import MARKS, mark_columns
from rota.stores.sql.watch_tables import add_alerts, add_freshness, add_rollups

TABLES = (
    "runs", "attempts", "logs", "rounds", "schedules", "cron_jobs", "progress", "workers", "controls", "audit", "meta",
    "uniques", "expirations", "errors", "error_tenants", "rates", "pairs", "flips", "pings", "signals",
    "incidents", "incident_tenants", "deliveries", "rollups", "measures", "rollup_sources",
)  # fmt: skip

NOTHING = text("('')")
FILL = 45
"""Percentage to which PostgreSQL fills the pages of those indexes that get another entry for each run when it changes
its state: so they need not be split for it. See decision 17."""
NO_ARGS = text("""('{"args":[],"kwargs":{}}')""")


def build(prefix: str = "rota_", *, schema: str | None = None, collation: str | None = None) -> MetaData:
    """Return all tables under this prefix; `collation` is the one of MariaDB or MySQL that compares byte by byte."""
    options = {"engine": "InnoDB", "charset": "utf8mb4", "collate": collation}
    mysql_options = {f"{engine}_{key}": value for engine in ("mysql", "mariadb") for key, value in options.items()}
    metadata = MetaData(schema=schema, info=mysql_options)
    _runs(metadata, prefix, marked=collation is not None)
    _history(metadata, prefix)
    _schedules(metadata, prefix)
    _cron_jobs(metadata, prefix)
    _people(metadata, prefix)
    _queue(metadata, prefix)
    add_freshness(metadata, prefix)
    add_alerts(metadata, prefix)
    add_rollups(metadata, prefix)
    Table(
        f"{prefix}workers",
        metadata,
        Column("id", name(), primary_key=True),
        Column("host", name(), nullable=False),
        Column("boot_id", name(), nullable=False),
        Column("pid", BigInteger, nullable=False),
        Column("pid_started", name(), nullable=False),
        Column("version", name(), nullable=False),
        Column("queues", long_text(), nullable=False),
        Column("places", Integer, nullable=False),
        Column("started_at", BigInteger, nullable=False),
        Column("last_seen", BigInteger, nullable=False),
        Column("stamps", long_text(), nullable=False),
        **metadata.info,
    )
    Table(
        f"{prefix}meta",
        metadata,
        Column("name", name(), primary_key=True),
        Column("value", name(), nullable=False),
        **metadata.info,
    )
    return metadata


def _runs(metadata: MetaData, prefix: str, *, marked: bool) -> None:
    table = Table(
        f"{prefix}runs",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("job", label(), nullable=False),
        Column("queue", label(), nullable=False),
        Column("kind", word(), nullable=False),
        Column("tenant", label()),
        Column("user_id", label()),
        Column("args", long_text(), nullable=False),
        Column("state", word(), nullable=False),
        Column("reason", long_text()),
        Column("priority", Integer, nullable=False),
        Column("turn", Double, nullable=False),
        Column("due_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("created_at", BigInteger, nullable=False),
        Column("triggered_by", word(), nullable=False),
        Column("actor", label()),
        Column("schedule", label()),
        Column("slot", BigInteger),
        Column("since", BigInteger),
        Column("round_id", ident()),
        Column("dedupe_key", label(KEY)),
        Column("concurrency_key", label(KEY)),
        Column("running_key", label(KEY)),
        Column("overlap", word(), nullable=False),
        Column("max_attempts", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("lost_count", Integer, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("cancel_requested", SmallInteger, nullable=False),
        *_attempt_columns(),
        *_enqueued_columns(),
        *(mark_columns() if marked else ()),
        # Heartbeats and progress change no indexed column; with room on the page they touch no index at all (HOT).
        postgresql_with={"fillfactor": 50},
        **metadata.info,
    )
    _index_runs(table)


def _attempt_columns() -> list[Column[Any]]:
    """Return what the attempt that runs a run, or ended it, has on the run's own row."""
    return [
        Column("owner", label()),
        Column("lease_until", BigInteger),
        Column("claimed_at", BigInteger),
        Column("started_at", BigInteger),
        Column("ended_at", BigInteger),
        Column("outcome", word()),
        Column("error", long_text()),
        Column("result", long_text()),
        Column("done", BigInteger),
        Column("total", BigInteger),
    ]


def _enqueued_columns() -> list[Column[Any]]:
    """Return what few runs have: terms of their own, and what they belong to."""
    return [
        Column("held_by", label()),
        Column("batch", label()),
        Column("weight", Double, nullable=False, server_default=text("1")),
        Column("retry", long_text()),
        Column("carried", long_text()),
        Column("limit_key", label()),
        Column("host", label()),
        Column("limited_by", label(LIMIT)),
        Column("part", long_text()),
        Column("parent", ident()),
    ]


def _index_runs(table: Table) -> None:
    index(table, "dedupe", ["dedupe_key"], unique=True, where="dedupe_key IS NOT NULL")
    index(table, "running", ["running_key"], unique=True, where="running_key IS NOT NULL")
    # "claim" and "due" say more than the state: what is always true, and is said again by the queries they serve. Else
    # PostgreSQL, when its statistics are of a time at which nothing was queued, takes one of them for empty and reads
    # all of it for each concurrency key that it looks up: a fan-out over 10,000 tenants took 2.8 s, not 0.6 s.
    index(table, "claim", ["queue", "priority", "turn", "id"], state="queued", where="turn >= 0")
    index(table, "tenant", ["queue", "tenant", "turn"], state="queued", where="tenant IS NOT NULL", mark="tenant_state")
    index(table, "aside", ["queue", "tenant", "turn"], state="limited", where="tenant IS NOT NULL", everywhere=False)
    index(table, "due", ["due_at", "id"], state="scheduled", where="due_at >= 0", mark="due_state")
    index(table, "leased", ["id"], state="running", everywhere=False)
    # What failed is asked for first, and is little. Engines without conditions have `claim`, by state.
    index(table, "failed", ["id"], state="failed", everywhere=False)
    # Serves three questions: who holds a key, who waits first for it, which keys are waited for.
    marks = {name: name if name in table.c else "state" for name in MARKS}
    index(table, "keyed", [marks["key_state"], "concurrency_key", "due_at", "id"], where="concurrency_key IS NOT NULL")
    index(table, "round", ["round_id", marks["round_state"]], where="round_id IS NOT NULL")
    index(table, "slot", ["schedule", "slot", "tenant"], where="schedule IS NOT NULL")
    # PostgreSQL enters a run into it twice, and not at each of three writes: what runs is little, and read whole.
    index(table, "job", ["job", "id"], where_postgres="state <> 'running'", fill=FILL)
    theirs = "tenant IS NOT NULL"
    index(
        table, "of_tenant", ["tenant", "id"], where=theirs, where_postgres=f"{theirs} AND state <> 'running'", fill=FILL
    )
    # On engines without conditions: all runs, but one without a gate never moves in it.
    index(table, "held", ["held_by", "due_at", "id"], where="state = 'held'")
    index(table, "limited", ["limited_by", "queue", "priority", "turn", "id"], where="state = 'limited'")
    index(table, "batch", ["batch", marks["batch_state"], "held_by"], where="batch IS NOT NULL")
    index(table, "parent", ["parent", "id"], where="parent IS NOT NULL")
    primary = f"{table.schema}.{table.name}_pkey" if table.schema else f"{table.name}_pkey"
    # SQLAlchemy gives it no types.
    more_room = DDL(f"ALTER INDEX {primary} SET (fillfactor = {FILL})")  # type: ignore[no-untyped-call]
    event.listen(table, "after_create", more_room.execute_if(dialect="postgresql"))


def _history(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}attempts",
        metadata,
        Column("run_id", ident(), primary_key=True),
        Column("token", BigInteger, primary_key=True, autoincrement=False),
        Column("owner", name()),
        Column("claimed_at", BigInteger),
        Column("started_at", BigInteger),
        Column("ended_at", BigInteger),
        Column("outcome", word()),
        Column("error", long_text()),
        **metadata.info,
    )
    logs = Table(
        f"{prefix}logs",
        metadata,
        Column("run_id", ident(), primary_key=True),
        Column("token", BigInteger, primary_key=True, autoincrement=False),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("body", long_text(), nullable=False),
        Column("left_out", BigInteger, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        **metadata.info,
    )
    index(logs, "old", ["created_at"])
    rounds = Table(
        f"{prefix}rounds",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("job", name(), nullable=False),
        Column("schedule", name()),
        Column("slot", BigInteger),
        Column("triggered_by", word(), nullable=False),
        Column("actor", name()),
        Column("state", word(), nullable=False),
        Column("reason", long_text()),
        Column("skipped_from", BigInteger),
        Column("expanded", SmallInteger, nullable=False),
        Column("expected", Integer),
        Column("counts", long_text(), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("ended_at", BigInteger),
        Column("places", Integer),
        **metadata.info,
    )
    index(rounds, "slot", ["schedule", "slot"], unique=True)
    index(rounds, "open", ["ended_at", "id"])
    index(rounds, "job", ["job", "id"])


def _schedules(metadata: MetaData, prefix: str) -> None:
    schedules = Table(
        f"{prefix}schedules",
        metadata,
        Column("name", name(), primary_key=True),
        Column("job", name(), nullable=False),
        Column("timing", long_text(), nullable=False),
        Column("tenants", long_text()),
        Column("user_id", name()),
        Column("args", long_text(), nullable=False, server_default=NO_ARGS),
        Column("catch_up", long_text(), nullable=False, server_default=text("('{}')")),
        Column("overlap", word(), nullable=False, server_default="skip"),
        Column("origin", word(), nullable=False, server_default="row"),
        Column("fingerprint", name(), nullable=False, server_default=NOTHING),
        Column("state", word(), nullable=False, server_default="active"),
        Column("reason", long_text()),
        Column("paused_until", BigInteger),
        Column("version", BigInteger, nullable=False, server_default=text("1")),
        # With no next_at: nobody has looked at it yet.
        Column("cursor_at", BigInteger, nullable=False, server_default=text("0")),
        Column("next_at", BigInteger),
        Column("created_at", BigInteger, nullable=False, server_default=text("0")),
        Column("last_run_at", BigInteger),
        Column("exclude", long_text()),
        Column("zones", long_text()),
        Column("jitter", BigInteger),
        Column("keep", SmallInteger, nullable=False, server_default=text("0")),
        Column("declared", long_text()),
        Column("confirmed_at", BigInteger),
        Column("paused_by", name()),
        # The row of cron_jobs that it stands for.
        Column("row_id", BigInteger),
        Column("fresh_within", BigInteger),
        **metadata.info,
    )
    index(schedules, "due", ["next_at", "name"], state="active")
    index(schedules, "code", ["origin", "name"], where="origin = 'code'")
    index(schedules, "job", ["job", "name"])
    index(schedules, "paused", ["paused_until", "name"], where="paused_until IS NOT NULL")
    index(schedules, "row", ["row_id"], where="row_id IS NOT NULL")
    Table(
        f"{prefix}progress",
        metadata,
        Column("schedule", name(), primary_key=True),
        Column("tenant", name(), primary_key=True),
        Column("last_success", BigInteger),
        Column("last_success_at", BigInteger),
        Column("last_run_id", ident()),
        Column("last_state", word()),
        Column("last_ended_at", BigInteger),
        Column("failures", Integer, nullable=False),
        **metadata.info,
    )


def _cron_jobs(metadata: MetaData, prefix: str) -> None:
    """Add the table that applications write with plain SQL, in the form that they may know; the last two are ours."""
    Table(
        f"{prefix}cron_jobs",
        metadata,
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("name", name(), nullable=False, server_default=NOTHING),
        Column("job_type", name()),
        Column("user_id", name()),
        Column("run_at", DateTime),
        Column("interval_minutes", Integer),
        Column("cron", name()),
        Column("timezone", name()),
        Column("tenant", name()),
        Column("args", long_text()),
        Column("is_active", Boolean, nullable=False, server_default=true()),
        Column("last_run_at", DateTime),
        Column("created_at", DateTime, nullable=False, server_default=text("CURRENT_TIMESTAMP")),
        Column("problem", long_text()),
        Column("taken", long_text()),
        # An id never comes again: it names a schedule and its history.
        sqlite_autoincrement=True,
        **metadata.info,
    )


def _people(metadata: MetaData, prefix: str) -> None:
    """Add what people set and did."""
    Table(
        f"{prefix}controls",
        metadata,
        Column("kind", word(), primary_key=True),
        Column("name", name(), primary_key=True),
        Column("body", long_text(), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("changed_at", BigInteger, nullable=False),
        **metadata.info,
    )
    audit = Table(
        f"{prefix}audit",
        metadata,
        Column("id", ident(), primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("actor", name()),
        Column("via", name(), nullable=False),
        Column("action", name(), nullable=False),
        Column("target", name(KEY), nullable=False),
        Column("reason", long_text()),
        Column("detail", long_text(), nullable=False),
        **metadata.info,
    )
    index(audit, "target", ["target", "id"])
    index(audit, "old", ["at"])


def _queue(metadata: MetaData, prefix: str) -> None:
    """Add what goes with runs that are asked for: names, expiry, what went wrong, how fast limits are used."""
    uniques = Table(
        f"{prefix}uniques",
        metadata,
        Column("name", name(KEY), primary_key=True),
        Column("run_id", ident(), nullable=False),
        # How long the run keeps the name: while it is `waiting`, while it is `open`, or until an instant.
        Column("scope", word(), nullable=False),
        Column("kept_until", BigInteger),
        Column("created_at", BigInteger, nullable=False),
        **metadata.info,
    )
    index(uniques, "old", ["created_at"])
    expirations = Table(
        f"{prefix}expirations",
        metadata,
        Column("run_id", ident(), primary_key=True),
        Column("expires_at", BigInteger, nullable=False),
        **metadata.info,
    )
    index(expirations, "due", ["expires_at", "run_id"])
    errors = Table(
        f"{prefix}errors",
        metadata,
        Column("job", name(), primary_key=True),
        Column("fingerprint", ident(), primary_key=True),
        Column("type", name(), nullable=False),
        Column("message", long_text(), nullable=False),
        Column("place", name(KEY), nullable=False),
        Column("first_at", BigInteger, nullable=False),
        Column("last_at", BigInteger, nullable=False),
        Column("last_run_id", ident(), nullable=False),
        Column("number", BigInteger, nullable=False),
        **metadata.info,
    )
    index(errors, "seen", ["last_at"])
    Table(
        f"{prefix}error_tenants",
        metadata,
        Column("job", name(), primary_key=True),
        Column("fingerprint", ident(), primary_key=True),
        Column("tenant", name(), primary_key=True),
        Column("last_at", BigInteger, nullable=False),
        Column("number", BigInteger, nullable=False),
        **metadata.info,
    )
    Table(
        f"{prefix}rates",
        metadata,
        Column("name", name(KEY), primary_key=True),
        # Starts that were counted together; several claims of one instant share a row.
        Column("at", BigInteger, primary_key=True, autoincrement=False),
        Column("number", Integer, nullable=False),
        **metadata.info,
    )
