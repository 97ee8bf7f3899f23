"""Limits, and claims under them as workers make them."""

from rota.core.limits import Bounds, Limit, LimitScope, parse_rate, place_of, reopened
from tests.values import NOON, a_request, claim, succeeded

SCOPES = {
    "job": {"job": "report"},
    "queue": {"queue": "default"},
    "tenant": {"tenant": "acme"},
    "key": {"limit_key": "smtp"},
    "host": {"host": "db1"},
}


def a_limit(scope="job", name="report", running=1, rate=None):
    return Limit(scope=LimitScope(scope), name=name, running=running, rate=None if rate is None else parse_rate(rate))


ONE_REPORT = (a_limit(),)


def use(store, limits, *, now=NOON):
    return store.limit_use(limits, now=now, counts_aside=True)


def take(store, limits, *, now=NOON, worker="w1", **fields):
    """Claim as a worker does that has just looked how the limits are used."""
    open_, _ = reopened(limits, store.limit_use(limits, now=now), now=now)
    return claim(store, worker, now=now, limits=tuple(limits), reopened=tuple(open_), **fields)


def end(store, run, limits, *, now=NOON, **fields):
    """Settle a run, and claim with the same breath under its limits."""
    names = Bounds(limits).names(place_of(run))
    request = a_request(limits=tuple(limits), reopened=tuple(names), **fields)
    return store.settle([succeeded(run, now=now)], now=now, claim=request).claimed
