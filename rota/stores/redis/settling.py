"""What became of attempts, and the next batch in the same call."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from rota.core.model import Settlement
from rota.queries import ClaimRequest, Settled
from rota.stores.plain import DONE, SUCCESS, Plain, plain
from rota.stores.redis.mapping import EXACT, encoded, end_of, micros, run_of, settlement_record
from rota.stores.redis.queue import wanted
from rota.stores.redis.records import EndRecord, RunRecord
from rota.stores.redis.server import Server

_settled = msgspec.msgpack.Decoder(tuple[list[str] | None, list[RunRecord]])


def settle(server: Server, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None) -> Settled:
    """Apply settlements, each judged alone; then claim, if asked."""
    request: dict[str, Any] = {"now": micros(now), "claim": None if claim is None else wanted(claim)}
    alike = _alike(settlements)
    if alike is None:
        request["settlements"] = [settlement_record(settlement) for settlement in settlements]
        ends = [end_of(settlement) for settlement in settlements]
    else:
        request["alike"] = {"ids": alike.ids, "tokens": alike.tokens, "began": alike.began, "ended_at": alike.ended_at}
        end = EndRecord(state=DONE.value, outcome=SUCCESS.value, ended_at=alike.ended_at, attempt=1)
        ends = [encoded(end)]
    applied, claimed = _settled.decode(server.call("settle", request, ends))
    if applied is None:
        applied = [settlement.run.id for settlement in settlements]
    return Settled(applied=applied, claimed=[run_of(record) for record in claimed])


def _alike(settlements: Sequence[Settlement]) -> Plain | None:
    """Return plain settlements of first attempts, which nothing follows at all: the same bytes but for the start."""
    alike = plain(settlements)
    if alike is None or alike.ended_at >= EXACT:
        return None
    for one in settlements:
        run = one.run
        if run.schedule is not None or one.attempt != 1 or one.lost_count != 0 or one.started_at is None:
            return None
    return alike
