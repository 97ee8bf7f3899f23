"""Tenants that are rows of a table (R20)."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from rota.core.fairness import LEAST_WEIGHT, MOST_WEIGHT
from rota.core.model import Tenant
from rota.errors import ConfigurationError, TenantListFailed

if TYPE_CHECKING:
    from sqlalchemy import Executable


class TenantTable:
    """Each row of a table, or of the answer to a query, is a tenant.

    Where its database is comes from one column: `url_column` holds a whole URL; `database_column` the name of a
    database on the server of `tenant_url`; `schema_column` the name of a schema in the database of `tenant_url`.
    `tenant_url` is `url` if not given. A tenant whose column is NULL has no database. `tz_column` holds zones,
    `weight_column` shares of a queue, NULL for nothing in particular. `tags_column` holds tags with commas between
    them; `attribute_columns` become the tenant's attributes. In `query`, a colon in front of a word is
    written `\\:`.
    """

    def __init__(
        self,
        url: str,
        *,
        table: str | None = None,
        query: str | None = None,
        id_column: str = "id",
        url_column: str | None = None,
        database_column: str | None = None,
        schema_column: str | None = None,
        tz_column: str | None = None,
        weight_column: str | None = None,
        tags_column: str | None = None,
        attribute_columns: Sequence[str] = (),
        tenant_url: str | None = None,
        allow_empty: bool = False,
    ) -> None:
        if (table is None) == (query is None):
            raise ConfigurationError("TenantTable takes either table=... or query=...")
        if sum(column is not None for column in (url_column, database_column, schema_column)) > 1:
            raise ConfigurationError("TenantTable takes one of url_column, database_column and schema_column")
        # Weight by choice: SQLAlchemy is loaded by who makes a source that needs it, not by `import rota`.
        from rota.tenants.connection import Server

        self.allow_empty = allow_empty
        self._id, self._url, self._database, self._schema = id_column, url_column, database_column, schema_column
        self._tz, self._weight = tz_column, weight_column
        self._tags, self._attributes = tags_column, tuple(attribute_columns)
        self._server = Server(url)
        self._tenant_server = Server(tenant_url or url)
        self._query = query or self._select(str(table))

    def tenants(self) -> Sequence[Tenant]:
        """Return the rows as tenants, sorted by id, or in the order of `query`."""
        return [self._tenant(row) for row in self._server.rows(self._query)]

    def _select(self, name: str) -> "Executable":
        from sqlalchemy import column, select, table

        places = (self._url, self._database, self._schema, self._tz, self._weight, self._tags)
        names = dict.fromkeys([self._id, *filter(None, places), *self._attributes])
        return select(*map(column, names)).select_from(table(name)).order_by(column(self._id))

    def _tenant(self, row: Mapping[str, Any]) -> Tenant:
        try:
            url, schema = self._place(row)
            tags = str(row[self._tags] or "") if self._tags else ""
            return Tenant(
                # NULL becomes an empty id, which `listed` refuses.
                id="" if row[self._id] is None else str(row[self._id]),
                tz=str(row[self._tz]) if self._tz and row[self._tz] else None,
                weight=_weight(row[self._weight]) if self._weight else 1.0,
                url=url,
                schema=schema,
                tags=tuple(tag.strip() for tag in tags.split(",") if tag.strip()),
                attributes={name: str(row[name]) for name in self._attributes if row[name] is not None},
            )
        except KeyError as missing:
            raise TenantListFailed(f"TenantTable: the query answers no column {missing}") from missing

    def _place(self, row: Mapping[str, Any]) -> tuple[str | None, str | None]:
        """Return the URL and the schema of a row's database; no URL where its column is NULL.

        Never the shared database instead: a job would take it for the tenant's own (R22).
        """
        if self._url:
            return row[self._url], None
        if self._database:
            database = row[self._database]
            return (None if database is None else self._tenant_server.url_of(str(database))), None
        if self._schema:
            schema = row[self._schema]
            return (None, None) if schema is None else (self._tenant_server.url, str(schema))
        return None, None


def _weight(value: object) -> float:
    """Return a weight as a column has it; 1 for NULL, and for what is none: one tenant's row stops nobody (R21)."""
    try:
        weight = float(str(value))
    except ValueError:
        return 1.0
    return min(max(weight, LEAST_WEIGHT), MOST_WEIGHT) if isfinite(weight) and weight > 0 else 1.0
