"""The application's own databases, those of Flask-SQLAlchemy: where the store is, and what a fork leaves behind."""

import os

from flask import Flask
from sqlalchemy import Engine

from rota.errors import ConfigurationError
from rota.tenants.connection import sqlite_file, written

MEMORY = "memory://"
SQLALCHEMY = "sqlalchemy"
"""The name of Flask-SQLAlchemy in `app.extensions`."""


def store_url(app: Flask, *, bind: str | None) -> str | None:
    """Return the URL of the database with this bind key; None without Flask-SQLAlchemy, or without a default one.

    One in memory can be seen from its own connection only: the store beside it is in memory too.

    Raises:
        ConfigurationError: there is no such bind.
    """
    if SQLALCHEMY not in app.extensions:
        if bind is not None:
            raise ConfigurationError(f"bind {bind!r} in ROTA needs Flask-SQLAlchemy: db.init_app(app)")
        return None
    with app.app_context():
        engines = app.extensions[SQLALCHEMY].engines
        if bind is None and None not in engines:
            return None
        if bind not in engines:
            raise ConfigurationError(f"bind {bind!r} in ROTA is not in SQLALCHEMY_BINDS")
        engine: Engine = engines[bind]
    if engine.dialect.name == "sqlite" and sqlite_file(engine.url) is None:
        return MEMORY
    return written(engine.url)


class Inherited:
    """Connections that were open when this process was forked: a child of a worker has those of its spawner."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._kept: list[object] = []

    def leave(self, app: Flask) -> None:
        """In a forked child leave them alone, and connect anew (R22). Within an application context."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        if SQLALCHEMY in app.extensions:
            for engine in app.extensions[SQLALCHEMY].engines.values():
                # Kept for ever: what is collected is closed, and a driver may say goodbye over the parent's socket.
                self._kept.append(engine.pool)
                engine.dispose(close=False)
