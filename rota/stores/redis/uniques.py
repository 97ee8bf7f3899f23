"""Names that one run has at a time (R32).

Who gets a name is decided in Python from how its holder stands; the script writes that only while every name and its
holder are still so. Of several at once one gets through, and the others look again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from rota.core.controls import AuditEntry
from rota.core.model import Round
from rota.core.unique import Holder, Scope, UniqueRun, judge
from rota.errors import StoreUnavailable
from rota.stores.redis.audit import told
from rota.stores.redis.mapping import STATES, at_if, micros, micros_if, new_run, round_record
from rota.stores.redis.records import GivenRecord
from rota.stores.redis.server import Server

RACES = 100
"""How often the names are looked at again because somebody else was first; each time there is one less who can be."""

_looked = msgspec.msgpack.Decoder(tuple[list[tuple[GivenRecord, str | bool, int] | None], list[str]])


def enqueue(
    server: Server,
    wanted: Sequence[UniqueRun],
    *,
    new: Sequence[Round] = (),
    audit: AuditEntry | None = None,
    now: datetime,
) -> list[str]:
    """Accept those that get their names, with their rounds; cancel those that they replace; return who stands for each.

    Raises:
        NotUnique: one that may not conflict does; nothing was written.
    """
    names = list(dict.fromkeys(one.name for one in wanted))
    ids = [one.run.id for one in wanted]
    for _ in range(RACES):
        holders, known = _look(server, names, ids)
        judgement = judge(wanted, holders, known=known, now=now)
        if not judgement.accepted:
            return judgement.ids
        started = {one.run.round_id for one in judgement.accepted}
        request = {
            "names": names,
            "seen": [_seen(holders.get(name)) for name in names],
            "runs": len(judgement.accepted),
            "given": [(one.name, _given(one, now)) for one in judgement.accepted],
            "replaced": judgement.replaced,
            "rounds": [round_record(round_) for round_ in new if round_.id in started],
            "audit": told(audit),
            "now": micros(now),
        }
        if server.call("enqueue_unique", request, [new_run(one.run) for one in judgement.accepted]):
            return judgement.ids
    raise StoreUnavailable(f"store {server.shown}: too many want the same names at once; nothing was written")


def _look(server: Server, names: Sequence[str], ids: Sequence[str]) -> tuple[Mapping[str, Holder], Sequence[str]]:
    """Return who was given each name last, as it stands now, and which of these ids are known."""
    found, known = _looked.decode(server.call("unique_look", {"names": names, "ids": ids}))
    holders = {}
    for name, one in zip(names, found, strict=True):
        if one is not None:
            given, state, attempt = one
            holders[name] = Holder(
                run_id=given.run_id,
                scope=Scope(given.scope),
                kept_until=at_if(given.kept_until),
                state=STATES[state] if isinstance(state, str) else None,
                attempt=attempt,
            )
    return holders, known


def _seen(holder: Holder | None) -> Mapping[str, str | int | bool] | bool:
    if holder is None:
        return False
    # A script has no run where there is none: false, not nil.
    state = False if holder.state is None else holder.state.value
    return {"run_id": holder.run_id, "state": state, "attempt": holder.attempt}


def _given(one: UniqueRun, now: datetime) -> GivenRecord:
    return GivenRecord(run_id=one.run.id, scope=one.scope.value, at=micros(now), kept_until=micros_if(one.kept_until))
