"""What migrations make tables with: types that compare byte by byte on every engine, and steps that may be repeated.

MySQL commits each statement by itself, so a migration that was cut off is begun again where its first half stands.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import Column
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

KEY = 700


def ident() -> TypeEngine[str]:
    """An id of this library's making: ASCII."""
    return _ascii(32)


def word() -> TypeEngine[str]:
    """A state, kind or outcome."""
    return _ascii(16)


def name(length: int = 255) -> TypeEngine[str]:
    """A name given by a person: any Unicode."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def label(length: int = 255) -> TypeEngine[str]:
    """A name given by a person, in a table of many rows (decision 10)."""
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


def long_text() -> TypeEngine[str]:
    """Text up to 16 MB."""
    return sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def has_partial() -> bool:
    """Whether the engine has indexes with a condition."""
    return op.get_context().dialect.name not in ("mysql", "mariadb")


def has_column(short: str, column: str) -> bool:
    """Whether an earlier try that was cut off made it."""
    if op.get_context().as_sql:
        return False
    found = sa.inspect(op.get_bind()).get_columns(named(short), schema=option("schema"))
    return any(known["name"] == column for known in found)


def table(short: str, *columns: Column[Any]) -> None:
    """Create a table where it is not there."""
    options: dict[str, Any] = {}
    for engine in ("mysql", "mariadb"):
        options |= {f"{engine}_engine": "InnoDB", f"{engine}_charset": "utf8mb4"}
        options[f"{engine}_collate"] = option("collation")
    op.create_table(named(short), *columns, schema=option("schema"), if_not_exists=True, **options)


def add(short: str, *columns: Column[Any]) -> None:
    """Add columns that are not there."""
    for column in columns:
        if not has_column(short, column.name):
            op.add_column(named(short), column, schema=option("schema"))


def index(
    short: str,
    suffix: str,
    columns: list[str],
    *,
    where: str = "",
    unique: bool = False,
    where_postgres: str = "",
    fill: int | None = None,
) -> None:
    """Create an index that is not there: partial where the engine can. `where_postgres` and `fill` are of PostgreSQL,
    in place of `where`."""
    if _has_index(short, suffix):
        return
    options: dict[str, Any] = {"schema": option("schema")}
    if where:
        options |= {"postgresql_where": sa.text(where), "sqlite_where": sa.text(where)}
    if where_postgres:
        options["postgresql_where"] = sa.text(where_postgres)
    if fill is not None:
        options["postgresql_with"] = {"fillfactor": fill}
    op.create_index(f"{named(short)}_{suffix}", named(short), columns, unique=unique, **options)


def set_schema(number: int) -> None:
    """Write down what schema this is."""
    meta = sa.table(named("meta"), sa.column("name", sa.String), sa.column("value", sa.String), schema=option("schema"))
    value = op.inline_literal(str(number))
    op.execute(meta.update().where(meta.c.name == op.inline_literal("schema")).values(value=value))


def option(key: str) -> Any:
    """Return how this schema is set up: `prefix`, `schema` or `collation`."""
    return op.get_context().opts[f"rota_{key}"]


def named(short: str) -> str:
    """Return the name of a table under the prefix."""
    return f"{option('prefix')}{short}"


def _ascii(length: int) -> TypeEngine[str]:
    narrow = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return name(length).with_variant(narrow, "mysql", "mariadb")


def _has_index(short: str, suffix: str) -> bool:
    if op.get_context().as_sql:
        return False
    found = sa.inspect(op.get_bind()).get_indexes(named(short), schema=option("schema"))
    return any(known["name"] == f"{named(short)}_{suffix}" for known in found)
