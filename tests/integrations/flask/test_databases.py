"""Where the store is among the application's own databases, and connections from before a fork."""

import os

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

from rota import testing
from rota.errors import ConfigurationError
from rota.integrations.flask import FlaskRota
from tests.integrations.flask.test_extension import an_application


def a_rota(**config):
    app = an_application(**config)
    SQLAlchemy().init_app(app)
    return FlaskRota(app)


@pytest.mark.parametrize(
    ("config", "kept"),
    [
        ({"SQLALCHEMY_DATABASE_URI": "sqlite:////tmp/shop.db"}, "sqlite:////tmp/shop.db"),
        ({"SQLALCHEMY_DATABASE_URI": "sqlite://"}, "memory://"),
        ({"SQLALCHEMY_BINDS": {"runs": "sqlite:////tmp/runs.db"}, "ROTA": {"bind": "runs"}}, "sqlite:////tmp/runs.db"),
        ({"SQLALCHEMY_BINDS": {"runs": "sqlite:////tmp/runs.db"}}, "sqlite:///rota.db"),
        ({"SQLALCHEMY_DATABASE_URI": "sqlite://", "ROTA_STORE": "redis://127.0.0.1"}, "redis://127.0.0.1"),
    ],
)
def test_the_store_is_the_applications_own_database_where_nothing_else_is_said(config, kept):
    assert a_rota(**config).store_url == kept


def test_a_bind_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match="'runs' in ROTA is not in SQLALCHEMY_BINDS"):
        a_rota(SQLALCHEMY_DATABASE_URI="sqlite://", ROTA={"bind": "runs"}).store  # noqa: B018  # asking is enough


def test_a_forked_child_leaves_the_connections_of_its_parent_alone(tmp_path):  # R22
    rota = a_rota(SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/shop.db")
    db = rota.application.extensions["sqlalchemy"]
    with rota.application.app_context():
        db.session.execute(text("SELECT 1"))
        inherited = db.engine.pool

    @rota.job()
    def look() -> bool:
        db.session.execute(text("SELECT 1"))
        return db.engine.pool is not inherited

    with testing.capture(rota) as jobs:
        first = look.enqueue()
        jobs.drain()
        # Of the parent, as far as the child can see.
        rota._databases._pid = os.getppid()
        child = look.enqueue()
        jobs.drain()

        assert (first.result(), child.result()) == (False, True)
    # Not closed, which would say goodbye over the parent's socket: it is still there.
    assert inherited.checkedin() == 1
    inherited.dispose()
    db_engine(rota).dispose()


def db_engine(rota):
    with rota.application.app_context():
        return rota.application.extensions["sqlalchemy"].engine
