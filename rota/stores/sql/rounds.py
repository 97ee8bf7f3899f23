"""Rounds: added once per slot, summed up once."""

from collections.abc import Sequence
from datetime import datetime

from rota.core.model import Round, Run, RunKind, State
from rota.queries import RoundQuery
from rota.stores.sql import queue
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.history import FEW_TENANTS
from rota.stores.sql.narrowing import Narrowing
from rota.stores.sql.rows import ROUND, STATES, clean, columns, round_of, round_row, since_epoch, to_json

COLUMNS = columns(ROUND, "r")

KNOWN = """
SELECT r.id, r.schedule, r.slot FROM {rows(id:id)} AS s JOIN {rounds} AS r ON r.id = s.id
UNION
SELECT r.id, r.schedule, r.slot FROM {rows(schedule:text, slot:int)} AS s
JOIN {rounds} AS r ON r.schedule = s.schedule AND r.slot = s.slot
"""
END = """
UPDATE {rounds} SET state = ?, reason = ?, counts = ?, ended_at = ? WHERE id = ? AND ended_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM {runs} AS o
    WHERE o.round_id = ? AND o.{round_state} IN ('scheduled', 'waiting', 'held', 'limited', 'queued', 'running')
)
"""
# Served by the index `round`.
COUNTS = """
SELECT r.round_id, r.{round_state}, count(*) FROM {rows(id:id)} AS s JOIN {runs} AS r ON r.round_id = s.id
WHERE r.kind = ? GROUP BY r.round_id, r.{round_state}
"""
# Served by the index `open` of the rounds and, for each, a probe of the index `round` of the runs. Subqueries of one
# row, not EXISTS: MariaDB would first collect the open runs of all rounds.
IS_FINISHED = """r.ended_at IS NULL AND (
    SELECT 1 FROM {runs} AS o
    WHERE o.round_id = r.id
    AND o.{round_state} IN ('scheduled', 'waiting', 'held', 'limited', 'queued', 'running') LIMIT 1
) IS NULL AND (
    r.expanded = 1 OR (SELECT 1 FROM {runs} AS o WHERE o.round_id = r.id LIMIT 1) IS NOT NULL
)"""
FINISHED = f"SELECT {COLUMNS} FROM {{rounds}} AS r WHERE {IS_FINISHED} ORDER BY r.id LIMIT ?"
IS_ANY_FINISHED = f"SELECT 1 FROM {{rounds}} AS r WHERE {IS_FINISHED} LIMIT 1"


def add(link: Link, new: Sequence[Round]) -> list[str]:
    """Record rounds, those left out that are known or whose slot has one; return the ids that are new."""
    if not new:
        return []
    slots = [(one.schedule, since_epoch(one.slot)) for one in new if one.schedule is not None and one.slot is not None]
    known = link.rows(KNOWN, [(one.id,) for one in new], json_of(slots))
    ids = {row[0] for row in known}
    taken = {(row[1], row[2]) for row in known}
    fresh: list[Round] = []
    for one in new:
        slot = (one.schedule, since_epoch(one.slot))
        if one.id in ids or (None not in slot and slot in taken):
            continue
        ids.add(one.id)
        taken.add(slot)
        fresh.append(one)
    link.insert("rounds", ROUND, [round_row(one) for one in fresh])
    return [one.id for one in fresh]


def start(link: Link, new: Sequence[Round], runs: Sequence[Run], *, now: datetime, careful: bool) -> list[str]:
    """Record rounds with their runs; return the ids of the rounds that are new. Rounds that runs join open again."""
    added = add(link, new)
    again = [(one.id, one.expected) for one in new if one.expanded and one.id not in added]
    if again:
        link.update(
            "rounds",
            "row_id:id, number:int",
            again,
            sets="expanded = 1, expected = s.number",
            where="r.id = s.row_id",
        )
    accepted = set(queue.enqueue(link, runs, now=now, careful=careful))
    joined = {run.round_id for run in runs if run.id in accepted and run.round_id is not None}
    reopen(link, sorted(joined.difference(added)))
    return added


def reopen(link: Link, ids: Sequence[str]) -> None:
    """Take the sums of rounds back: runs of theirs are open again."""
    if ids:
        link.update(
            "rounds",
            "row_id:id, none:text",
            [(one, "{}") for one in sorted(set(ids))],
            sets="state = 'running', counts = s.none, ended_at = NULL",
            where="r.id = s.row_id",
        )


def end(link: Link, round_: Round) -> bool:
    """Write the sum of a round that has none yet; return whether it had none."""
    counts = to_json(dict(round_.counts))
    reason, ended_at = clean(round_.reason), since_epoch(round_.ended_at)
    return link.run(END, round_.state.value, reason, counts, ended_at, round_.id, round_.id) == 1


def finished(link: Link, limit: int) -> list[Round]:
    """Return rounds that are not ended and have no open run left; oldest first."""
    return [round_of(row) for row in link.all(FINISHED, limit)]


def counts(link: Link, ids: Sequence[str], tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
    """Return how many job runs of each round stand in each state, of these tenants or of all."""
    answer: dict[str, dict[State, int]] = {}
    theirs = f"AND r.tenant IN ({', '.join('?' * len(tenants))})" if tenants else ""
    text = COUNTS.replace("GROUP BY", f"{theirs} GROUP BY")
    for round_id, state, number in link.rows(text, [(one,) for one in sorted(set(ids))], RunKind.JOB.value, *tenants):
        by_state = answer.setdefault(round_id, {})
        by_state[STATES[state]] = by_state.get(STATES[state], 0) + int(number)
    return answer


def _concerns(tenants: Sequence[str]) -> str:
    """Return the term of rounds that have to do with these tenants."""
    named = f"o.tenant IN ({', '.join('?' * len(tenants))})"
    if len(tenants) <= FEW_TENANTS:
        # All that they have, by the index `of_tenant`: a round of 2,000 tenants has one run for one of them.
        theirs = f"r.id IN (SELECT o.round_id FROM {{runs}} AS o WHERE {named} AND o.round_id IS NOT NULL)"
    else:
        # Most rounds have one: the first run that is looked at will do, by the index `round`.
        theirs = f"EXISTS (SELECT 1 FROM {{runs}} AS o WHERE o.round_id = r.id AND {named})"
    return f"(r.expanded = 0 OR r.state = 'skipped' OR {theirs})"


def meant(link: Link, query: RoundQuery) -> list[Round]:
    """Return rounds, newest first."""
    narrowing = Narrowing("r")
    narrowing.among("job", query.jobs)
    if query.tenants:
        narrowing.also(_concerns(query.tenants), *query.tenants)
    narrowing.equal("schedule", query.schedule)
    narrowing.among("state", query.states)
    narrowing.within("slot", query.slot_since, query.slot_until)
    narrowing.below("id", query.before_id)
    text = f"SELECT {COLUMNS} FROM {{rounds}} AS r{narrowing.where} ORDER BY r.id DESC LIMIT ?"
    return [round_of(row) for row in link.all(text, *narrowing.parameters, query.limit)]
