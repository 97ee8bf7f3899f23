"""Rota in a Flask application: an extension as Flask's others are.

rota = FlaskRota()

@rota.job(schedule=every().day.at("02:00"))
def nightly_report() -> None: ...

def create_app() -> Flask:
    app = Flask(__name__)
    rota.init_app(app)
    return app
"""

from rota.integrations.flask.extension import FlaskRota

__all__ = ["FlaskRota"]
