"""Rounds: added once per slot, summed up once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

import msgspec

from rota.core.controls import Entries, entries_of
from rota.core.model import Round, Run, State
from rota.queries import RoundQuery, RunQuery
from rota.stores.memory_query import is_round_meant
from rota.stores.redis import history
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import STATES, micros, new_run, round_of, round_record
from rota.stores.redis.paging import newest_first
from rota.stores.redis.queue import ids_of
from rota.stores.redis.records import RoundRecord
from rota.stores.redis.server import Server

MANY = 1_000_000
"""Runs of a round: more than any has."""

IS = "is/"
"""What the counter of a state of a round begins with; others count all of its runs, and the open ones."""

_one = msgspec.msgpack.Decoder(RoundRecord)
_several = msgspec.msgpack.Decoder(list[RoundRecord])


def add(server: Server, rounds: Sequence[Round], runs: Sequence[Run], *, now: datetime, audit: Entries) -> list[str]:
    """Record rounds with their runs; return the ids of the rounds that are new."""
    request = {
        "rounds": [round_record(round_) for round_ in rounds],
        "runs": len(runs),
        "now": micros(now),
        "audit": [told(entry) for entry in entries_of(audit)],
    }
    return ids_of(server.call("add_rounds", request, [new_run(run) for run in runs]))


def meant(server: Server, query: RoundQuery) -> list[Round]:
    """Return the rounds asked for, newest first."""
    found = (round_ for round_ in _from(server, query.before_id) if is_round_meant(round_, query))
    theirs = (round_ for round_ in found if not query.tenants or _concerns(server, round_, query.tenants))
    return list(islice(theirs, query.limit))


def _concerns(server: Server, round_: Round, tenants: Sequence[str]) -> bool:
    """Whether a round may have to do with these tenants. There is no index: its runs are looked at."""
    of_it = RunQuery(round_id=round_.id, tenants=tuple(tenants), kind=None, limit=1)
    return is_round_meant(round_, RoundQuery(), theirs=()) or bool(history.runs(server, of_it))


def _from(server: Server, before_id: str | None) -> Iterator[Round]:
    for ids in newest_first(server, "round-ids", before_id):
        for kept in server.ask("HMGET", server.key("rounds"), *ids):
            # One may have been pruned since.
            if kept is not None:
                yield round_of(_one.decode(kept))


def counts(server: Server, round_ids: Sequence[str], tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
    """Return how many job runs of each round stand where. The counters are of all tenants: of some the runs are
    looked at."""
    if tenants:
        return {one: theirs for one in round_ids if (theirs := _counts_of(server, one, tenants))}
    counted = server.counters_of_each("round", round_ids)
    answer = {}
    for round_id, counters in zip(round_ids, counted, strict=True):
        states = {STATES[name.removeprefix(IS)]: number for name, number in counters.items() if name.startswith(IS)}
        if states:
            answer[round_id] = states
    return answer


def _counts_of(server: Server, round_id: str, tenants: Sequence[str]) -> dict[State, int]:
    query = RunQuery(round_id=round_id, tenants=tuple(tenants), limit=MANY)
    return dict(Counter(run.state for run in history.runs(server, query)))


def finished(server: Server, *, limit: int) -> list[Round]:
    """Return rounds without an open run that are not ended yet, oldest first."""
    return [round_of(record) for record in _several.decode(server.call("finished_rounds", {"limit": limit}))]


def end(server: Server, round_: Round) -> bool:
    """Write the sum of a round that has none and no open run; return whether this call did."""
    record = round_record(round_)
    request = {
        "id": record.id,
        "state": record.state,
        "reason": record.reason,
        "counts": record.counts,
        "ended_at": record.ended_at,
    }
    return bool(server.call("end_round", request))
