"""What the tables are made with: types that compare byte by byte on every engine, and indexes."""

from typing import Any

from sqlalchemy import Index, String, Table, Text, text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

NAME = 255
LIMIT = 262
"""Characters of a limit's own name: `tenant:` and a tenant's."""
KEY = 700
"""Characters of a dedupe or concurrency key: schedule, slot and tenant. InnoDB indexes at most 3072 bytes."""


def ident() -> TypeEngine[str]:
    """An id of this library's making: ASCII."""
    return _ascii(32)


def word() -> TypeEngine[str]:
    """A state, kind or outcome."""
    return _ascii(16)


def name(length: int = NAME) -> TypeEngine[str]:
    """A name given by a person: any Unicode."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def label(length: int = NAME) -> TypeEngine[str]:
    """A name given by a person, in a table of many rows.

    Without a length on PostgreSQL: until it has counted the rows of a table, it guesses their number from its size and
    from what its columns may hold. See decision 10.
    """
    return String(length).with_variant(Text(collation="C"), "postgresql")


def filler(length: int) -> TypeEngine[str]:
    """Text that says nothing: ASCII."""
    return _ascii(length)


def long_text() -> TypeEngine[str]:
    """Text up to 16 MB; plain TEXT ends at 64 KB on MySQL."""
    return Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")


def _ascii(length: int) -> TypeEngine[str]:
    narrow = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return name(length).with_variant(narrow, "mysql", "mariadb")


def index(
    table: Table,
    suffix: str,
    columns: list[str],
    *,
    unique: bool = False,
    state: str = "",
    where: str = "",
    everywhere: bool = True,
    mark: str = "state",
    where_postgres: str = "",
    fill: int | None = None,
) -> None:
    """Add an index of the rows in one state: partial where the engine can, else with the state in front, or the `mark`
    of `marks`. `where_postgres` is a condition for PostgreSQL alone, which moves a run in all its indexes when its
    state changes; `fill` the percentage to which it fills a page of the index before that."""
    terms = [f"state = '{state}'"] if state else []
    partial = " AND ".join([*terms, where] if where else terms)
    options: dict[str, Any] = {}
    if partial:
        options = {"postgresql_where": text(partial), "sqlite_where": text(partial)}
    if where_postgres:
        options["postgresql_where"] = text(where_postgres)
    if fill is not None:
        options["postgresql_with"] = {"fillfactor": fill}
    label = f"{table.name}_{suffix}"
    if not state:
        Index(label, *(table.c[column] for column in columns), unique=unique, **options)
        return
    partial_index = Index(label, *(table.c[column] for column in columns), **options)
    partial_index.ddl_if(callable_=_has_partial)
    if everywhere:
        known = table.c[mark if mark in table.c else "state"]
        full = Index(f"{label}_all", known, *(table.c[column] for column in columns))
        full.ddl_if(callable_=_has_no_partial)


def _has_partial(*_: Any, dialect: Any, **__: Any) -> bool:
    return dialect.name not in ("mysql", "mariadb")


def _has_no_partial(*_: Any, dialect: Any, **__: Any) -> bool:
    return dialect.name in ("mysql", "mariadb")
