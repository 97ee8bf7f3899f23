"""What the commands that write files share: where the application is, how it is started, and the files themselves."""

import getpass
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from rota.cli.root import LazyGroup
from rota.cli.session import Session
from rota.errors import AppNotFound, AppNotImportable, ConfigurationError
from rota.hosts import HostFile, Site, site_of
from rota.place import place_of
from rota.settings import Settings

ROOT = "root"
FRAMEWORKS = {"rota.integrations.flask.": "FLASK_APP", "rota.integrations.django.": "DJANGO_SETTINGS_MODULE"}
"""Where an application is that a framework makes, and the variable that names it to that."""


def site_here(session: Session, *, name: str, directory: str, user: str, command: str, image: str) -> Site:
    """Return the application of this folder, as the files of a host see it.

    Where no application is found the settings alone say what there is to say.

    Raises:
        AppNotImportable: there is one, and it is broken.
    """
    settings: Settings
    try:
        app = session.app_here
        settings, place, store_url = app.settings, place_of(app, named=session.settings.app), app.store_url
        timeouts = [job.registered.job.timeout for job in app.jobs.values()]
    except AppNotImportable:
        raise
    except AppNotFound:
        session.out.say("no application is found here: written from the settings alone")
        settings = session.settings
        place, store_url, timeouts = settings.app, settings.store.url, [settings.worker.timeout]
    return site_of(
        settings,
        name=name,
        environment=_environment(place),
        directory=directory or str(session.directory.absolute()),
        user=user or _user(name),
        command=tuple(shlex.split(command)) if command else _command(),
        image_command=_image_command(),
        schema_command=("python", "manage.py", "migrate", "--noinput") if _called()[0] == "manage.py" else None,
        image=image or f"{name}:latest",
        url=session.url,
        store_url=store_url,
        timeouts=timeouts,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
    )


def _called() -> list[str]:
    """Return the words by which Rota was called: `rota`, `manage.py rota` or `flask rota`."""
    context = click.get_current_context()
    while context.parent is not None and not isinstance(context.command, LazyGroup):
        context = context.parent
    return context.command_path.split()


def _environment(place: str) -> dict[str, str]:
    """Return what has to be said for the application to be found: by the command itself, or by its framework."""
    first, *_ = _called()
    found = {"ROTA_APP": place} if first == "rota" and place else {}
    variable = next((name for start, name in FRAMEWORKS.items() if place.startswith(start)), "")
    # manage.py says it by itself.
    if first != "manage.py" and variable in os.environ:
        found[variable] = os.environ[variable]
    return found


def _command() -> tuple[str, ...]:
    first, *rest = _called()
    if first == "manage.py":
        return (sys.executable, str(Path(sys.argv[0]).absolute()), *rest)
    beside = Path(sys.executable).parent / first
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which(first)
    return (found, *rest) if found else (sys.executable, "-m", "rota")


def _image_command() -> tuple[str, ...]:
    words = tuple(_called())
    return ("python", *words) if words[0] == "manage.py" else words


def _user(name: str) -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        return name
    # Nothing of it needs root.
    return name if user == ROOT else user


def write_files(session: Session, files: Sequence[HostFile], folder: Path) -> None:
    """Write files into a folder, and ask before one is replaced that says something else.

    Raises:
        ConfigurationError: one cannot be written.
    """
    for file in files:
        path = folder / file.name
        try:
            if path.exists() and path.read_bytes() != file.text.encode():
                session.confirm(f"{path} is there and says something else. Replace it?")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
        session.out.text(str(path))
