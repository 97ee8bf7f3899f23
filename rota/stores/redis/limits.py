"""Limits (R35): how they are used. What may be claimed under them is decided in the script of the claim."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from rota.core.limits import Bounds, Limit, LimitUse, Place
from rota.core.model import RunKind
from rota.stores.redis.mapping import MICROSECOND, at
from rota.stores.redis.server import Server


class _Running(Struct):
    """What of a running run limits look at."""

    job: str
    queue: str
    kind: str = RunKind.JOB.value
    tenant: str | None = None
    key: str | None = None
    host: str | None = None


_use = msgspec.msgpack.Decoder(tuple[list[_Running], list[tuple[str, int]], list[tuple[str, int, int]]])


def told(limits: Sequence[Limit]) -> list[dict[str, object]]:
    """Return limits as the script of a claim takes them."""
    return [
        {
            "scope": limit.scope.value,
            "name": limit.name,
            "running": limit.running,
            "rate": None if limit.rate is None else {"number": limit.rate.number, "per": limit.rate.per // MICROSECOND},
        }
        for limit in limits
    ]


def use(server: Server, limits: Sequence[Limit], *, now: datetime, only_aside: bool) -> list[LimitUse]:
    """Return how limits are used, by name."""
    found, counts, starts = _use.decode(server.call("limit_use", {"only_aside": only_aside}))
    bounds = Bounds(limits)
    running = Counter(
        name
        for one in found
        for name in bounds.names(Place(one.kind, one.job, one.queue, one.tenant, one.key, one.host))
    )
    aside = dict(counts)
    started: Counter[str] = Counter()
    oldest: dict[str, datetime] = {}
    for name, micros, number in starts:
        limit, instant = bounds.named(name), at(micros)
        if limit is not None and limit.rate is not None and instant > now - limit.rate.per:
            started[name] += number
            oldest[name] = min(instant, oldest.get(name, instant))
    return [
        LimitUse(
            name=name,
            running=running[name],
            started=started[name],
            oldest_start=oldest.get(name),
            aside=aside.get(name, 0),
        )
        for name in sorted(aside.keys() if only_aside else running.keys() | aside.keys() | started.keys())
    ]
