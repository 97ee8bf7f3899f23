"""The transaction of `db.session` around an enqueue: joined where it is one of the store's database, else waited for
(R34)."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import current_app
from flask.globals import app_ctx
from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction

from rota.app import Rota
from rota.errors import RotaError
from rota.integrations.flask import tenants
from rota.integrations.flask.loading import EXTENSION
from rota.ports import Joins, Store
from rota.sqlalchemy_transaction import commit_now
from rota.transactions import Work

INFO = "rota"
"""In the `info` of a session."""

READS = re.compile(
    r"""(?:\s | \( | /\*.*?\*/ | --[^\n]*\n)*             # parentheses and comments in front
    (?:(?:SELECT|VALUES|TABLE)\b (?!.*\bFOR\b.*\bUPDATE\b)
    | WITH\b (?!.*\b(?:INSERT|UPDATE|DELETE|MERGE)\b)
    | (?:SHOW|PRAGMA|EXPLAIN|DESC|DESCRIBE|SET|SAVEPOINT|RELEASE|ROLLBACK)\b)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""What leaves nothing to commit. In doubt a run waits for a commit."""


class Waiting:
    """Work that waits for several sessions: for the last of their commits, and for ever if one is rolled back."""

    def __init__(self, work: Work, *, sessions: int) -> None:
        self._work = work
        self._left = sessions

    def __call__(self) -> None:
        self._left -= 1
        if not self._left:
            self._work()


class Unfinished:
    """What a session has done since its last commit or rollback, and what waits for the next."""

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.has_written: bool = False
        self.is_committed: bool = False
        self._home: Connection | None = None
        self._works: list[tuple[Work, frozenset[SessionTransaction]]] = []

    @classmethod
    def of(cls, session: Session) -> "Unfinished":
        """Return that of a session."""
        found = session.info.setdefault(INFO, cls())
        assert isinstance(found, cls), "nobody else has this key"
        return found

    def hear(self, _connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        """Notice a statement that is to be committed."""
        if not self.has_written and READS.match(statement) is None:
            self.has_written = True

    def add(self, work: Work, session: Session) -> None:
        """Let work wait for the commit of a session; a rollback forgets it, also to a savepoint before it."""
        inner = session.get_nested_transaction() or session.get_transaction()
        around = []
        while inner is not None:
            around.append(inner)
            inner = inner.parent
        self._works.append((work, frozenset(around)))
        # Another enqueue is to wait as well, also when nothing else is there to commit.
        self.has_written = True

    def forget(self, ended: SessionTransaction) -> None:
        """Forget what waits and was added within a transaction that is rolled back."""
        self._works = [(work, around) for work, around in self._works if ended not in around]

    def commit_last(self, home: Connection) -> None:
        """Have the connection that runs are written on committed after all others of the session: there is no run of
        what another database refuses to commit."""
        if self._home is not home:
            self._home = home
            event.listen(home, "commit", self._commit_others, once=True)

    def _commit_others(self, home: Connection) -> None:
        for connection in self.connections:
            if connection is not home and connection.in_transaction():
                # What SQLAlchemy does afterwards finds nothing to do.
                commit_now(connection)

    def work(self) -> None:
        """Do what has waited, all of it.

        Raises:
            RotaError: the first of what was raised. It comes out of the commit, which has been made.
        """
        refused: list[RotaError] = []
        for work, _ in self._works:
            try:
                work()
            except RotaError as error:
                refused.append(error)
        if refused:
            raise refused[0]


def watch(db: Any) -> None:
    """Notice what the sessions of a Flask-SQLAlchemy do; once, however often it is called."""
    for name, heard in HEARD.items():
        event.listen(db.session, name, heard)


def _begun(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        _open_store()
    unfinished = Unfinished.of(session)
    if connection not in unfinished.connections:
        unfinished.connections.append(connection)
        event.listen(connection, "before_cursor_execute", unfinished.hear)


def _open_store() -> None:
    """Open a store in a SQLite file before the application writes: one writes at a time, and to make its tables at the
    first enqueue, it would have to wait for the transaction that this is in."""
    rota = current_app.extensions.get(EXTENSION)
    if isinstance(rota, Rota) and rota.store_url.startswith("sqlite"):
        # The enqueue says it; who enqueues nothing may do without.
        with suppress(RotaError):
            rota.store  # noqa: B018  # the first question opens it


def _committed(session: Session) -> None:
    # Of a savepoint it is told as well.
    if not session.in_nested_transaction():
        Unfinished.of(session).is_committed = True


def _rolled_back(session: Session, ended: SessionTransaction) -> None:
    Unfinished.of(session).forget(ended)


def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is not None:
        return
    unfinished = session.info.pop(INFO, None)
    # Not when it is committed: only now are its connections free.
    if isinstance(unfinished, Unfinished) and unfinished.is_committed:
        unfinished.work()


HEARD: Mapping[str, Callable[..., None]] = {
    "after_begin": _begun,
    "after_commit": _committed,
    "after_soft_rollback": _rolled_back,
    "after_transaction_end": _ended,
}


class OpenSessions:
    """The sessions around this code that have something to commit, as one transaction."""

    is_told = True

    def __init__(self, sessions: Sequence[Session], *, home: Connection | None) -> None:
        """`home` is the connection of one that may lead to the store, where that is the only one."""
        self.driver: object = None if home is None else home.connection.driver_connection
        self._sessions = sessions
        self._home = home

    def after_commit(self, work: Work) -> None:
        """Call `work` once all of them are committed; forget it with a rollback, also to a savepoint before it."""
        waiting = Waiting(work, sessions=len(self._sessions))
        for session in self._sessions:
            Unfinished.of(session).add(waiting, session)


def open_sessions(db: Any, store: Store, *, bind: str | None) -> OpenSessions | None:
    """Return the transaction around this code; None where nothing waits to be committed.

    A session that has only read is none: nobody would commit it. `bind` is the key of the database that the store may
    be in. With several sessions, of tenants and outside of them, it waits for all.
    """
    found = [session for session in _sessions(db) if _has_something_to_commit(session)]
    if not found:
        return None
    home: Connection | None = None
    engine: Engine | None = db.engines.get(bind)
    if len(found) == 1 and engine is not None and isinstance(store, Joins):
        [session] = found
        home = session.connection(bind_arguments={"bind": engine})
        if store.is_home_of(home.connection.driver_connection):
            Unfinished.of(session).commit_last(home)
    return OpenSessions(found, home=home)


def _sessions(db: Any) -> list[Session]:
    registry = db.session.registry
    if registry.scopefunc is not tenants.scope:
        return [registry()] if registry.has() else []
    context = app_ctx._get_current_object()  # type: ignore[attr-defined]  # it is a proxy
    scopes = [(context, tenant) for tenant in tenants.around()]
    return [registry.registry[scope] for scope in scopes if scope in registry.registry]


def _has_something_to_commit(session: Session) -> bool:
    if not session.in_transaction():
        return False
    return Unfinished.of(session).has_written or bool(session.new or session.dirty or session.deleted)
