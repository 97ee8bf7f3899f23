"""Transactions of SQLAlchemy, and what is to be done once they are committed."""

import re
import weakref

from sqlalchemy import Connection, event
from sqlalchemy.engine import TwoPhaseTransaction
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, scoped_session

from rota.errors import ConfigurationError, RotaError
from rota.transactions import Work, do_in_thread, is_asynchronous

SAVEPOINT = re.compile(r"\s*(?:(ROLLBACK\s+TO)(?:\s+SAVEPOINT)?|SAVEPOINT)\s+(\S+?);?\s*$", re.IGNORECASE)


class SqlalchemyTransaction:
    """The transaction of a Connection, or of the connection that a Session uses."""

    is_told = True

    def __init__(self, connection: object) -> None:
        """Begins one where none is.

        Raises:
            ConfigurationError: it is an engine, or asynchronous.
        """
        if isinstance(connection, Session | scoped_session):
            connection = connection.connection()
        if not isinstance(connection, Connection):
            name = type(connection).__name__
            way_out = (
                "await job.using(connection=...).aenqueue(...)"
                if is_asynchronous(connection) and name != "AsyncEngine"
                else "with engine.begin() as connection: job.using(connection=connection).enqueue(...)"
            )
            raise ConfigurationError(f"connection={name} has no transaction to join: {way_out}")
        self._connection = connection
        self.driver: object = connection.connection.driver_connection

    def after_commit(self, work: Work) -> None:
        """Call `work` once the transaction is committed; forget it with a rollback, also to a savepoint before it.

        What it raises comes out of the commit, which then has been made.
        """
        if isinstance(self._connection.get_transaction(), TwoPhaseTransaction):
            raise ConfigurationError("connection=...: nobody tells when a two-phase transaction ends; leave it out")
        if not self._connection.in_transaction():
            self._connection.begin()
        pending = _pending.get(self._connection)
        if pending is None:
            pending = _pending[self._connection] = Pending(self._connection)
        pending.add(work)


def commit_now(connection: Connection) -> None:
    """Commit a connection without a word to SQLAlchemy; its own commit then finds nothing to do.

    Raises:
        DBAPIError: the database has refused.
    """
    dialect = connection.dialect
    errors = dialect.loaded_dbapi.Error
    try:
        dialect.do_commit(connection.connection)
    except errors as error:
        raise DBAPIError.instance("COMMIT", None, error, errors, dialect=dialect) from error


class Pending:
    """What waits for the commit of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._works: list[Work] = []
        self._marks: dict[str, int] = {}
        """How much was waiting when each savepoint was made that is known here."""
        event.listen(connection, "commit", self._commit)
        event.listen(connection, "rollback", self._forget)
        # The events for savepoints do not name them when they are made; the statements do, those by hand too.
        event.listen(connection, "before_cursor_execute", self._hear)

    def add(self, work: Work) -> None:
        """Let `work` wait; once, where it waits already as the last: a thousand runs wake the workers once."""
        if not self._works or self._works[-1] != work:
            self._works.append(work)

    def _hear(self, _connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        match = SAVEPOINT.match(statement)
        if match is None:
            return
        is_made, name = match.group(1) is None, match.group(2).lower()
        if is_made:
            self._marks[name] = len(self._works)
        else:
            # One that is not known was made before anything waited.
            del self._works[self._marks.get(name, 0) :]

    def _forget(self, _connection: Connection) -> None:
        self._works.clear()
        self._marks.clear()

    def _commit(self, connection: Connection) -> None:
        works = list(self._works)
        self._forget(connection)
        if not works:
            return
        # SQLAlchemy tells of a commit before it makes it, and of no end of it. So it is made here, and the one that
        # follows finds nothing to do.
        commit_now(connection)
        refused: list[RotaError] = []
        for work in works:
            try:
                if connection.dialect.is_async:
                    do_in_thread(work, connection.connection.dbapi_connection)
                else:
                    work()
            except RotaError as error:
                refused.append(error)
        if refused:
            raise refused[0]


_pending: "weakref.WeakKeyDictionary[Connection, Pending]" = weakref.WeakKeyDictionary()
