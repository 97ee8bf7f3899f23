"""Lists of tables, as `[[alerts.channel]]` and `[[auth.key]]` are written."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct

from rota.core.typed import typed
from rota.errors import UnknownSetting, close_names

Table = TypeVar("Table", bound=Struct)


def listed(key: str, value: object) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the tables of a list, or of the same as JSON, each with what it is called in messages.

    Raises:
        ValueError: it is something else; nothing of it is in the message.
    """
    parsed = value
    if isinstance(value, str):
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = None
    if not isinstance(parsed, Sequence) or not all(isinstance(one, Mapping) for one in parsed):
        raise ValueError(f"it must be a list of tables: [[{key}]]")
    return [(f"[[{key}]] {number}", one) for number, one in enumerate(parsed, start=1)]


def table(kind: type[Table], given: Mapping[str, Any], where: str) -> Table:
    """Return one table as the type that it is read into; a mapping of anything is taken as it is.

    Raises:
        UnknownSetting: a key that nobody reads.
        ValueError: a value that cannot be read.
    """
    hints = get_type_hints(kind)
    values: dict[str, object] = {}
    for name, value in given.items():
        if name not in hints:
            raise UnknownSetting(name, where=where, close=close_names(name, hints))
        try:
            values[name] = value if hints[name] == Mapping[str, object] else typed(hints[name], value)
        except ValueError as error:
            raise ValueError(f"{name} of {where}: {error}") from error
    return kind(**values)


def from_directory(value: object, directory: Path) -> object:
    """Return the tables of a file, with the files that they name (`file`, `..._file`) found from where that stands."""
    if not isinstance(value, list):
        return value
    return [
        {name: str(directory / one) if _names_a_file(name, one) else one for name, one in given.items()}
        if isinstance(given, Mapping)
        else given
        for given in value
    ]


def _names_a_file(name: str, value: object) -> bool:
    return (name == "file" or name.endswith("_file")) and isinstance(value, str)
