"""By when each schedule must have succeeded for each tenant: the rows, and what settlements make of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.core.freshness import Expectation, Freshness
from rota.core.watched import Flip, Key, Turn, Watched
from rota.queries import FlipQuery, PairQuery
from rota.stores.sql.database import Link
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import at, clean, columns, since_epoch

PAIR = (
    "schedule", "tenant", "state", "last_success", "late_at", "stale_at", "look_at", "flipped_at", "watched_from",
    "rule",
)  # fmt: skip
FLIP = ("id", "schedule", "tenant", "at", "old_state", "new_state", "reason")

COLUMNS = columns(PAIR, "r")
# Served by the index `look`.
LOOKS = f"""
SELECT {COLUMNS} FROM {{pairs}} AS r WHERE r.look_at IS NOT NULL AND r.look_at <= ?
ORDER BY r.look_at, r.schedule, r.tenant LIMIT ?
"""
# Locked in one order, so that two passes over the same pairs do not meet head on.
HELD = f"""
SELECT {COLUMNS} FROM {{rows(schedule:text, tenant:text)}} AS s JOIN {{pairs}} AS r
ON r.schedule = s.schedule AND r.tenant = s.tenant ORDER BY r.schedule, r.tenant{{lock}}
"""
WHOSE = "r.schedule = s.name AND r.tenant = s.who"
FIELDS = """
name:text, who:text, now_state:id, success:int, late:int, stale:int, look:int, since:int, watched:int, mark:id
"""
SETS = """
state = s.now_state, last_success = s.success, late_at = s.late, stale_at = s.stale, look_at = s.look,
flipped_at = s.since, watched_from = s.watched, rule = s.mark
"""
DROP = "DELETE FROM {pairs} WHERE schedule = ? AND tenant = ?"

# What `watched.proved` decides, without reading the pair first: every success of a slot passes here, and a round trip
# for it is one too many. The contract suite compares the two.
PROVED_FIELDS = "name:text, who:text, success:int, ended:int, late:int, stale:int, look:int, mark:id"
PROVED = """
last_success = s.success, late_at = s.late, stale_at = s.stale, rule = s.mark,
look_at = CASE r.state WHEN 'fresh' THEN s.look WHEN 'paused' THEN NULL ELSE s.ended END
"""
UNSURE_FIELDS = "name:text, who:text, success:int, ended:int"
UNSURE = "last_success = s.success, look_at = CASE r.state WHEN 'paused' THEN NULL ELSE s.ended END"
FORWARD = f"{WHOSE} AND (r.last_success IS NULL OR r.last_success < s.success)"
MARKED = "UPDATE {pairs} SET last_success = ?, look_at = CASE state WHEN 'paused' THEN NULL ELSE 0 END"

HEARD = """
UPDATE {pairs} SET look_at = CASE state WHEN 'paused' THEN NULL ELSE ? END WHERE schedule = ? AND tenant = ''
"""

FRESHNESS = {str(state): state for state in Freshness}

Proof = tuple[str, str, datetime, datetime, Expectation | None]
"""Schedule, tenant, the slot that succeeded, when it ended, and what is expected from then on."""


def looks(link: Link, *, now: datetime, limit: int) -> list[Watched]:
    """Return pairs that are to be judged by now."""
    return [pair_of(row) for row in link.all(LOOKS, since_epoch(now), limit)]


def pairs(link: Link, query: PairQuery) -> list[Watched]:
    """Return pairs by schedule and tenant: in the order of the primary key."""
    narrowing = Narrowing("r")
    narrowing.among("schedule", query.schedules)
    narrowing.among("tenant", query.tenants)
    narrowing.among("state", [state.value for state in query.states])
    if query.after is not None:
        schedule, tenant = query.after
        narrowing.also("(r.schedule > ? OR (r.schedule = ? AND r.tenant > ?))", schedule, schedule, tenant)
    text = f"SELECT {COLUMNS} FROM {{pairs}} AS r{narrowing.where} ORDER BY r.schedule, r.tenant"
    if query.limit is not None:
        return [pair_of(row) for row in link.all(f"{text} LIMIT ?", *narrowing.parameters, query.limit)]
    return [pair_of(row) for row in link.all(text, *narrowing.parameters)]


def turn(link: Link, turns: Sequence[Turn]) -> list[Key]:
    """Write what becomes of pairs that are as they were read; return their keys."""
    first: dict[Key, Turn] = {}
    for one in turns:
        if one.before != one.after:
            first.setdefault(_key(one), one)
    rows = link.rows(HELD, sorted(first)) if first else []
    stored = {(row[0], row[1]): pair_of(row) for row in rows}
    applied = {key: one for key, one in first.items() if stored.get(key) == one.before}
    for key in sorted(applied):
        if applied[key].after is None:
            link.run(DROP, *key)
    changed = [applied[key].after for key in sorted(applied) if key in stored]
    if some := [pair_row(after) for after in changed if after is not None]:
        link.update("pairs", FIELDS, some, sets=SETS, where=WHOSE)
    new = [applied[key].after for key in sorted(applied) if key not in stored]
    # A key that another transaction inserts meanwhile fails this one, which is then repeated and finds it.
    link.insert("pairs", PAIR, [pair_row(after) for after in new if after is not None])
    link.insert("flips", FLIP, [_flip_row(one.flip) for one in applied.values() if one.flip is not None])
    return list(applied)


def prove(link: Link, proofs: Sequence[Proof]) -> None:
    """Take note of slots that succeeded, one for each pair."""
    sure = [
        (
            schedule,
            tenant,
            since_epoch(slot),
            since_epoch(ended_at),
            since_epoch(expected.late_at),
            since_epoch(expected.stale_at),
            since_epoch(expected.look_at),
            expected.rule,
        )
        for schedule, tenant, slot, ended_at, expected in proofs
        if expected is not None
    ]
    unsure = [(one[0], one[1], since_epoch(one[2]), since_epoch(one[3])) for one in proofs if one[4] is None]
    if sure:
        link.update("pairs", PROVED_FIELDS, sure, sets=PROVED, where=FORWARD)
    if unsure:
        link.update("pairs", UNSURE_FIELDS, unsure, sets=UNSURE, where=FORWARD)


def hear(link: Link, schedule: str, at: datetime) -> None:
    """Take note that a script outside of Rota said something that proves no newer slot: look."""
    link.run(HEARD, since_epoch(at), schedule)


def mark(link: Link, where: str, parameters: Sequence[Any], last_success: datetime | None) -> None:
    """Take note of what somebody said of the last success, and look at once."""
    link.run(MARKED + where, since_epoch(last_success), *parameters)


def flips(link: Link, query: FlipQuery) -> list[Flip]:
    """Return changes of state, newest first. Of one schedule served by the index `pair`, else by the primary key."""
    narrowing = Narrowing("r")
    narrowing.equal("schedule", query.schedule)
    narrowing.equal("tenant", query.tenant)
    narrowing.within("at", query.since, query.until)
    narrowing.below("id", query.before_id)
    text = f"SELECT {columns(FLIP, 'r')} FROM {{flips}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
    return [_flip_of(row) for row in link.all(text, *narrowing.parameters, query.limit)]


def pair_of(row: Any) -> Watched:
    """Return the pair of a row with the columns PAIR."""
    schedule, tenant, state, last_success, late_at, stale_at, look_at, flipped_at, watched_from, rule = row
    since, watched = at(flipped_at), at(watched_from)
    assert since is not None
    assert watched is not None
    return Watched(
        schedule=schedule,
        tenant=tenant,
        state=FRESHNESS[state],
        last_success=at(last_success),
        late_at=at(late_at),
        stale_at=at(stale_at),
        look_at=at(look_at),
        flipped_at=since,
        watched_from=watched,
        rule=rule,
    )


def pair_row(pair: Watched) -> tuple[Any, ...]:
    """Return a pair as the columns PAIR."""
    return (
        pair.schedule,
        pair.tenant,
        pair.state.value,
        since_epoch(pair.last_success),
        since_epoch(pair.late_at),
        since_epoch(pair.stale_at),
        since_epoch(pair.look_at),
        since_epoch(pair.flipped_at),
        since_epoch(pair.watched_from),
        pair.rule,
    )


def _key(turn: Turn) -> Key:
    one = turn.after or turn.before
    assert one is not None
    return one.key


def _flip_row(flip: Flip) -> tuple[Any, ...]:
    return (
        flip.id,
        flip.schedule,
        flip.tenant,
        since_epoch(flip.at),
        flip.before.value,
        flip.after.value,
        clean(flip.reason),
    )


def _flip_of(row: Any) -> Flip:
    flip_id, schedule, tenant, flipped_at, before, after, reason = row
    when = at(flipped_at)
    assert when is not None
    return Flip(
        id=flip_id,
        schedule=schedule,
        tenant=tenant,
        at=when,
        before=FRESHNESS[before],
        after=FRESHNESS[after],
        reason=reason,
    )
