"""The application. `app` is what a web server serves, `rota` what `rota start` works for."""

from collections.abc import Mapping

from flask import Flask

import examples.casework.jobs  # noqa: F401 (which registers them)
from examples.casework.agencies import NAMES
from examples.casework.models import db
from examples.casework.web import web
from examples.casework.work import rota

__all__ = ["app", "create_app", "rota"]


def create_app(config: Mapping[str, object] | None = None) -> Flask:
    """Make the application; what is not in `config` is said by the environment: `CASEWORK_AGENCIES`, say."""
    app = Flask("casework")
    app.config |= {"AGENCIES": "sqlite:///agencies", "AGENCY_NAMES": NAMES}
    app.config.from_prefixed_env("CASEWORK")
    app.config.from_mapping(config or {})
    # Flask-SQLAlchemy wants to know of a database; all of ours are those of the agencies.
    app.config["SQLALCHEMY_BINDS"] = {"none": "sqlite://"}
    db.init_app(app)
    rota.init_app(app)
    app.register_blueprint(web)
    return app


app = create_app()
