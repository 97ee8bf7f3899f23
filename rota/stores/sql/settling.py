"""Ended attempts, fenced by token: what they make of their runs, and what follows from that."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.clock import to_micros
from rota.core.model import Outcome, Settlement
from rota.stores.sql import alerts, errors, progress, queue
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.queue import WITHOUT_ATTEMPT
from rota.stores.sql.rows import ATTEMPT, clean, error_text, since_epoch

Key = tuple[str, int]

FENCE = "r.id = s.row_id AND r.token = s.held AND r.state = 'running' AND (s.lease IS NULL OR r.lease_until = s.lease)"

FENCED = "SELECT r.id, r.token FROM {rows(row_id:id, held:int, lease:int)} AS s JOIN {runs} AS r ON " + FENCE + "{lock}"

PLAIN_FIELDS = (
    "row_id:id, held:int, lease:int, next_state:id, tries:int, losses:int, began:int, finished:int, ended_as:id"
)
# The attempt stays on the row, owner and claimed_at too; so does when it was due.
PLAIN = """
state = s.next_state, attempt = s.tries, lost_count = s.losses, started_at = s.began, ended_at = s.finished,
outcome = s.ended_as, lease_until = NULL, running_key = NULL{no_room}
"""
# Most runs end without a word. Long texts make MariaDB put the rows of a batch on disk, so they go apart.
TOLD_FIELDS = PLAIN_FIELDS + ", failure:long, answer:long, why:long"
TOLD = PLAIN + ", error = s.failure, result = s.answer, reason = coalesce(s.why, reason)"

OPEN_FIELDS = (
    "row_id:id, held:int, lease:int, next_state:id, next_due:int, finished:int, tries:int, losses:int, why:long"
)
# One that was asked to stop while it ran does not wait for an attempt that never begins.
OPEN_AGAIN = (
    """
