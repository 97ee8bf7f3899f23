"""How far each schedule has come for each tenant."""

from collections.abc import Sequence

import msgspec

from rota.core.controls import AuditEntry
from rota.core.model import Progress
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import progress_of, progress_record
from rota.stores.redis.records import ProgressRecord
from rota.stores.redis.server import Server

_several = msgspec.msgpack.Decoder(list[ProgressRecord])


def entries(server: Server, schedule: str | None, tenants: Sequence[str] | None) -> list[Progress]:
    """Return progress by schedule and tenant; `None` does not narrow."""
    if tenants is not None and not tenants:
        return []
    request = {"schedule": schedule, "tenants": None if tenants is None else list(dict.fromkeys(tenants))}
    found = [progress_of(record) for record in _several.decode(server.call("progress", request))]
    return sorted(found, key=lambda progress: (progress.schedule, progress.tenant))


def mark(server: Server, progress: Progress, *, expected: Progress | None, audit: AuditEntry | None) -> bool:
    """Replace progress if it still equals `expected`; return whether it did."""
    request = {
        "progress": progress_record(progress),
        "expected": None if expected is None else progress_record(expected),
        "audit": told(audit),
    }
    return bool(server.call("mark", request))


def reset(server: Server, schedule: str, tenants: Sequence[str] | None, *, audit: AuditEntry | None) -> int:
    """Forget progress; return how many entries."""
    forgotten: int = server.call("reset", {"schedule": schedule, "tenants": tenants, "audit": told(audit)})
    return forgotten
