"""Sessions of Flask-SQLAlchemy that really go to the database of the current tenant.

db = SQLAlchemy(session_options=tenant_sessions())

with rota.tenant("acme"):
    db.session.execute(select(Case))
"""

from typing import Any

from sqlalchemy import Connection, Engine, Table, inspect
from sqlalchemy.sql import visitors

from rota.errors import ConfigurationError, MissingExtra, NoTenant
from rota.integrations.flask.tenants import current, scope

try:
    from flask_sqlalchemy import SQLAlchemy
    from flask_sqlalchemy.session import Session
except ImportError as error:
    raise MissingExtra("flask-sqlalchemy", needed_for="sessions of tenants") from error


def tenant_sessions(*, bind_key: str | None = None) -> dict[str, Any]:
    """Return the `session_options` of an `SQLAlchemy` whose sessions go to the database of the current tenant.

    Tables with this bind key are the tenants'. As it is, those are the ones without a bind key, and SQL that is plain
    text: tables that all share say `__bind_key__ = "shared"`, which is in SQLALCHEMY_BINDS. Outside of a tenant they
    are those of SQLALCHEMY_DATABASE_URI; without one, and with a key of their own, they are refused there (R22).
    """
    return {"class_": TenantSession, "scopefunc": scope, "tenant_key": bind_key}


class TenantSession(Session):
    """A session that asks for the engine of the current tenant, for each statement on a table of tenants."""

    def __init__(self, db: SQLAlchemy, *, tenant_key: str | None = None, **options: Any) -> None:
        if db.session.registry.scopefunc is not scope:
            raise ConfigurationError(
                "a TenantSession is not alone: SQLAlchemy(session_options=tenant_sessions()), or what is loaded for "
                "one tenant would be remembered for the next"
            )
        super().__init__(db, **options)
        self._tenant_key = tenant_key

    def get_bind(
        self, mapper: Any = None, clause: Any = None, bind: Engine | Connection | None = None, **more: Any
    ) -> Engine | Connection:
        """Return the engine that a statement is for.

        Raises:
            NoTenant: it is for a table of tenants, and there is none here or it has no database.
            TenantUnavailable: the tenant's database is not there.
        """
        if bind is not None:
            return bind
        table = _table_of(mapper, clause)
        key = None if table is None else table.metadata.info.get("bind_key")
        engines = self._db.engines
        if key == self._tenant_key:
            tenant = current()
            if tenant is not None:
                return tenant.engine
            if key not in engines:
                what = "this statement" if table is None else f"table {table.name!r}"
                raise NoTenant(f"{what} is the tenant's, and there is no tenant here: with rota.tenant(...): ...")
        elif key in engines:
            # Flask-SQLAlchemy looks at the table of a model only, and would ask the default database for others.
            return engines[key]
        return super().get_bind(mapper=mapper, clause=clause, bind=bind, **more)

    @property
    def bind(self) -> Engine | Connection | None:
        """None: the engine is found for each statement."""
        return None

    @bind.setter
    def bind(self, bind: Engine | Connection | None) -> None:
        if bind is not None:
            # Ignored by `get_bind`, of Flask-SQLAlchemy as well: a loop over tenants would work in one database.
            raise ConfigurationError("db.session.bind = ... would do nothing: with rota.tenant(...): ...")


def _table_of(mapper: Any, clause: Any) -> Table | None:
    """Return the first table that a statement is about; None for SQL that is plain text."""
    if mapper is not None:
        selectable = inspect(mapper).local_table
        if isinstance(selectable, Table):
            return selectable
        clause = selectable
    if clause is None:
        return None
    target = getattr(clause, "table", None)
    if isinstance(target, Table):
        return target
    return next((part for part in visitors.iterate(clause) if isinstance(part, Table)), None)
