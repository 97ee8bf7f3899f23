"""What operators do to the store itself."""

from datetime import timedelta

from rota.app import Rota
from rota.errors import Refused

BATCH = 1000


def upgrade_sql(app: Rota, *, start: int) -> str:
    """Return the statements that take schema `start` (0: none) to this code's.

    Raises:
        Refused: the store has no schema.
    """
    # Weight by choice: SQLAlchemy is loaded for the commands that speak to a database.
    from rota.stores.sql.store import SqlStore

    store = app.open_store()
    if not isinstance(store, SqlStore):
        raise Refused("only a store on SQL has a schema: SQLite, PostgreSQL, MariaDB or MySQL")
    return store.upgrade_sql(start=start)


def pruned(app: Rota, *, succeeded: timedelta, failed: timedelta, logs: timedelta) -> int:
    """Delete runs that ended longer ago than this, and older logs, batch by batch; return how many runs."""
    now, total = app.clock.now(), 0
    while True:
        deleted = app.store.prune(
            succeeded_before=now - succeeded,
            failed_before=now - failed,
            slots_before=now - app.settings.scheduler.max_catch_up,
            logs_before=now - logs,
            audit_before=now - app.settings.retention.audit,
            limit=BATCH,
        )
        total += deleted.runs
        if max(deleted.runs, deleted.chunks) < BATCH:
            return total
