"""Where an application is to be found again, and what it is told there, by a process that has none of its objects."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from rota.errors import AppNotFound, ConfigurationError
from rota.settings import Settings
from rota.settings.reading import KINDS, SECRETS, TABLES, build, laid_over, read, value_of, written

SCRIPT = "__rota_main__"
"""The name of a script's module in a child: not `__main__`, so that what it does when it is started is not done."""

ORIGIN = "the worker"
_MAY_BE_NONE = frozenset({"worker.timeout"})
"""Keys of which `none` is a value to write; of others it means that nothing was set."""


def place_of(app: object, *, named: str = "") -> str:
    """Return `module:attribute` of an application, or `path:attribute` when it stands in the script that runs.

    `named` is what the settings say; it is the answer where it is right.

    Raises:
        AppNotFound: no module that is imported has it as an attribute.
    """
    module_name, _, attribute = named.partition(":")
    if attribute and getattr(sys.modules.get(module_name), attribute, None) is app:
        return named
    for name, module in list(sys.modules.items()):
        for attribute, value in list(getattr(module, "__dict__", {}).items()):
            if value is app:
                return f"{_importable(name, module)}:{attribute}"
    raise AppNotFound(
        "process jobs need the application as an attribute of a module, such as `app = Rota(...)` at its top: "
        "a child process imports it from there"
    )


def refuse_copy(app: object) -> None:
    """Refuse an application whose file was imported under two names: each import made one, and jobs that were
    registered with the other would not be known here. The copy of a script that only starts the server is none.

    Raises:
        ConfigurationError: names both.
    """
    held = [
        (name, module, attribute)
        for name, module in list(sys.modules.items())
        for attribute, value in list(getattr(module, "__dict__", {}).items())
        if value is app and getattr(module, "__file__", None)
    ]
    for name, module, attribute in held:
        for other, copy in list(sys.modules.items()):
            is_copy = (
                getattr(copy, "__file__", None) == module.__file__
                and isinstance(found := getattr(copy, attribute, None), type(app))
                and found is not app
            )
            # `python main.py` that runs "main:app" uses the import, and nothing of `__main__`.
            if is_copy and not other.startswith("__"):
                raise ConfigurationError(
                    f"{module.__file__} was imported twice, as {name!r} and as {other!r}, and made two applications: "
                    "jobs of one are unknown to the other; import it by one name everywhere"
                )


def find_app(place: str, *, preload: Sequence[str] = ()) -> object:
    """Import what is preloaded and the application, and return that. Raises what the import raises."""
    for name in preload:
        import_module(name)
    name, _, attribute = place.rpartition(":")
    module = _script(Path(name)) if name.endswith(".py") else import_module(name)
    found: object = getattr(module, attribute)
    return found


def told(settings: Settings) -> dict[str, str]:
    """Return settings as text by key, for `heard`: without secrets, and without the tenant source and who is told of
    incidents, which nobody asks in a child process."""
    left_out = SECRETS | TABLES | {"tenants.source"}
    values = {key: value_of(settings, key) for key in KINDS if key not in left_out}
    return {key: written(value) for key, value in values.items() if value is not None or key in _MAY_BE_NONE}


def heard(texts: Mapping[str, str], *, code: Settings) -> Settings:
    """Return what the worker told, over what the code of the application says."""
    values = {key: read(key, text, origin=ORIGIN, env={}) for key, text in texts.items()}
    return laid_over(code, build(values, origins=dict.fromkeys(values, ORIGIN)))


def _importable(name: str, module: object) -> str:
    if name != "__main__":
        return name
    spec = getattr(module, "__spec__", None)
    if spec is not None:
        # `python -m package.module`.
        return str(spec.name)
    return str(Path(str(getattr(module, "__file__", "__main__"))).absolute())


def _script(path: Path) -> object:
    spec = spec_from_file_location(SCRIPT, path)
    if spec is None or spec.loader is None:
        raise AppNotFound(f"{path} is no Python file")
    module = module_from_spec(spec)
    sys.modules[SCRIPT] = module
    spec.loader.exec_module(module)
    return module


def named_object(name: str) -> object:
    """Return what a setting means by `module:attribute`.

    Raises:
        ConfigurationError: there is no such module or attribute.
    """
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{name!r} is not module:attribute of something there is: {error}") from error
