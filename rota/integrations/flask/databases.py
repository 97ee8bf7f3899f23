"""The application's own databases, those of Flask-SQLAlchemy: where the store is, which transaction is open around an
enqueue, and what a fork leaves behind."""

import os
from typing import Any

from sqlalchemy import Engine

from rota.errors import ConfigurationError
from rota.integrations.flask.transactions import OpenSessions, open_sessions, watch
from rota.ports import Store
from rota.tenants.connection import sqlite_file, written

MEMORY = "memory://"


class Databases:
    """What Rota asks of a Flask-SQLAlchemy; all of it within an application context."""

    def __init__(self, db: Any, *, bind: str | None) -> None:
        """`bind` is the key of the database that the store is in, where nothing else is said. From here on the
        sessions are listened to."""
        self.db = db
        self._bind = bind
        self._pid = os.getpid()
        self._inherited: list[object] = []
        watch(db)

    def store_url(self) -> str | None:
        """Return the URL of the database with the bind key; None where none is said, and there is no default one.

        One in memory can be seen from its own connection only: the store beside it is in memory too.

        Raises:
            ConfigurationError: there is no such bind.
        """
        engine: Engine | None = self.db.engines.get(self._bind)
        if engine is None:
            if self._bind is None:
                return None
            raise ConfigurationError(f"bind {self._bind!r} in ROTA is not in SQLALCHEMY_BINDS")
        if engine.dialect.name == "sqlite" and sqlite_file(engine.url) is None:
            return MEMORY
        return written(engine.url)

    def open_sessions(self, store: Store) -> OpenSessions | None:
        """Return the transaction around this code; None where nothing waits to be committed."""
        return open_sessions(self.db, store, bind=self._bind)

    def leave_inherited(self) -> None:
        """Connect anew in a forked child, and leave alone what was open in the process that it is a copy of (R22): a
        child of a worker is one of its spawner, which has imported the application."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        for engine in self.db.engines.values():
            # Kept for ever: what is collected is closed, and a driver may say goodbye over the parent's socket.
            self._inherited.append(engine.pool)
            engine.dispose(close=False)
