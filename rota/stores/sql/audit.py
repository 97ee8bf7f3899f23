"""What people did, written with the change itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from rota.clock import from_micros, to_micros
from rota.core.controls import AuditEntry, Entries, entries_of
from rota.queries import AuditQuery
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.making import KEY, NAME
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import AUDIT, clean, columns

T = TypeVar("T")

COLUMNS = columns(AUDIT, "r")
KNOWN = "SELECT r.id FROM {rows(id:id)} AS s JOIN {audit} AS r ON r.id = s.id"
OLD = "SELECT r.id FROM {audit} AS r WHERE r.at < ? ORDER BY r.at, r.id LIMIT ?"
DROP = "{drop(audit, id)}"


def told(work: Callable[[Link], T], audit: Entries) -> Callable[[Link], T]:
    """Return the work of a verb that also writes this audit, in its transaction, where it changed something."""
    entries = entries_of(audit)
    if not entries:
        return work

    def with_entries(link: Link) -> T:
        answer = work(link)
        if answer:
            add_entries(link, entries)
        return answer

    return with_entries


def add_entries(link: Link, entries: Sequence[AuditEntry]) -> None:
    """Write entries. One that is there already stays: the call was repeated."""
    known = {row[0] for row in link.rows(KNOWN, [(entry.id,) for entry in entries])}
    link.insert("audit", AUDIT, [_row(entry) for entry in entries if entry.id not in known])


def _row(entry: AuditEntry) -> tuple[Any, ...]:
    actor = clean(entry.actor)
    target = clean(entry.target) or ""
    # What is said is no key: rather cut than refused.
    return (
        entry.id,
        to_micros(entry.at),
        None if actor is None else actor[:NAME],
        entry.via,
        entry.action,
        target[:KEY],
        clean(entry.reason),
        clean(entry.detail),
    )


def meant(link: Link, query: AuditQuery) -> list[AuditEntry]:
    """Return entries, newest first. By target: served by the index `target`; else by the primary key."""
    narrowing = Narrowing("r")
    narrowing.equal("actor", query.actor)
    if query.action is not None and query.action.endswith("."):
        # Up to what would follow the dot.
        narrowing.span("action", query.action, query.action[:-1] + "/")
    else:
        narrowing.equal("action", query.action)
    narrowing.equal("target", query.target)
    narrowing.within("at", query.since, None)
    narrowing.below("id", query.before_id)
    text = f"SELECT {COLUMNS} FROM {{audit}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
    return [_entry_of(row) for row in link.all(text, *narrowing.parameters, query.limit)]


def prune(link: Link, before: datetime, *, limit: int) -> int:
    """Delete up to `limit` entries from before this instant, oldest first; return how many."""
    old = link.all(OLD, to_micros(before), limit)
    if old:
        link.run(DROP, json_of([(row[0],) for row in old]))
    return len(old)


def _entry_of(row: Any) -> AuditEntry:
    entry_id, at, actor, via, action, target, reason, detail = row
    return AuditEntry(
        id=entry_id,
        at=from_micros(int(at)),
        actor=actor,
        via=via,
        action=action,
        target=target,
        reason=reason,
        detail=detail,
    )
