"""Rota in a Flask application: an extension as Flask's others are.

rota = FlaskRota()

@rota.job(schedule=every().day.at("02:00"))
def nightly_report() -> None: ...

def create_app() -> Flask:
    app = Flask(__name__)
    rota.init_app(app)
    return app
"""

from rota.errors import MissingExtra

try:
    import flask as _flask  # noqa: F401
except ImportError as error:
    raise MissingExtra("flask", needed_for="its integration") from error

from rota.integrations.flask.extension import FlaskRota

__all__ = ["FlaskRota"]
