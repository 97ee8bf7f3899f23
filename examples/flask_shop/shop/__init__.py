"""A shop in many cities that confirms its orders in the background."""

import os

from flask import Flask

from shop.extensions import db, rota


def create_app() -> Flask:
    """Make the application; SHOP_DIR is where its files are, SHOP_DATABASE the URL of a database elsewhere."""
    app = Flask(__name__, instance_path=os.environ.get("SHOP_DIR"))
    app.config.from_mapping(
        SECRET_KEY="only for this example",
        # No SQLALCHEMY_DATABASE_URI: what belongs to a city is refused where there is no city.
        SQLALCHEMY_BINDS={"shop": os.environ.get("SHOP_DATABASE", "sqlite:///shop.db")},
        ROTA={"bind": "shop", "worker": {"concurrency": 4, "processes": 2, "drain": "5s"}},
    )
    db.init_app(app)
    rota.init_app(app)

    from shop import commands, jobs, views  # noqa: F401  jobs are known once they are imported

    app.register_blueprint(commands.database)
    app.register_blueprint(views.pages)
    # The API, health and metrics, for whoever is signed in.
    rota.mount("/rota", user=views.viewer)
    return app
