"""Tenants that are databases: files of a directory, databases of a server, schemas of a database (R20)."""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rota.core.model import Tenant
from rota.errors import ConfigurationError

if TYPE_CHECKING:
    from rota.tenants.connection import Server

Pattern = str | re.Pattern[str]

ANY = ".+"
# Never tenants, whatever the pattern says. Hosting services make rdsadmin, cloudsqladmin and azure_... .
MYSQL_SYSTEM = "mysql|sys|information_schema|performance_schema|innodb|ndbinfo"
POSTGRES_SYSTEM = "postgres|template[01]|pg_.*|rdsadmin|cloudsqladmin|azure_sys|azure_maintenance"
SCHEMA_SYSTEM = "public|information_schema|pg_.*"


class SQLiteDirectory:
    """Each SQLite file of a directory is a tenant; its id is the file's name without the suffix."""

    def __init__(
        self,
        path: str | Path,
        *,
        match: Pattern = r".+\.db",
        exclude: Collection[str] = (),
        allow_empty: bool = False,
    ) -> None:
        self.allow_empty = allow_empty
        # Absolute now: a job may change the working directory.
        self._path = Path(path).absolute()
        self._names = Names(match, exclude=exclude)
        self._url_of = _server("sqlite://").url_of

    def tenants(self) -> Sequence[Tenant]:
        """Return a tenant for each file whose name matches; `exclude` holds names of files or ids."""
        files = {entry.name: entry for entry in self._path.iterdir() if entry.is_file()}
        chosen = [files[name] for name in self._names.chosen(files)]
        return [
            Tenant(id=file.stem, url=self._url_of(str(file))) for file in chosen if not self._names.excludes(file.stem)
        ]


class MySQLDatabases:
    """Each database of a MySQL or MariaDB server whose name matches is a tenant, and its name the id.

    `server_url` reaches the server; so do the tenants' URLs, or `tenant_url` if another account is to be used.
    """

    def __init__(
        self,
        server_url: str,
        *,
        match: Pattern = ANY,
        exclude: Collection[str] = (),
        tenant_url: str | None = None,
        allow_empty: bool = False,
    ) -> None:
        self.allow_empty = allow_empty
        self._names = Names(match, exclude=exclude, system=MYSQL_SYSTEM)
        self._server = _server(server_url)
        self._tenant_server = _server(tenant_url or server_url)

    def tenants(self) -> Sequence[Tenant]:
        names = self._names.chosen(_column(self._server, "SELECT schema_name AS name FROM information_schema.schemata"))
        return [Tenant(id=name, url=self._tenant_server.url_of(name)) for name in names]


class PostgresDatabases:
    """Each database of a PostgreSQL server whose name matches is a tenant, and its name the id.

    The list is read in the database that `server_url` names, else in `postgres`. Templates and databases that allow
    no connections are left out. `tenant_url` as for MySQLDatabases.
    """

    def __init__(
        self,
        server_url: str,
        *,
        match: Pattern = ANY,
        exclude: Collection[str] = (),
        tenant_url: str | None = None,
        allow_empty: bool = False,
    ) -> None:
        self.allow_empty = allow_empty
        self._names = Names(match, exclude=exclude, system=POSTGRES_SYSTEM)
        self._server = _server(server_url, database="postgres")
        self._tenant_server = _server(tenant_url or server_url)

    def tenants(self) -> Sequence[Tenant]:
        listing = "SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate"
        names = self._names.chosen(_column(self._server, listing))
        return [Tenant(id=name, url=self._tenant_server.url_of(name)) for name in names]


class PostgresSchemas:
    """Each schema of a PostgreSQL database whose name matches is a tenant, and its name the id.

    `public` is never one: it is what tenants share.
    """

    def __init__(
        self, database_url: str, *, match: Pattern = ANY, exclude: Collection[str] = (), allow_empty: bool = False
    ) -> None:
        self.allow_empty = allow_empty
        self._names = Names(match, exclude=exclude, system=SCHEMA_SYSTEM)
        self._server = _server(database_url)

    def tenants(self) -> Sequence[Tenant]:
        names = self._names.chosen(_column(self._server, "SELECT nspname AS name FROM pg_namespace"))
        return [Tenant(id=name, url=self._server.url, schema=name) for name in names]


class Names:
    """Which names are tenants. Decided here and not by the server: in `LIKE`, `agency_%` also means agencyX1."""

    def __init__(self, match: Pattern, *, exclude: Collection[str], system: str = "") -> None:
        try:
            # With DOTALL a name with a line break in it is refused aloud later, not left out in silence here.
            self._match = re.compile(match, re.DOTALL) if isinstance(match, str) else match
        except re.error as error:
            raise ConfigurationError(f"match={match!r} is no regular expression: {error}") from error
        self._exclude = frozenset([exclude] if isinstance(exclude, str) else exclude)
        self._system = re.compile(system, re.DOTALL | re.IGNORECASE)

    def chosen(self, names: Iterable[str]) -> list[str]:
        """Return the names that match as a whole and are neither excluded nor the server's own, sorted."""
        return sorted(name for name in names if self._match.fullmatch(name) and not self.excludes(name))

    def excludes(self, name: str) -> bool:
        return name in self._exclude or self._system.fullmatch(name) is not None


def _server(url: str, *, database: str | None = None) -> "Server":
    # Weight by choice: SQLAlchemy is loaded by who makes a source that needs it, not by `import rota`.
    from rota.tenants.connection import Server

    return Server(url, database=database)


def _column(server: "Server", listing: str) -> list[str]:
    return [str(row["name"]) for row in server.rows(listing)]
