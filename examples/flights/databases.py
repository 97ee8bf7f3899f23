"""One database per airline, with its flights and a table for what the job finds."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Double,
    Engine,
    Integer,
    MetaData,
    NullPool,
    String,
    Table,
    create_engine,
)

from examples.flights.data import Flight
from examples.flights.places import DATABASES, database_of
from rota.ports import TenantSource
from rota.tenants import MySQLDatabases, PostgresDatabases, SQLiteDirectory

TABLES = MetaData()

FLIGHTS = Table(
    "flights",
    TABLES,
    Column("departs_at", BigInteger, index=True, nullable=False),
    Column("number", Integer, nullable=False),
    Column("origin", String(3), nullable=False),
    Column("destination", String(3), nullable=False),
    Column("delay", Integer),
)

DAILY_DELAYS = Table(
    "daily_delays",
    TABLES,
    Column("day", String(10), primary_key=True),
    Column("flights", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("delay_minutes", Integer, nullable=False),
    Column("mean_delay", Double),
    Column("median_delay", Double),
    Column("max_delay", Integer),
    Column("late", Integer, nullable=False),
)

ROWS_AT_ONCE = 1000


def tenants(at: URL = DATABASES) -> TenantSource:
    """Return where Rota finds the airlines: whatever has a database there is a tenant."""
    match at.get_backend_name():
        case "sqlite":
            return SQLiteDirectory(str(at.database), match=r"\w\w\.db")
        case "postgresql":
            return PostgresDatabases(at.render_as_string(hide_password=False), match=r"flights_\w\w")
        case _:
            return MySQLDatabases(at.render_as_string(hide_password=False), match=r"flights_\w\w")


def build(flights: Iterable[Flight], at: URL = DATABASES) -> dict[str, int]:
    """Make each airline's database anew; return how many flights each has."""
    by_carrier: dict[str, list[Flight]] = {}
    for flight in flights:
        by_carrier.setdefault(flight.carrier, []).append(flight)
    for carrier, own in by_carrier.items():
        _create(carrier, at)
        engine = create_engine(database_of(carrier, at), poolclass=NullPool)
        if at.get_backend_name() == "sqlite":
            with engine.connect() as connection:
                # One write to the disk per transaction instead of three. It stays so in the file.
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        with engine.begin() as connection:
            TABLES.drop_all(connection)
            TABLES.create_all(connection)
            _insert(connection, own)
    return {carrier: len(own) for carrier, own in sorted(by_carrier.items())}


def _create(carrier: str, at: URL) -> None:
    place = database_of(carrier, at)
    if at.get_backend_name() == "sqlite":
        Path(str(at.database)).mkdir(parents=True, exist_ok=True)
        # With its journal: one that a killed process left would be played into the new file.
        for file in Path(str(at.database)).glob(f"{carrier}.db*"):
            file.unlink()
        return
    server = create_engine(_server(at), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        name = server.dialect.identifier_preparer.quote_identifier(str(place.database))
        if place.database not in _names(server, connection):
            connection.exec_driver_sql(f"CREATE DATABASE {name}")


def _server(at: URL) -> URL:
    return at.set(database=at.database or "postgres") if at.get_backend_name() == "postgresql" else at


def _names(server: Engine, connection: Connection) -> set[str]:
    question = "SELECT datname FROM pg_database" if server.dialect.name == "postgresql" else "SHOW DATABASES"
    return {row[0] for row in connection.exec_driver_sql(question)}


def _insert(connection: Connection, flights: Sequence[Flight]) -> None:
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    row = f"({', '.join([mark] * len(FLIGHTS.columns))})"
    head = f"INSERT INTO flights ({', '.join(FLIGHTS.columns.keys())}) VALUES "
    for start in range(0, len(flights), ROWS_AT_ONCE):
        chunk = flights[start : start + ROWS_AT_ONCE]
        # Many rows in one statement: the one way to write fast that all three databases know.
        connection.exec_driver_sql(
            head + ", ".join([row] * len(chunk)), tuple(value for flight in chunk for value in flight[1:])
        )
