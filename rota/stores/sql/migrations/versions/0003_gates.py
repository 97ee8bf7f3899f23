"""What holds runs back, what people set and did, and schedules that anybody writes with plain SQL.

Code for schema 2 goes on beside it: every new column has a default, and nothing that it names is gone.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, DateTime, Double, Integer, SmallInteger
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0003"
down_revision = "0002"

KEY = 700

NOTHING = "('')"
DEFAULTS = {
    "args": """('{"args":[],"kwargs":{}}')""",
    "catch_up": "('{}')",
    "overlap": "'skip'",
    "origin": "'row'",
    "fingerprint": NOTHING,
    "state": "'active'",
    "version": "1",
    "cursor_at": "0",
    "created_at": "0",
}

SHOWN = (
    "id", "name", "job_type", "user_id", "run_at", "interval_minutes", "cron", "timezone", "tenant", "args",
    "is_active", "last_run_at", "created_at", "problem",
)  # fmt: skip
"""What the view `cron_jobs` shows of its table."""
FILLED = {"name": "''", "is_active": "1", "created_at": "CURRENT_TIMESTAMP"}
"""What stands in a row of the view when an INSERT leaves it out; the other engines see to that themselves."""


def upgrade() -> None:
    _add("runs", Column("held_by", name()), Column("batch", name()))
    _add("runs", Column("weight", Double, nullable=False, server_default=sa.text("1")))
    _add("rounds", Column("places", Integer))
    _schedules()
    _cron_jobs()
    _people()
    _index("runs", "held", ["held_by", "due_at", "id"], where="state = 'held'")
    _index("runs", "batch", ["batch", "state", "held_by"], where="batch IS NOT NULL")
    _index("schedules", "code", ["origin", "name"], where="origin = 'code'")
    _index("schedules", "job", ["job", "name"])
    _index("schedules", "paused", ["paused_until", "name"], where="paused_until IS NOT NULL")
    _index("schedules", "row", ["row_id"], where="row_id IS NOT NULL")
    _index("audit", "target", ["target", "id"])
    _index("audit", "old", ["at"])
    meta = sa.table(
        _named("meta"), sa.column("name", sa.String), sa.column("value", sa.String), schema=_option("schema")
    )
    op.execute(meta.update().where(meta.c.name == op.inline_literal("schema")).values(value=op.inline_literal("3")))


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


def _full(table: str) -> str:
    schema = _option("schema")
    return f"{schema}.{table}" if schema else table


def _engine() -> str:
    dialect = op.get_context().dialect.name
    return "mysql" if dialect in ("mysql", "mariadb") else str(dialect)


def _schedules() -> None:
    new = (
        Column("exclude", long_text()),
        Column("zones", long_text()),
        Column("jitter", BigInteger),
        Column("keep", SmallInteger, nullable=False, server_default=sa.text("0")),
        Column("declared", long_text()),
        Column("confirmed_at", BigInteger),
        Column("paused_by", name()),
        Column("row_id", BigInteger),
    )
    if _engine() == "sqlite":
        _schedules_anew(new)
        return
    _add("schedules", *new)
    for column, default in DEFAULTS.items():
        # Alembic would say the whole column again, and MariaDB copy the table for it.
        op.execute(f"ALTER TABLE {_full(_named('schedules'))} ALTER COLUMN {column} SET DEFAULT {default}")


def _schedules_anew(new: Sequence[Column[Any]]) -> None:
    """SQLite cannot give a column a default later: the table is written again, all in the one transaction."""
    old = (
        Column("name", name(), primary_key=True),
        Column("job", name(), nullable=False),
        Column("timing", long_text(), nullable=False),
        Column("tenants", long_text()),
        Column("user_id", name()),
        Column("args", long_text(), nullable=False, server_default=sa.text(DEFAULTS["args"])),
        Column("catch_up", long_text(), nullable=False, server_default=sa.text(DEFAULTS["catch_up"])),
        Column("overlap", word(), nullable=False, server_default=sa.text(DEFAULTS["overlap"])),
        Column("origin", word(), nullable=False, server_default=sa.text(DEFAULTS["origin"])),
        Column("fingerprint", name(), nullable=False, server_default=sa.text(DEFAULTS["fingerprint"])),
        Column("state", word(), nullable=False, server_default=sa.text(DEFAULTS["state"])),
        Column("reason", long_text()),
        Column("paused_until", BigInteger),
        Column("version", BigInteger, nullable=False, server_default=sa.text(DEFAULTS["version"])),
        Column("cursor_at", BigInteger, nullable=False, server_default=sa.text(DEFAULTS["cursor_at"])),
        Column("next_at", BigInteger),
        Column("created_at", BigInteger, nullable=False, server_default=sa.text(DEFAULTS["created_at"])),
        Column("last_run_at", BigInteger),
    )
    named = ", ".join(column.name for column in old)
    op.create_table(_named("schedules_new"), *old, *new)
    op.execute(f"INSERT INTO {_named('schedules_new')} ({named}) SELECT {named} FROM {_named('schedules')}")
    op.drop_table(_named("schedules"))
    op.rename_table(_named("schedules_new"), _named("schedules"))
    _index("schedules", "due", ["next_at", "name"], where="state = 'active'")


def _cron_jobs() -> None:
    _table(
        "cron_jobs",
        Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("name", name(), nullable=False, server_default=sa.text(NOTHING)),
        Column("job_type", name()),
        Column("user_id", name()),
        Column("run_at", DateTime),
        Column("interval_minutes", Integer),
        Column("cron", name()),
        Column("timezone", name()),
        Column("tenant", name()),
        Column("args", long_text()),
        Column("is_active", Boolean, nullable=False, server_default=sa.true()),
        Column("last_run_at", DateTime),
        Column("created_at", DateTime, nullable=False, server_default=sa.text("CURRENT_TIMESTAMP")),
        Column("problem", long_text()),
        Column("taken", long_text()),
        sqlite_autoincrement=True,
    )
    # Under the plain name, that applications know; never in the place of something that is theirs.
    if _option("prefix") == "rota_" and not _is_taken("cron_jobs"):
        op.execute(f"CREATE VIEW {_full('cron_jobs')} AS SELECT {', '.join(SHOWN)} FROM {_full('rota_cron_jobs')}")
        if _engine() == "sqlite":
            _write_through()


def _write_through() -> None:
    """Let the view of SQLite be written to; the others do by themselves."""
    given = ", ".join(f"coalesce(NEW.{c}, {FILLED[c]})" if c in FILLED else f"NEW.{c}" for c in SHOWN)
    changed = ", ".join(f"{column} = NEW.{column}" for column in SHOWN)
    for event, statement in (
        ("INSERT", f"INSERT INTO rota_cron_jobs ({', '.join(SHOWN)}) VALUES ({given})"),
        ("UPDATE", f"UPDATE rota_cron_jobs SET {changed} WHERE id = OLD.id"),
        ("DELETE", "DELETE FROM rota_cron_jobs WHERE id = OLD.id"),
    ):
        op.execute(
            f"CREATE TRIGGER rota_cron_jobs_{event.lower()} INSTEAD OF {event} ON cron_jobs BEGIN {statement}; END"
        )


def _is_taken(label: str) -> bool:
    """Whether a table or view of this name is there. Statements for somebody else to execute take it for not there."""
    if op.get_context().as_sql:
        return False
    inspector, schema = sa.inspect(op.get_bind()), _option("schema")
    return label in (*inspector.get_table_names(schema=schema), *inspector.get_view_names(schema=schema))


def _people() -> None:
    _table(
        "controls",
        Column("kind", word(), primary_key=True),
        Column("name", name(), primary_key=True),
        Column("body", long_text(), nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("changed_at", BigInteger, nullable=False),
    )
    _table(
        "audit",
        Column("id", ident(), primary_key=True),
        Column("at", BigInteger, nullable=False),
        Column("actor", name()),
        Column("via", name(), nullable=False),
        Column("action", name(), nullable=False),
        Column("target", name(KEY), nullable=False),
        Column("reason", long_text()),
        Column("detail", long_text(), nullable=False),
    )


def _table(table: str, *columns: Column[Any], **options: Any) -> None:
    for engine in ("mysql", "mariadb"):
        options |= {f"{engine}_engine": "InnoDB", f"{engine}_charset": "utf8mb4"}
        options[f"{engine}_collate"] = _option("collation")
    op.create_table(_named(table), *columns, schema=_option("schema"), if_not_exists=True, **options)


def _add(table: str, *columns: Column[Any]) -> None:
    for column in columns:
        if not _has_column(table, column.name):
            op.add_column(_named(table), column, schema=_option("schema"))


def _index(table: str, suffix: str, columns: list[str], *, where: str = "") -> None:
    """Create an index: partial where the engine can."""
    if _has_index(table, suffix):
        return
    options: dict[str, Any] = {"schema": _option("schema")}
    if where:
        options |= {"postgresql_where": sa.text(where), "sqlite_where": sa.text(where)}
    op.create_index(f"{_named(table)}_{suffix}", _named(table), columns, **options)


def _has_column(table: str, column: str) -> bool:
    """Whether an earlier try that was cut off made it: MySQL commits each statement by itself."""
    if op.get_context().as_sql:
        return False
    found = sa.inspect(op.get_bind()).get_columns(_named(table), schema=_option("schema"))
    return any(known["name"] == column for known in found)


def _has_index(table: str, suffix: str) -> bool:
    if op.get_context().as_sql:
        return False
    found = sa.inspect(op.get_bind()).get_indexes(_named(table), schema=_option("schema"))
    return any(index["name"] == f"{_named(table)}_{suffix}" for index in found)
