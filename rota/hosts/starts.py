"""The files that `rota init` writes for a new application, for each framework."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rota.errors import ConfigurationError
from rota.hosts.rendering import HostFile, rendered
from rota.redaction import secrets_of_url

SUFFIX = ".tmpl"
SHARED = ("rota.toml", ".env.example")
"""Files that every start has."""


class Start(Struct, frozen=True, kw_only=True):
    """How an application begins."""

    files: tuple[str, ...]
    then: tuple[str, ...]
    """What is to be typed next."""
    app: str = ""
    """Where its Rota object is; "" where the framework knows that."""
    store: str = ""
    """Where runs are kept at first; "" where the framework has a database of its own for that."""


STARTS: Mapping[str, Start] = {
    "none": Start(
        files=("app.py", "test_app.py"),
        app="app:rota",
        store="sqlite:///rota.db",
        then=("rota jobs", "rota start", "pip install pytest, and then: python -m pytest"),
    ),
    "flask": Start(
        files=("app.py", "test_app.py"),
        store="sqlite:///rota.db",
        then=(
            "flask rota jobs",
            "flask rota start, and beside it: flask run",
            "pip install pytest, and then: python -m pytest",
        ),
    ),
    "fastapi": Start(
        files=("main.py", "test_main.py"),
        app="main:rota",
        store="sqlite:///rota.db",
        then=(
            "rota jobs",
            "rota start, and beside it: uvicorn main:app",
            "pip install pytest httpx2, and then: python -m pytest",
        ),
    ),
    "django": Start(
        files=(
            "manage.py",
            *(f"project/{name}.py" for name in ("__init__", "settings", "urls")),
            *(f"work/{name}.py" for name in ("__init__", "jobs", "views", "tests")),
        ),
        then=(
            "python manage.py migrate",
            "python manage.py rota start, and beside it: DEBUG=1 python manage.py runserver",
            "python manage.py test",
        ),
    ),
}


def start_files(framework: str, *, store: str) -> Sequence[HostFile]:
    """Return the files of a start. `store` is a URL, or "" for what the framework begins with.

    Raises:
        ConfigurationError: the URL has a password in it, which is to stand in no file of a project.
    """
    if secrets_of_url(store):
        raise ConfigurationError("--store has a password in it: leave it out, and set ROTA_STORE where it runs")
    start = STARTS[framework]
    values = {"framework": framework, "app": start.app, "store": store or start.store}
    places = {name: f"init/{name}{SUFFIX}" for name in SHARED}
    places |= {name: f"init/{framework}/{name}{SUFFIX}" for name in start.files}
    return [HostFile(name=name, text=rendered(place, **values)) for name, place in places.items()]
