"""What people and guards have set while the system runs."""

from collections.abc import Mapping

import msgspec

from rota.core.controls import AuditEntry, Control, ControlKind
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import to_json
from rota.stores.redis.server import Server

_kept = msgspec.msgpack.Decoder(dict[str, str | int])
_control = msgspec.json.Decoder(Control)


def every(server: Server, kind: ControlKind | None) -> list[Control]:
    """Return those of a kind, or all, by kind and name."""
    found = [_control_of(kept) for kept in server.ask("HVALS", server.key("controls"))]
    meant = [control for control in found if kind in (None, control.kind)]
    return sorted(meant, key=lambda control: (control.kind, control.name))


def one(server: Server, kind: ControlKind, name: str) -> Control | None:
    """Return one control, or None."""
    kept = server.ask("HGET", server.key("controls"), _field(kind, name))
    return None if kept is None else _control_of(kept)


def put(server: Server, control: Control, *, expected_version: int | None, audit: AuditEntry | None) -> bool:
    """Write a control over the version that was expected; return whether that one was there."""
    request = {
        "name": _field(control.kind, control.name),
        "control": _kept_of(control),
        "expected_version": expected_version,
        "audit": told(audit),
    }
    return bool(server.call("put_control", request))


def drop(server: Server, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None) -> bool:
    """Delete a control of this version; return whether it was there."""
    request = {"name": _field(kind, name), "expected_version": expected_version, "audit": told(audit)}
    return bool(server.call("drop_control", request))


def _field(kind: ControlKind, name: str) -> str:
    # No kind has a slash in it.
    return f"{kind.value}/{name}"


def _kept_of(control: Control) -> Mapping[str, str | int]:
    return {"version": control.version, "body": to_json(control)}


def _control_of(kept: bytes) -> Control:
    return _control.decode(str(_kept.decode(kept)["body"]))
