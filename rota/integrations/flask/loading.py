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


def tell_processes(info: ScriptInfo | None) -> None:
    """Have the processes that this one starts find the application that `flask --app` has named here."""
    if info is not None and info.app_import_path:
        os.environ[NAME] = info.app_import_path


def use_current() -> None:
    """Have the current application be that of this process. A process of tests calls commands of one after another."""
    project = sys.modules.get(PROJECT)
    if project is not None:
        setattr(project, ATTRIBUTE, current_app.extensions.get(EXTENSION))
