"""Tenants of a Django project: a database alias each, a schema of django-tenants each, or from any source of Rota's.

ROTA = {"tenants": {"source": "rota.integrations.django.tenants:aliases"}}
DATABASE_ROUTERS = ["rota.integrations.django.tenants.TenantRouter"]
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model
from sqlalchemy import make_url

from rota.context import RunContext
from rota.core.model import Tenant
from rota.errors import ConfigurationError, MissingExtra, NoTenant
from rota.integrations.django.databases import MEMORY, in_event_loop, store_url

ALIAS, SCHEMA = "django.alias", "django.schema"
"""Attributes of a tenant that say where Django finds it."""

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
}


class DatabaseAliases:
    """A tenant for each of Django's databases: all but `exclude`, or those named, or those whose alias matches."""

    allow_empty = False

    def __init__(self, *aliases: str, match: str = r".*", exclude: Sequence[str] = (DEFAULT_DB_ALIAS,)) -> None:
        self._aliases = aliases
        self._match = re.compile(match)
        self._exclude = frozenset(exclude)

    def missing(self) -> list[str]:
        """Return the aliases that are named and not in DATABASES."""
        return [alias for alias in self._aliases if alias not in connections]

    def tenants(self) -> Sequence[Tenant]:
        """Return them, in the order of DATABASES or in that in which they are named.

        Raises:
            ConfigurationError: one that is named is not in DATABASES.
        """
        if missing := self.missing():
            raise ConfigurationError(f"{', '.join(missing)} not in DATABASES, which has {', '.join(connections)}")
        chosen = self._aliases or [
            alias
            for alias in connections
            if alias not in self._exclude and self._match.fullmatch(alias) and not alias.startswith(OF_SOURCE)
        ]
        return [Tenant(id=alias, url=_url(alias), attributes={ALIAS: alias}) for alias in chosen]


class SchemaTenants:
    """A tenant for each schema of django-tenants but the public one, as its tenant model lists them."""

    allow_empty = False

    def tenants(self) -> Sequence[Tenant]:
        """Return them by their schemas.

        Raises:
            MissingExtra: django-tenants is not installed.
        """
        package = _django_tenants()
        database = package.get_tenant_database_alias()
        with package.schema_context(package.get_public_schema_name()):
            found = package.get_tenant_model().objects.using(database).order_by("schema_name")
            names = list(found.values_list("schema_name", flat=True))
        public = package.get_public_schema_name()
        url = store_url(database)
        return [Tenant(id=name, url=url, schema=name, attributes={SCHEMA: name}) for name in names if name != public]


aliases = DatabaseAliases()
"""All of Django's databases but the default one."""

schemas = SchemaTenants()
"""All schemas of django-tenants but the public one."""


def _url(alias: str) -> str | None:
    url = store_url(alias)
    return None if url == MEMORY else url


def _django_tenants() -> Any:
    try:
        from django_tenants import utils  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise MissingExtra("django-tenants", needed_for="schemas as tenants") from error
    return utils


# --- around a run ---

OF_SOURCE = "rota:"
"""How the aliases begin that are made for tenants of other sources."""

NOWHERE = "rota:"
"""In place of the alias of a tenant without a database."""

_alias: ContextVar[str | None] = ContextVar("rota_django_alias", default=None)
_schema: ContextVar[str | None] = ContextVar("rota_django_schema", default=None)
_making = threading.Lock()
"""Guards the aliases of Django's databases while one is added."""


@contextmanager
def bound(ctx: RunContext) -> Iterator[None]:
    """Let Django's models lead to the tenant of a run: `TenantRouter` to its database, django-tenants to its schema."""
    if ctx.run.tenant is None:
        yield
        return
    tenant = ctx.tenant.tenant
    if SCHEMA in tenant.attributes:
        with _in_schema(tenant.attributes[SCHEMA]):
            yield
        return
    token = _alias.set(_alias_of(tenant))
    try:
        yield
    finally:
        _alias.reset(token)


def _alias_of(tenant: Tenant) -> str:
    if ALIAS in tenant.attributes:
        return tenant.attributes[ALIAS]
    return NOWHERE if tenant.url is None else _made(tenant, tenant.url)


def _made(tenant: Tenant, address: str) -> str:
    """Return an alias for the database of a tenant that another source lists; made like that of the default.

    But nothing of it outlives its run, and no request of the project begins a transaction in it: of tenants there may
    be thousands.
    """
    alias, url = f"{OF_SOURCE}{tenant.id}", make_url(address)
    engine = ENGINES[url.get_backend_name()]
    like = connections.settings[DEFAULT_DB_ALIAS]
    options = dict(like["OPTIONS"]) if like["ENGINE"] == engine else {}
    options.pop("pool", None)
    if tenant.schema is not None:
        options["options"] = f"-c search_path={tenant.schema}"
    said = {
        **like,
        "ENGINE": engine,
        "NAME": url.database or "",
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.host or "",
        "PORT": str(url.port or ""),
        "OPTIONS": options,
        "CONN_MAX_AGE": 0,
        "ATOMIC_REQUESTS": False,
    }
    with _making:
        if connections.settings.get(alias) != said:
            # Another dict, not this one changed: other threads go through it.
            connections.settings = {**connections.settings, alias: said}
    return alias


@contextmanager
def _in_schema(name: str) -> Iterator[None]:
    token = _schema.set(name)
    try:
        if in_event_loop():
            # A coroutine's models are asked in a thread of its run's own, whose connection is made in there.
            yield
            return
        package = _django_tenants()
        with package.schema_context(package.get_public_schema_name()):
            tenant = package.get_tenant_model().objects.get(schema_name=name)
        with package.tenant_context(tenant):
            yield
    finally:
        _schema.reset(token)


def set_schema(*, connection: Any, **_: object) -> None:
    """Lead a connection that was just made to the schema of the run that it is made in; what Django calls."""
    name = _schema.get()
    if name is not None and hasattr(connection, "set_schema"):
        connection.set_schema(name)


class TenantRouter:
    """Sends models to the database of the run's tenant; all but those of apps that all tenants share.

    Outside of a run it says nothing. A project may have its own: `class Router(TenantRouter): shared = {...}`.
    """

    shared = frozenset({"admin", "auth", "contenttypes", "rota", "sessions", "sites"})
    """Labels of apps whose tables are in the default database."""

    def db_for_read(self, model: type[Model], **_: object) -> str | None:
        """Return the alias for what reads.

        Raises:
            NoTenant: it is of a run whose tenant has no database: never the default one for it (R22).
        """
        return self._alias(model)

    def db_for_write(self, model: type[Model], **_: object) -> str | None:
        """Return the alias for what writes; raises as `db_for_read` does."""
        return self._alias(model)

    def _alias(self, model: type[Model]) -> str | None:
        if model._meta.app_label in self.shared:
            return None
        alias = _alias.get()
        if alias == NOWHERE:
            raise NoTenant(
                f"{model._meta.label} is the tenant's, and this run's tenant has no database: its source gives none"
            )
        return alias
