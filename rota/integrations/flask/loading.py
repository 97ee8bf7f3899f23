"""Where a process finds its Flask application: as `flask` does, by FLASK_APP, or in `wsgi.py` or `app.py`."""

import os
import sys

from flask import Flask, current_app, has_app_context
from flask.cli import NoAppException, ScriptInfo

from rota.errors import AppNotFound

EXTENSION = "rota"
"""The name of a FlaskRota in `app.extensions`."""
PROJECT, ATTRIBUTE = "rota.integrations.flask.project", "rota"
PLACE = f"{PROJECT}:{ATTRIBUTE}"
"""Where the FlaskRota of every application is, for `rota --app` and for child processes."""
NAME = "FLASK_APP"


def application() -> Flask:
    """Return the application that a command of `flask` works on, or else the one that `flask` would load.

    Raises:
        AppNotFound: there is none, or its factory needs arguments.
    """
    if has_app_context():
        return current_app._get_current_object()  # type: ignore[attr-defined,no-any-return]  # it is a proxy
    try:
        return ScriptInfo(app_import_path=os.environ.get(NAME)).load_app()
    except NoAppException as error:
        raise AppNotFound(f"no Flask application, which {NAME} names as for flask: {error.format_message()}") from error


def tell_processes(named: str) -> None:
    """Have the processes that this one starts find the application that it works for."""
    os.environ[NAME] = named


def is_told() -> bool:
    """Whether they would look for one that is named already."""
    return bool(os.environ.get(NAME))


def name_of(app: Flask) -> str:
    """Return how `flask --app` would name an application: by its module or package, or by the script that runs."""
    if app.import_name != "__main__":
        return app.import_name
    return str(getattr(sys.modules["__main__"], "__file__", "app.py"))


def use_current() -> None:
    """Have the current application be that of this process. A process of tests calls commands of one after another."""
    project = sys.modules.get(PROJECT)
    if project is not None:
        setattr(project, ATTRIBUTE, current_app.extensions.get(EXTENSION))
