"""Controls and the audit of a `MemoryStore`."""

import heapq
from collections.abc import Iterable
from datetime import datetime

from rota.core.controls import AuditEntry, Control, ControlKind
from rota.queries import AuditQuery
from rota.stores.memory_query import is_entry_meant


class Controls:
    """Controls by kind and name. Not locked: the store is."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[ControlKind, str], Control] = {}

    def get(self, kind: ControlKind, name: str) -> Control | None:
        return self._by_key.get((kind, name))

    def of(self, kind: ControlKind | None) -> list[Control]:
        """Return those of a kind, or all, by kind and name."""
        return [self._by_key[key] for key in sorted(self._by_key) if kind in (None, key[0])]

    def put(self, control: Control, *, expected_version: int | None) -> bool:
        """Write a control over the version that was expected; return whether that one was there."""
        if self._version(control.kind, control.name) != expected_version:
            return False
        self._by_key[control.kind, control.name] = control
        return True

    def drop(self, kind: ControlKind, name: str, *, expected_version: int) -> bool:
        """Delete a control of this version; return whether it was there."""
        if self._version(kind, name) != expected_version:
            return False
        del self._by_key[kind, name]
        return True

    def _version(self, kind: ControlKind, name: str) -> int | None:
        stored = self.get(kind, name)
        return stored.version if stored else None


class Audit:
    """What people did, by id. Not locked: the store is."""

    def __init__(self) -> None:
        self._by_id: dict[str, AuditEntry] = {}

    def add(self, entry: AuditEntry) -> None:
        """Keep an entry. One that is there stays as it is: the call was repeated."""
        self._by_id.setdefault(entry.id, entry)

    def meant(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries asked for, newest first."""
        meant = (entry for entry in self._by_id.values() if is_entry_meant(entry, query))
        return heapq.nlargest(query.limit, meant, key=lambda entry: entry.id)

    def prune(self, before: datetime, *, limit: int) -> int:
        """Delete up to `limit` entries from before this instant, oldest first; return how many."""
        old = heapq.nsmallest(limit, self._ids_before(before))
        for _, entry_id in old:
            del self._by_id[entry_id]
        return len(old)

    def _ids_before(self, before: datetime) -> Iterable[tuple[datetime, str]]:
        return [(entry.at, entry.id) for entry in self._by_id.values() if entry.at < before]
