"""What people did, written by the script of the change itself."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from rota.core.controls import AuditEntry
from rota.queries import AuditQuery
from rota.stores.memory_query import is_entry_meant
from rota.stores.redis.mapping import clean, clean_if, micros, to_json
from rota.stores.redis.paging import newest_first
from rota.stores.redis.server import Server

_entry = msgspec.json.Decoder(AuditEntry)


def told(entry: AuditEntry | None) -> dict[str, Any] | None:
    """Return an entry as the scripts take it: they write it where something changed."""
    if entry is None:
        return None
    try:
        text = to_json(entry)
    except UnicodeEncodeError:
        text = to_json(
            msgspec.structs.replace(
                entry,
                actor=clean_if(entry.actor),
                target=clean(entry.target),
                reason=clean_if(entry.reason),
                detail=clean(entry.detail),
            )
        )
    return {"id": entry.id, "at": micros(entry.at), "text": text}


def meant(server: Server, query: AuditQuery) -> list[AuditEntry]:
    """Return the entries asked for, newest first."""
    every = _from(server, query.before_id)
    return list(islice((entry for entry in every if is_entry_meant(entry, query)), query.limit))


def _from(server: Server, before_id: str | None) -> Iterator[AuditEntry]:
    for ids in newest_first(server, "audit-ids", before_id):
        for kept in server.ask("HMGET", server.key("audit"), *ids):
            # One may have been pruned since.
            if kept is not None:
                yield _entry.decode(kept)
