"""Logs of runs, and how far a run has come. Code for schema 1 goes on beside it: it names no new column."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import BigInteger, Column, Integer
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in ("done", "total"):
        if not _has_column("runs", column):
            op.add_column(_named("runs"), Column(column, BigInteger), schema=_option("schema"))
    _table(
        "logs",
        Column("run_id", ident(), primary_key=True),
        Column("token", BigInteger, primary_key=True, autoincrement=False),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("body", long_text(), nullable=False),
        Column("left_out", BigInteger, nullable=False),
        Column("created_at", BigInteger, nullable=False),
    )
    if not _has_index("logs", "old"):
        op.create_index(f"{_named('logs')}_old", _named("logs"), ["created_at"], schema=_option("schema"))
    meta = sa.table(
        _named("meta"), sa.column("name", sa.String), sa.column("value", sa.String), schema=_option("schema")
    )
    op.execute(meta.update().where(meta.c.name == op.inline_literal("schema")).values(value=op.inline_literal("2")))


def ident() -> TypeEngine[str]:
    narrow = mysql.VARCHAR(32, charset="ascii", collation="ascii_bin")
    plain = sa.String(32).with_variant(sa.String(32, collation="C"), "postgresql")
    return plain.with_variant(narrow, "mysql", "mariadb")


def long_text() -> TypeEngine[str]:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def _option(key: str) -> Any:
    return op.get_context().opts[f"rota_{key}"]


def _named(table: str) -> str:
    return f"{_option('prefix')}{table}"


def _table(table: str, *columns: Column[Any], **options: Any) -> None:
    for engine in ("mysql", "mariadb"):
        options |= {f"{engine}_engine": "InnoDB", f"{engine}_charset": "utf8mb4"}
        options[f"{engine}_collate"] = _option("collation")
    op.create_table(_named(table), *columns, schema=_option("schema"), if_not_exists=True, **options)


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
