"""What goes with runs that are asked for: their own retries, what they carry, limits, flows, unique names, errors.

Code for schema 3 goes on beside it: every new column may be empty, and nothing that it names is gone.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0004"
down_revision = "0003"

KEY = 700

LABELS = (
    "job", "queue", "tenant", "user_id", "actor", "schedule", "dedupe_key", "concurrency_key", "running_key", "owner",
    "held_by", "batch",
)  # fmt: skip


def upgrade() -> None:
    _free_labels()
    _add(
        "runs",
        Column("retry", long_text()),
        Column("carried", long_text()),
        Column("limit_key", label()),
        Column("host", label()),
        Column("limited_by", label(262)),
        Column("part", long_text()),
    )
    _table(
        "uniques",
        Column("name", name(KEY), primary_key=True),
        Column("run_id", ident(), nullable=False),
        Column("scope", word(), nullable=False),
        Column("kept_until", BigInteger),
        Column("created_at", BigInteger, nullable=False),
    )
    _table(
        "expirations",
        Column("run_id", ident(), primary_key=True),
        Column("expires_at", BigInteger, nullable=False),
    )
    _errors()
    _table(
        "rates",
        Column("name", name(KEY), primary_key=True),
        Column("at", BigInteger, primary_key=True, autoincrement=False),
        Column("number", Integer, nullable=False),
    )
    _index("runs", "limited", ["limited_by", "queue", "priority", "turn", "id"], where="state = 'limited'")
    if op.get_context().dialect.name not in ("mysql", "mariadb"):
        _index("runs", "failed", ["id"], where="state = 'failed'")
    if op.get_context().dialect.name not in ("mysql", "mariadb"):
        # There `tenant_all` has the state in front.
        where = "state = 'limited' AND tenant IS NOT NULL"
        _index("runs", "aside", ["queue", "tenant", "turn"], where=where)
    _index("uniques", "old", ["created_at"])
    _index("expirations", "due", ["expires_at", "run_id"])
    _index("errors", "seen", ["last_at"])
    meta = sa.table(
        _named("meta"), sa.column("name", sa.String), sa.column("value", sa.String), schema=_option("schema")
    )
    op.execute(meta.update().where(meta.c.name == op.inline_literal("schema")).values(value=op.inline_literal("4")))
    # Whoever claims under limits locks this row: so they come one after the other.
    op.execute(meta.delete().where(meta.c.name == op.inline_literal("limits")))
    op.execute(meta.insert().values(name=op.inline_literal("limits"), value=op.inline_literal("")))


def _errors() -> None:
    _table(
        "errors",
        Column("job", name(), primary_key=True),
        Column("fingerprint", ident(), primary_key=True),
        Column("type", name(), nullable=False),
        Column("message", long_text(), nullable=False),
        Column("place", name(KEY), nullable=False),
        Column("first_at", BigInteger, nullable=False),
        Column("last_at", BigInteger, nullable=False),
        Column("last_run_id", ident(), nullable=False),
        Column("number", BigInteger, nullable=False),
    )
    _table(
        "error_tenants",
        Column("job", name(), primary_key=True),
        Column("fingerprint", ident(), primary_key=True),
        Column("tenant", name(), primary_key=True),
        Column("last_at", BigInteger, nullable=False),
        Column("number", BigInteger, nullable=False),
    )


def _free_labels() -> None:
    """Let names have any length on PostgreSQL, which else takes a row for too wide for its page (decision 10).

    The rows stay as they are; the partial indexes are built anew.
    """
    if op.get_context().dialect.name != "postgresql":
        return
    preparer = op.get_context().dialect.identifier_preparer
    table = ".".join(preparer.quote(part) for part in (_option("schema"), _named("runs")) if part)
    changes = ", ".join(f'ALTER COLUMN {column} TYPE text COLLATE "C"' for column in LABELS)
    op.execute(f"ALTER TABLE {table} {changes}")


def ident() -> TypeEngine[str]:
    return _ascii(32)


def word() -> TypeEngine[str]:
    return _ascii(16)


def name(length: int = 255) -> TypeEngine[str]:
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def label(length: int = 255) -> TypeEngine[str]:
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


def long_text() -> TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def _ascii(length: int) -> TypeEngine[str]:
    narrow = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return name(length).with_variant(narrow, "mysql", "mariadb")


def _option(key: str) -> Any:
    return op.get_context().opts[f"rota_{key}"]


def _named(table: str) -> str:
    return f"{_option('prefix')}{table}"


def _table(table: str, *columns: Column[Any]) -> None:
    options: dict[str, Any] = {}
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
