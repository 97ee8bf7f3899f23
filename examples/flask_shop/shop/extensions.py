"""What the parts of the shop share."""

from collections.abc import Sequence
from pathlib import Path

from flask import current_app, session
from flask_sqlalchemy import SQLAlchemy

from rota import Tenant
from rota.integrations.flask import FlaskRota
from rota.integrations.flask.sessions import tenant_sessions
from rota.tenants import SQLiteDirectory


def cities() -> Sequence[Tenant]:
    """Return the cities that the shop is in: each has its stock in a SQLite file of its own."""
    return SQLiteDirectory(Path(current_app.instance_path) / "cities", allow_empty=True).tenants()


db = SQLAlchemy(session_options=tenant_sessions())
rota = FlaskRota(tenants=cities)


@rota.carried("user_id")
def user() -> str | None:
    """Say who asks, to the runs that a request enqueues."""
    return session.get("user")