state = s.next_state, due_at = CASE WHEN cancel_requested = 1 THEN s.finished ELSE s.next_due END,
attempt = s.tries, lost_count = s.losses, reason = coalesce(s.why, reason),
"""
    + WITHOUT_ATTEMPT
)

RECORDED = """
SELECT r.id, r.token, r.outcome, r.ended_at FROM {rows(id:id, token:int)} AS s JOIN {runs} AS r ON r.id = s.id
WHERE r.token = s.token AND r.outcome IS NOT NULL
UNION ALL
SELECT a.run_id, a.token, a.outcome, a.ended_at
FROM {rows(id:id, token:int)} AS s JOIN {attempts} AS a ON a.run_id = s.id AND a.token = s.token
"""
SUPERSEDE_ATTEMPT = "UPDATE {attempts} SET outcome = 'superseded' WHERE run_id = ? AND token = ? AND outcome = 'lost'"
SUPERSEDE_RUN = "UPDATE {runs} SET outcome = 'superseded' WHERE id = ? AND token = ? AND outcome = 'lost'"


def settle(link: Link, settlements: Sequence[Settlement], *, now: datetime) -> list[str]:
    """Apply each settlement whose run still runs under its token; return the ids applied, now or by an earlier try."""
    first: dict[Key, Settlement] = {}
    repeated = []
    for one in settlements:
        if first.setdefault(_key(one), one) is not one:
            repeated.append(one)
    applied = _settle(link, list(first.values()), now=now)
    if not repeated:
        return [one.run.id for one in settlements if _key(one) in applied]
    # Of several for one attempt the first counts; the others are judged by what it left, as those of a later call.
    others = iter(settle(link, repeated, now=now))
    named = next(others, None)
    answer = []
    for one in settlements:
        if first[_key(one)] is one:
            answer += [one.run.id] * (_key(one) in applied)
        elif one.run.id == named:
            answer.append(one.run.id)
            named = next(others, None)
    return answer


def _settle(link: Link, settlements: Sequence[Settlement], *, now: datetime) -> set[Key]:
    """Settle attempts that are named once each."""
    final = [settlement for settlement in settlements if settlement.state.is_final]
    again = [settlement for settlement in settlements if not settlement.state.is_final]
    plain = [one for one in final if one.error is None and one.result is None and not one.reason]
    applied = _apply(link, plain, PLAIN_FIELDS, PLAIN, _plain_row) if plain else set()
    if len(plain) < len(final):
        told = [one for one in final if one.error is not None or one.result is not None or one.reason]
        applied |= _apply(link, told, TOLD_FIELDS, TOLD, _told_row)
    if again:
        reopened = _apply(link, again, OPEN_FIELDS, OPEN_AGAIN, _open_row)
        _append(link, [settlement for settlement in again if _key(settlement) in reopened])
        applied |= reopened
    ended = final if len(applied) == len(settlements) else [one for one in final if _key(one) in applied]
    progress.move(link, ended)
    _expand(link, [one for one in settlements if one.expanded is not None and _key(one) in applied])
    freed = {one.run.concurrency_key for one in ended if one.run.concurrency_key is not None}
    if freed:
        queue.unblock(link, freed, now=now)
    alerts.add(link, ended)
    # Last: every transaction that meets the same error waits here for the one before.
    errors.count(link, [one for one in settlements if one.error is not None and _key(one) in applied])
    refused = [one for one in settlements if _key(one) not in applied]
    return applied | _recorded(link, refused) if refused else applied


def _key(settlement: Settlement) -> Key:
    """Return what tells an attempt: its run and its token."""
    return settlement.run.id, settlement.run.token


def _apply(link: Link, settlements: Sequence[Settlement], fields: str, sets: str, row: Any) -> set[Key]:
    """Write settlements to their runs where the fence allows it, and return the attempts of those."""
    rows = [row(settlement) for settlement in settlements]
    if link.dialect.returns_updated:
        found = link.updated("runs", fields, rows, sets=sets, where=FENCE, returning="id, token")
        return {(row[0], row[1]) for row in found}
    held = {(row[0], row[1]) for row in link.rows(FENCED, [row[:3] for row in rows])}
    if held:
        link.update("runs", fields, [row for row in rows if row[:2] in held], sets=sets, where=FENCE)
    return held


def _plain_row(settlement: Settlement) -> tuple[Any, ...]:
    run = settlement.run
    return (
        run.id,
        run.token,
        since_epoch(settlement.lease_until),
        settlement.state.value,
        settlement.attempt,
        settlement.lost_count,
        since_epoch(settlement.started_at),
        to_micros(settlement.ended_at),
        settlement.outcome.value,
    )


def _told_row(settlement: Settlement) -> tuple[Any, ...]:
    told = error_text(settlement.error), settlement.result, clean(settlement.reason) or None
    return _plain_row(settlement) + told


def _open_row(settlement: Settlement) -> tuple[Any, ...]:
    run = settlement.run
    return (
        run.id,
        run.token,
        since_epoch(settlement.lease_until),
        settlement.state.value,
        to_micros(settlement.due_at),
        to_micros(settlement.ended_at),
        settlement.attempt,
        settlement.lost_count,
        clean(settlement.reason) or None,
    )


def _append(link: Link, settlements: Sequence[Settlement]) -> None:
    """Record attempts that did not end their runs."""
    rows = [
        (
            one.run.id,
            one.run.token,
            one.run.owner,
            since_epoch(one.run.claimed_at),
            since_epoch(one.started_at),
            to_micros(one.ended_at),
            one.outcome.value,
            error_text(one.error),
        )
        for one in settlements
    ]
    link.insert("attempts", ATTEMPT, rows)


def _expand(link: Link, settlements: Sequence[Settlement]) -> None:
    """Note on the rounds that their tenants were listed and queued."""
    rows = [(one.run.round_id, one.expanded) for one in settlements if one.run.round_id is not None]
    if rows:
        link.update(
            "rounds",
            "row_id:id, tenants:int",
            sorted(rows),
            sets="expanded = 1, expected = s.tenants",
            where="r.id = s.row_id",
        )


def _recorded(link: Link, refused: Sequence[Settlement]) -> set[Key]:
    """Return the attempts of refused settlements that an earlier try has applied; mark attempts that came back late."""
    pairs = [_key(one) for one in refused]
    found = {(row[0], row[1]): row[2:] for row in link.rows(RECORDED, pairs, json_of(pairs))}
    known: set[Key] = set()
    for one in refused:
        outcome, ended_at = found.get(_key(one), (None, None))
        if (outcome, ended_at) == (one.outcome.value, to_micros(one.ended_at)):
            known.add(_key(one))
        elif outcome == Outcome.LOST.value and one.outcome is not Outcome.LOST:
            link.run(SUPERSEDE_ATTEMPT, one.run.id, one.run.token)
            link.run(SUPERSEDE_RUN, one.run.id, one.run.token)
    return known
