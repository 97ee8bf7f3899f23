"""What people and guards have set: few and small, read whole."""

from typing import Any

from rota.clock import from_micros, to_micros
from rota.core.controls import Control, ControlKind
from rota.stores.sql.database import Link
from rota.stores.sql.rows import CONTROL, columns

COLUMNS = columns(CONTROL)
REPLACE = "UPDATE {controls} SET body = ?, version = ?, changed_at = ? WHERE kind = ? AND name = ? AND version = ?"


def every(link: Link, kind: ControlKind | None) -> list[Control]:
    """Return controls of a kind, or all, by kind and name."""
    if kind is None:
        rows = link.all(f"SELECT {COLUMNS} FROM {{controls}} ORDER BY kind, name")
    else:
        rows = link.all(f"SELECT {COLUMNS} FROM {{controls}} WHERE kind = ? ORDER BY name", kind.value)
    return [_control_of(row) for row in rows]


def one(link: Link, kind: ControlKind, name: str) -> Control | None:
    """Return one control, or None."""
    row = link.one(f"SELECT {COLUMNS} FROM {{controls}} WHERE kind = ? AND name = ?", kind.value, name)
    return _control_of(row) if row else None


def put(link: Link, control: Control, expected_version: int | None) -> bool:
    """Write a control if its stored version is the expected one; return whether."""
    key = (control.kind.value, control.name)
    value = (control.body, control.version, to_micros(control.changed_at))
    if expected_version is not None:
        return link.run(REPLACE, *value, *key, expected_version) == 1
    if link.one("SELECT 1 FROM {controls} WHERE kind = ? AND name = ?", *key):
        return False
    link.insert("controls", CONTROL, [(*key, *value)])
    return True


def drop(link: Link, kind: ControlKind, name: str, expected_version: int) -> bool:
    """Delete a control that has this version; return whether."""
    text = "DELETE FROM {controls} WHERE kind = ? AND name = ? AND version = ?"
    return link.run(text, kind.value, name, expected_version) == 1


def _control_of(row: Any) -> Control:
    kind, name, body, version, changed_at = row
    return Control(
        kind=ControlKind(kind), name=name, body=body, version=version, changed_at=from_micros(int(changed_at))
    )
