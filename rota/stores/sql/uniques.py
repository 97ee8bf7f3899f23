"""Names that one run has at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.clock import to_micros
from rota.core.controls import AuditEntry
from rota.core.model import Round
from rota.core.unique import Holder, Scope, UniqueRun, judge
from rota.stores.sql import queue, rounds, stopping
from rota.stores.sql.audit import add_entries
from rota.stores.sql.database import Link
from rota.stores.sql.rows import STATES, at, since_epoch

UNIQUE = ("name", "run_id", "scope", "kept_until", "created_at")
REPLACED_REASON = "unique: a later run takes its place"

# Served by the primary key. In the order of the names: two that want the same ones do not lock them crosswise.
GIVEN = """
SELECT r.name, r.run_id, r.scope, r.kept_until FROM {rows(name:text)} AS s JOIN {uniques} AS r ON r.name = s.name
ORDER BY r.name{lock}
"""
# A statement of its own, after the names are locked: one that waited for a lock still sees what was before.
STANDING = "SELECT r.id, r.state, r.attempt FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.id = s.id"

# By the index `old`.
FORGOTTEN = """
SELECT u.name, u.run_id FROM {uniques} AS u LEFT JOIN {runs} AS r ON r.id = u.run_id
WHERE u.created_at < ? AND (u.kept_until IS NULL OR u.kept_until < ?)
AND (r.id IS NULL OR r.state IN ('succeeded', 'failed', 'cancelled', 'skipped'))
ORDER BY u.created_at LIMIT ?
"""
FORGET = "DELETE FROM {uniques} WHERE name = ? AND run_id = ?"


def enqueue(
    link: Link,
    wanted: Sequence[UniqueRun],
    *,
    new: Sequence[Round] = (),
    audit: AuditEntry | None = None,
    now: datetime,
    careful: bool,
) -> list[str]:
    """Accept those that get their names, with their rounds; cancel those that they replace; return who stands for each.

    A name that is new is inserted, and a transaction that was not the first to do so fails. Not `careful`: all runs
    are taken for new, as in `queue.enqueue`.
    """
    rows = link.rows(GIVEN, [(name,) for name in sorted({one.name for one in wanted})])
    standing: dict[str, Any] = {}
    if rows or careful:
        # Those wanted too: a call whose answer was lost is repeated, and somebody else may have the name by now.
        asked = [(row[1],) for row in rows] + [(one.run.id,) for one in wanted]
        standing = {row[0]: row for row in link.rows(STANDING, asked)}
    given = {name: _holder(run_id, scope, until, standing.get(run_id)) for name, run_id, scope, until in rows}
    judgement = judge(wanted, given, known=standing, now=now)
    if judgement.replaced:
        stopped = stopping.stop(link, judgement.replaced, reason=REPLACED_REASON, now=now)
        queue.unblock(link, {key for _, _, key in stopped if key is not None}, now=now)
    started = {one.run.round_id for one in judgement.accepted}
    rounds.add(link, [round_ for round_ in new if round_.id in started])
    queue.enqueue(link, [one.run for one in judgement.accepted], now=now, careful=False)
    link.insert("uniques", UNIQUE, [_row(one, now) for one in judgement.accepted if one.name not in given])
    taken_over = [_row(one, now) for one in judgement.accepted if one.name in given]
    if taken_over:
        link.update(
            "uniques",
            "row_name:text, next_run:id, next_scope:id, until:int, given_at:int",
            taken_over,
            sets="run_id = s.next_run, scope = s.next_scope, kept_until = s.until, created_at = s.given_at",
            where="r.name = s.row_name",
        )
    if judgement.accepted and audit is not None:
        add_entries(link, [audit])
    return judgement.ids


def _holder(run_id: str, scope: str, kept_until: int | None, standing: Sequence[Any] | None) -> Holder:
    return Holder(
        run_id=run_id,
        scope=Scope(scope),
        kept_until=at(kept_until),
        state=None if standing is None else STATES[standing[1]],
        attempt=0 if standing is None else standing[2],
    )


def _row(one: UniqueRun, now: datetime) -> tuple[Any, ...]:
    return one.name, one.run.id, one.scope.value, since_epoch(one.kept_until), to_micros(now)


def forgotten(link: Link, *, before: datetime, limit: int) -> list[Any]:
    """Return (name, run id) of names that were given before and that nobody has any more, oldest first."""
    return link.all(FORGOTTEN, to_micros(before), to_micros(before), limit)


def forget(link: Link, names: Sequence[Any]) -> None:
    """Delete names, where they were not given to another run since."""
    for name, run_id in names:
        link.run(FORGET, name, run_id)
