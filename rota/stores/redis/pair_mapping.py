"""Pairs that are watched, to records and back."""

from rota.core.freshness import Freshness
from rota.core.watched import Watched
from rota.stores.redis.mapping import at, at_if, micros, micros_if
from rota.stores.redis.records import PairRecord

FRESHNESS = {str(state): state for state in Freshness}


def pair_record(pair: Watched | None) -> PairRecord | None:
    """Return a pair as Redis keeps it, if there is one."""
    if pair is None:
        return None
    return PairRecord(
        schedule=pair.schedule,
        tenant=pair.tenant,
        state=pair.state.value,
        last_success=micros_if(pair.last_success),
        late_at=micros_if(pair.late_at),
        stale_at=micros_if(pair.stale_at),
        look_at=micros_if(pair.look_at),
        flipped_at=micros(pair.flipped_at),
        watched_from=micros(pair.watched_from),
        rule=pair.rule,
    )


def pair_of(record: PairRecord) -> Watched:
    """Return the pair of a record."""
    return Watched(
        schedule=record.schedule,
        tenant=record.tenant,
        state=FRESHNESS[record.state],
        last_success=at_if(record.last_success),
        late_at=at_if(record.late_at),
        stale_at=at_if(record.stale_at),
        look_at=at_if(record.look_at),
        flipped_at=at(record.flipped_at),
        watched_from=at(record.watched_from),
        rule=record.rule,
    )
