"""What scripts outside of Rota said."""

from datetime import datetime, timedelta
from typing import Any

from rota.clock import from_micros, to_micros
from rota.core.freshness import Expectation
from rota.core.watched import Ping, PingKind, watch_key
from rota.stores.sql import progress
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import clean, columns

PING = ("id", "name", "at", "kind", "body", "duration")
KNOWN = "SELECT 1 FROM {pings} WHERE id = ?"


def add(link: Link, ping: Ping, *, slot: datetime | None, expected: Expectation | None) -> bool:
    """Keep a ping, and move the progress of its name; return whether it is new."""
    if link.one(KNOWN, ping.id) is not None:
        return False
    row = (ping.id, ping.name, to_micros(ping.at), ping.kind.value, clean(ping.text), _micros(ping.duration))
    link.insert("pings", PING, [row])
    if ping.kind in (PingKind.SUCCESS, PingKind.FAIL):
        has_succeeded = ping.kind is PingKind.SUCCESS
        progress.hear(
            link,
            watch_key(ping.name),
            has_succeeded=has_succeeded,
            slot=slot if has_succeeded else None,
            at=ping.at,
            expected=expected,
        )
    return True


def of(link: Link, name: str, *, before_id: str | None, limit: int) -> list[Ping]:
    """Return what a script said, newest first: served by the index `name`."""
    narrowing = Narrowing("r")
    narrowing.equal("name", name)
    narrowing.below("id", before_id)
    text = f"SELECT {columns(PING, 'r')} FROM {{pings}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
    return [_ping_of(row) for row in link.all(text, *narrowing.parameters, limit)]


def prune(link: Link, table: str, before: datetime, *, limit: int) -> int:
    """Delete up to `limit` rows from before this instant, oldest first; return how many. Served by the index `old`."""
    find = f"SELECT r.id FROM {{{table}}} AS r WHERE r.at < ? ORDER BY r.at, r.id LIMIT ?"
    old = link.all(find, to_micros(before), limit)
    if old:
        drop = f"{{drop({table}, id)}}"
        link.run(drop, json_of([(row[0],) for row in old]))
    return len(old)


def _ping_of(row: Any) -> Ping:
    ping_id, name, at, kind, body, duration = row
    return Ping(
        id=ping_id,
        name=name,
        at=from_micros(int(at)),
        kind=PingKind(kind),
        text=body,
        duration=None if duration is None else timedelta(microseconds=duration),
    )


def _micros(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // timedelta(microseconds=1)
