"""Where the agencies' databases are: on a server of MariaDB or MySQL, or SQLite files in a folder.

Each round of a job asks anew who there is: an agency that was added a minute ago has its runs, without a deploy.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL, create_engine, make_url

from examples.casework.models import db
from rota import Tenant
from rota.tenants import MySQLDatabases, SQLiteDirectory

NAMES = r"agency_\w+"


def agencies(url: str, names: str = NAMES) -> Sequence[Tenant]:
    """Return the agencies that there are: databases with such names, at a URL such as
    `mysql+pymysql://user:password@host/` or `sqlite:///folder`."""
    where = make_url(url)
    if _is_sqlite(where):
        return SQLiteDirectory(_folder(where), match=rf"{names}\.db").tenants()
    return MySQLDatabases(url, match=names).tenants()


def add_agency(url: str, name: str) -> URL:
    """Create the database of an agency, with its tables; one that is there gets what it lacks."""
    where = make_url(url)
    if _is_sqlite(where):
        _folder(where).mkdir(parents=True, exist_ok=True)
        own = where.set(database=str(_folder(where) / f"{name}.db"))
    else:
        own = where.set(database=name)
        server = create_engine(where, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            quoted = server.dialect.identifier_preparer.quote_identifier(name)
            connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {quoted} CHARACTER SET utf8mb4")
        server.dispose()
    engine = create_engine(own)
    db.metadata.create_all(engine)
    engine.dispose()
    return own


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _folder(url: URL) -> Path:
    return Path(url.database or "agencies")
