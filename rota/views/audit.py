"""What people changed, with what is kept beside each change as a value and not as a text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from rota.app import Rota
from rota.queries import AuditQuery


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One change that a person made."""

    id: str
    at: datetime
    actor: str | None
    via: str
    action: str
    target: str
    reason: str | None
    detail: Mapping[str, Any]


def audited(app: Rota, query: AuditQuery) -> list[AuditRow]:
    """Return the entries that a query narrows to, newest first."""
    return [
        AuditRow(
            id=entry.id,
            at=entry.at,
            actor=entry.actor,
            via=entry.via,
            action=entry.action,
            target=entry.target,
            reason=entry.reason,
            detail=msgspec.json.decode(entry.detail, type=dict[str, object]),
        )
        for entry in app.store.audit(query)
    ]


def to_json(detail: Mapping[str, object]) -> str:
    """Return the details as one line of JSON."""
    return msgspec.json.encode(detail).decode()
