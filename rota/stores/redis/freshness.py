"""What a store on Redis keeps for the watchdog."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from rota.core.freshness import Expectation
from rota.core.model import State
from rota.core.watched import Flip, Key, Ping, PingKind, Turn, Watched, watch_key
from rota.queries import EVERY_PAIR, FlipQuery, PairQuery
from rota.stores.memory_freshness import is_flip_meant, is_pair_meant
from rota.stores.redis.mapping import clean, clean_if, expectation_record, micros, micros_if, to_json
from rota.stores.redis.paging import newest_first
from rota.stores.redis.pair_mapping import pair_of, pair_record
from rota.stores.redis.records import PairRecord
from rota.stores.redis.server import Server

ENDS = {PingKind.SUCCESS: State.SUCCEEDED.value, PingKind.FAIL: State.FAILED.value}

_several = msgspec.msgpack.Decoder(list[PairRecord])
_one = msgspec.msgpack.Decoder(PairRecord)
_numbers = msgspec.msgpack.Decoder(list[int])
_flip = msgspec.json.Decoder(Flip)
_ping = msgspec.json.Decoder(Ping)


class RedisFreshness:
    """By when each schedule must have succeeded for each tenant. What a verb promises stands in `FreshnessStore`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def looks(self, *, now: datetime, limit: int = 1000) -> list[Watched]:
        answer = self._server.call("looks", {"now": micros(now), "limit": limit})
        return [pair_of(record) for record in _several.decode(answer)]

    def turn(self, turns: Sequence[Turn]) -> list[Key]:
        wanted = [turn for turn in turns if turn.before != turn.after]
        if not wanted:
            return []
        answer = self._server.call("turn", [_turn_record(turn) for turn in wanted])
        return [_key(wanted[number]) for number in _numbers.decode(answer)]

    def pairs(self, query: PairQuery = EVERY_PAIR) -> list[Watched]:
        schedules = sorted(query.schedules or self._watching())
        found = (pair for schedule in schedules for pair in self._of(schedule, query))
        return list(islice((pair for pair in found if is_pair_meant(pair, query)), query.limit))

    def _watching(self) -> list[str]:
        return [name.decode() for name in self._server.ask("SMEMBERS", self._server.key("watching"))]

    def _of(self, schedule: str, query: PairQuery) -> list[Watched]:
        if query.after is not None and schedule < query.after[0]:
            return []
        key = self._server.key("pairs", schedule)
        if query.tenants:
            kept = self._server.ask("HMGET", key, *query.tenants)
        else:
            kept = self._server.ask("HVALS", key)
        found = [pair_of(_one.decode(text)) for text in kept if text is not None]
        return sorted(found, key=lambda pair: pair.tenant)

    def flips(self, query: FlipQuery) -> list[Flip]:
        return list(islice((flip for flip in self._flips(query) if is_flip_meant(flip, query)), query.limit))

    def _flips(self, query: FlipQuery) -> Iterator[Flip]:
        name = "flip-ids" if query.schedule is None else f"flip-ids:{query.schedule}"
        for ids in newest_first(self._server, name, query.before_id):
            for kept in self._server.ask("HMGET", self._server.key("flips"), *ids):
                # One may have been pruned since.
                if kept is not None:
                    yield _flip.decode(kept)

    def ping(self, ping: Ping, *, slot: datetime | None = None, expected: Expectation | None = None) -> bool:
        told = msgspec.structs.replace(ping, name=clean(ping.name), text=clean_if(ping.text))
        request = {
            "ping": {"id": ping.id, "name": told.name, "at": micros(ping.at), "text": to_json(told)},
            "schedule": watch_key(told.name),
            "ended": ENDS.get(ping.kind),
            "slot": micros_if(slot),
            "expected": expectation_record(expected),
        }
        return bool(self._server.call("ping", request))

    def pings(self, name: str, *, before_id: str | None = None, limit: int = 100) -> list[Ping]:
        return list(islice(self._pings(name, before_id), limit))

    def _pings(self, name: str, before_id: str | None) -> Iterator[Ping]:
        for ids in newest_first(self._server, f"ping-ids:{name}", before_id):
            for kept in self._server.ask("HMGET", self._server.key("pings"), *ids):
                if kept is not None:
                    yield _ping.decode(kept)

    def prune(self, *, flips_before: datetime, pings_before: datetime, limit: int = 1000) -> int:
        before = {"flips_before": micros(flips_before), "pings_before": micros(pings_before), "limit": limit}
        pruned: int = self._server.call("prune_freshness", before)
        return pruned


def _turn_record(turn: Turn) -> dict[str, Any]:
    flip = turn.flip
    return {
        "before": pair_record(turn.before),
        "after": pair_record(turn.after),
        "flip": None if flip is None else {"id": flip.id, "at": micros(flip.at), "text": to_json(flip)},
    }


def _key(turn: Turn) -> Key:
    one = turn.after or turn.before
    assert one is not None
    return one.key
