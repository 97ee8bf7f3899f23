"""The FlaskRota of the application that this process is for.

Importing this loads the application. That is how `flask rota`, `rota --app` and the children of a worker come to the
same object.
"""

from rota.errors import AppNotFound
from rota.integrations.flask.extension import FlaskRota
from rota.integrations.flask.loading import EXTENSION, application


def _found() -> FlaskRota:
    app = application()
    found = app.extensions.get(EXTENSION)
    if not isinstance(found, FlaskRota):
        raise AppNotFound(f"application {app.name!r} has no FlaskRota: rota.init_app(app) where it is made")
    return found


rota: FlaskRota = _found()
"""The FlaskRota of this process."""
