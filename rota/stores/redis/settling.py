"""What became of attempts, and the next batch in the same call."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from rota.core.model import Settlement
from rota.queries import ClaimRequest, Settled
from rota.stores.redis.mapping import end_of, micros, run_of, settlement_record
from rota.stores.redis.queue import wanted
from rota.stores.redis.records import RunRecord
from rota.stores.redis.server import Server

_settled = msgspec.msgpack.Decoder(tuple[list[str], list[RunRecord]])


def settle(server: Server, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None) -> Settled:
    """Apply settlements, each judged alone; then claim, if asked."""
    request = {
        "settlements": [settlement_record(settlement) for settlement in settlements],
        "now": micros(now),
        "claim": None if claim is None else wanted(claim),
    }
    applied, claimed = _settled.decode(
        server.call("settle", request, [end_of(settlement) for settlement in settlements])
    )
    return Settled(applied=applied, claimed=[run_of(record) for record in claimed])
