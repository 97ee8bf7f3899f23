"""The first schema: runs and their attempts, rounds, schedules, progress, workers, meta."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, SmallInteger
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None

KEY = 700


def upgrade() -> None:
    _runs()
    _history()
    _schedules()
    _rest()
    # Not an insert that fails when it is there: a migration of MySQL that was cut off starts again.
    meta = sa.table(
        _named("meta"), sa.column("name", sa.String), sa.column("value", sa.String), schema=_option("schema")
    )
    op.execute(meta.delete())
    for key in ("schema", "works_from"):
        op.execute(meta.insert().values(name=op.inline_literal(key), value=op.inline_literal("1")))


def ident() -> TypeEngine[str]:
    return _ascii(32)


def word() -> TypeEngine[str]:
    return _ascii(16)


def name(length: int = 255) -> TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def long_text() -> TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def _ascii(length: int) -> TypeEngine[str]:
    narrow = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return name(length).with_variant(narrow, "mysql", "mariadb")


def _option(key: str) -> Any:
    return op.get_context().opts[f"rota_{key}"]


def _named(table: str) -> str:
    return f"{_option('prefix')}{table}"


def _runs() -> None:
    _table(
        "runs",
        Column("id", ident(), primary_key=True),
        Column("job", name(), nullable=False),
        Column("queue", name(), nullable=False),
        Column("kind", word(), nullable=False),
        Column("tenant", name()),
        Column("user_id", name()),
        Column("args", long_text(), nullable=False),
        Column("state", word(), nullable=False),
        Column("reason", long_text()),
        Column("priority", Integer, nullable=False),
        Column("turn", Double, nullable=False),
        Column("due_at", BigInteger, nullable=False),
        Column("expires_at", BigInteger),
        Column("created_at", BigInteger, nullable=False),
        Column("triggered_by", word(), nullable=False),
        Column("actor", name()),
        Column("schedule", name()),
        Column("slot", BigInteger),
        Column("since", BigInteger),
        Column("round_id", ident()),
        Column("dedupe_key", name(KEY)),
        Column("concurrency_key", name(KEY)),
        Column("running_key", name(KEY)),
        Column("overlap", word(), nullable=False),
        Column("max_attempts", Integer, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("lost_count", Integer, nullable=False),
        Column("token", BigInteger, nullable=False),
        Column("cancel_requested", SmallInteger, nullable=False),
        Column("owner", name()),
        Column("lease_until", BigInteger),
        Column("claimed_at", BigInteger),
        Column("started_at", BigInteger),
        Column("ended_at", BigInteger),
        Column("outcome", word()),
        Column("error", long_text()),
        Column("result", long_text()),
        postgresql_with={"fillfactor": 50},
    )
    _index("runs", "dedupe", ["dedupe_key"], unique=True, where="dedupe_key IS NOT NULL")
    _index("runs", "running", ["running_key"], unique=True, where="running_key IS NOT NULL")
    _index("runs", "claim", ["queue", "priority", "turn", "id"], state="queued", where="turn >= 0")
    _index("runs", "tenant", ["queue", "tenant", "turn"], state="queued", where="tenant IS NOT NULL")
    _index("runs", "due", ["due_at", "id"], state="scheduled", where="due_at >= 0")
    _index("runs", "leased", ["id"], state="running", everywhere=False)
    _index("runs", "keyed", ["state", "concurrency_key", "due_at", "id"], where="concurrency_key IS NOT NULL")
    _index("runs", "round", ["round_id", "state"], where="round_id IS NOT NULL")
    _index("runs", "slot", ["schedule", "slot", "tenant"], where="schedule IS NOT NULL")
    _index("runs", "job", ["job", "id"])


def _history() -> None:
    _table(
        "attempts",
        Column("run_id", ident(), primary_key=True),
        Column("token", BigInteger, primary_key=True, autoincrement=False),
        Column("owner", name()),
        Column("claimed_at", BigInteger),
        Column("started_at", BigInteger),
        Column("ended_at", BigInteger),
        Column("outcome", word()),
        Column("error", long_text()),
    )
    _table(
        "rounds",
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
    )
    _index("rounds", "slot", ["schedule", "slot"], unique=True)
    _index("rounds", "open", ["ended_at", "id"])
    _index("rounds", "job", ["job", "id"])


def _schedules() -> None:
    _table(
        "schedules",
        Column("name", name(), primary_key=True),
        Column("job", name(), nullable=False),
        Column("timing", long_text(), nullable=False),
        Column("tenants", long_text()),
        Column("user_id", name()),
        Column("args", long_text(), nullable=False),
        Column("catch_up", long_text(), nullable=False),
        Column("overlap", word(), nullable=False),
        Column("origin", word(), nullable=False),
        Column("fingerprint", name(), nullable=False),
        Column("state", word(), nullable=False),
        Column("reason", long_text()),
        Column("paused_until", BigInteger),
        Column("version", BigInteger, nullable=False),
        Column("cursor_at", BigInteger, nullable=False),
        Column("next_at", BigInteger),
        Column("created_at", BigInteger, nullable=False),
        Column("last_run_at", BigInteger),
    )
    _index("schedules", "due", ["next_at", "name"], state="active")
    _table(
        "progress",
        Column("schedule", name(), primary_key=True),
        Column("tenant", name(), primary_key=True),
        Column("last_success", BigInteger),
        Column("last_success_at", BigInteger),
        Column("last_run_id", ident()),
        Column("last_state", word()),
        Column("last_ended_at", BigInteger),
        Column("failures", Integer, nullable=False),
    )


def _rest() -> None:
    _table(
        "workers",
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
    )
    _table(
        "meta",
        Column("name", name(), primary_key=True),
        Column("value", name(), nullable=False),
    )


def _table(table: str, *columns: Column[Any], **options: Any) -> None:
    for engine in ("mysql", "mariadb"):
        options |= {f"{engine}_engine": "InnoDB", f"{engine}_charset": "utf8mb4"}
        options[f"{engine}_collate"] = _option("collation")
    op.create_table(_named(table), *columns, schema=_option("schema"), if_not_exists=True, **options)


def _index(
    table: str,
    suffix: str,
    columns: list[str],
    *,
    unique: bool = False,
    state: str = "",
    where: str = "",
    everywhere: bool = True,
) -> None:
    """Create an index of the rows in one state: partial where the engine can, else with the state in front."""
    label = f"{_named(table)}_{suffix}"
    options: dict[str, Any] = {"unique": unique, "schema": _option("schema")}
    if op.get_context().dialect.name in ("mysql", "mariadb"):
        if state and not everywhere:
            return
        label, columns = (f"{label}_all", ["state", *columns]) if state else (label, columns)
        if _is_there(table, label):
            return
    else:
        terms = [f"state = '{state}'"] if state else []
        partial = " AND ".join([*terms, where] if where else terms)
        if partial:
            options |= {"postgresql_where": sa.text(partial), "sqlite_where": sa.text(partial)}
    op.create_index(label, _named(table), columns, **options)


def _is_there(table: str, label: str) -> bool:
    """Whether an earlier try that was cut off made it: MySQL commits each statement by itself."""
    if op.get_context().as_sql:
        return False
    found = sa.inspect(op.get_bind()).get_indexes(_named(table), schema=_option("schema"))
    return any(index["name"] == label for index in found)
