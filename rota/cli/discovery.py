"""Find the Rota object that a command works on."""

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType

from rota.app import Rota
from rota.core.safe import safe_text
from rota.errors import AppNotFound, AppNotImportable, RotaError
from rota.redaction import redacted

PLACES = ("app", "jobs", "main")


def find_app(name: str, *, directory: Path) -> Rota:
    """Return the app `module:attribute`, or the only one in `module`; for "" the only one in app.py, jobs.py, main.py.

    `directory` is put first on the path, so that an application is found where it is.

    Raises:
        AppNotFound: there is none, or more than one, or its module cannot be imported; then it names the line of the
            application at which it broke.
    """
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    if name:
        module_name, _, attribute = name.partition(":")
        module = _import(module_name)
        return _attribute(module, attribute) if attribute else _only_app(module)
    for place in PLACES:
        if (directory / f"{place}.py").is_file() or (directory / place / "__init__.py").is_file():
            found = _apps_in(_import(place))
            if len(found) == 1:
                return next(iter(found.values()))
            if found:
                raise AppNotFound(f"{place}.py has {len(found)} Rota objects: {', '.join(found)}; name one")
    django = ": in a Django project it is `python manage.py rota`" if (directory / "manage.py").is_file() else ""
    raise AppNotFound(f"no Rota object in {', '.join(f'{place}.py' for place in PLACES)} of {directory}{django}")


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except RotaError:
        # It says what is wrong already: a duplicate job, a bad schedule.
        raise
    except (Exception, SystemExit) as error:
        raise AppNotImportable(f"cannot import {name!r}: {_where(error)}{_told(error)}") from error


def _told(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return safe_text(redacted(f"{type(error).__name__}: {first}" if first else type(error).__name__))


def _where(error: BaseException) -> str:
    """Return `file:line: ` of the application's own last frame, where there is one."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}:{error.lineno}: "
    ours = str(Path(__file__).parent.parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        library = frame.filename.startswith((ours, "<frozen")) or "site-packages" in frame.filename
        if not library and f"{os.sep}importlib{os.sep}" not in frame.filename:
            return f"{_short(frame.filename)}:{frame.lineno}: "
    return ""


def _short(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def _apps_in(module: ModuleType) -> dict[str, Rota]:
    found = {name: value for name, value in vars(module).items() if isinstance(value, Rota)}
    # One app under two names is one app.
    return {name: app for index, (name, app) in enumerate(found.items()) if app not in list(found.values())[:index]}


def _only_app(module: ModuleType) -> Rota:
    found = _apps_in(module)
    if len(found) != 1:
        names = ", ".join(f"{module.__name__}:{name}" for name in found)
        raise AppNotFound(f"module {module.__name__!r} has {len(found) or 'no'} Rota objects{names and ': ' + names}")
    return next(iter(found.values()))


def _attribute(module: ModuleType, attribute: str) -> Rota:
    value: object = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            there = ", ".join(f"{module.__name__}:{name}" for name in _apps_in(module)) or "none"
            raise AppNotFound(f"module {module.__name__!r} has no {attribute!r}; Rota objects in it: {there}")
        value = getattr(value, part)
    if not isinstance(value, Rota):
        raise AppNotFound(f"{module.__name__}:{attribute} is a {type(value).__name__}, not a Rota object")
    return value
