"""What a run carries from where it was enqueued: values by name, as one text with a version (R37)."""

from collections.abc import Mapping
from typing import Any

from rota.core.codec import decode, encode
from rota.errors import ArgumentsNotJson, CarriedUnreadable, NotDecodable, NotJson

VERSION = 1


def pack(values: Mapping[str, object]) -> str | None:
    """Return the text of these values; None when there is none.

    Raises:
        ArgumentsNotJson: one has no JSON form; the error names it and its type, not its value.
    """
    if not values:
        return None
    for name, value in values.items():
        try:
            encode(value)
        except NotJson as refusal:
            raise ArgumentsNotJson(f"carried {name!r}{refusal.at}", refusal.reason) from None
    return encode({"version": VERSION, "values": dict(values)})


def unpack(text: str | None) -> dict[str, Any]:
    """Return the values of a text by their names.

    Raises:
        CarriedUnreadable: it is broken, or of a version that is not known here.
    """
    if text is None:
        return {}
    try:
        found = decode(text)
    except NotDecodable as error:
        raise CarriedUnreadable("what this run carries", error.reason) from None
    return fields(found, version=VERSION, what="what this run carries", field="values")


def fields(found: object, *, version: int, what: str, field: str) -> dict[str, Any]:
    """Return a field of an object with a version.

    Raises:
        CarriedUnreadable: it is no such object, or of another version.
    """
    if not isinstance(found, dict):
        raise CarriedUnreadable(what, "it is no JSON object")
    if found.get("version") != version:
        known = f"this code knows version {version}"
        raise CarriedUnreadable(what, f"it is of version {found.get('version')!r}, and {known}")
    values = found.get(field)
    if not isinstance(values, dict):
        raise CarriedUnreadable(what, f"it has no object {field!r}")
    return values
