"""In no window more begin than a rate allows, however many claim at once; and it is used in full."""

from functools import partial

import pytest

from rota.core.limits import LimitUse, place_of, reopened
from tests.contract.races import together
from tests.limits import ONE_REPORT, SCOPES, a_limit, end, take, use
from tests.values import HOUR, MINUTE, NOON, SECOND, a_request, a_run, claim, found, succeeded

# --- rates ---


def begun(store, limits, now, **fields):
    """Return how many a claim takes; each ends at once."""
    taken = take(store, limits, now=now, **fields)
    store.settle([succeeded(run, now=now) for run in taken], now=now)
    return len(taken)


@pytest.mark.parametrize("scope", SCOPES)
def test_no_more_begin_in_any_window_than_a_rate_allows(store, scope):  # R35
    [name] = SCOPES[scope].values()
    limits = (a_limit(scope, name, running=None, rate="3/10s"),)
    store.enqueue([a_run(**SCOPES[scope]) for _ in range(20)], now=NOON)

    assert begun(store, limits, NOON, limit=2) == 2
    assert begun(store, limits, NOON + 4 * SECOND) == 1
    assert begun(store, limits, NOON + 9 * SECOND) == 0
    assert begun(store, limits, NOON + 10 * SECOND) == 2
    assert begun(store, limits, NOON + 13 * SECOND) == 0
    assert begun(store, limits, NOON + 14 * SECOND) == 1


def test_a_rate_is_used_in_full(store):  # R35
    limits = (a_limit(running=None, rate="5/1s"),)
    store.enqueue([a_run() for _ in range(60)], now=NOON)
    now, total = NOON, 0
    while now < NOON + 10 * SECOND:
        total += begun(store, limits, now)
        _, next_at = reopened(limits, store.limit_use(limits, now=now), now=now)
        assert next_at is not None
        now = next_at

    assert total == 50


def test_starts_within_a_thousandth_of_a_window_count_together_and_never_too_short(store):  # R35
    limits = (a_limit(running=None, rate="1/1s"),)
    store.enqueue([a_run() for _ in range(5)], now=NOON)
    at = NOON + SECOND / 3

    assert begun(store, limits, at) == 1
    assert begun(store, limits, at + SECOND - SECOND / 10000) == 0
    assert begun(store, limits, at + SECOND + SECOND / 1000) == 1


def test_a_rate_and_a_number_that_runs_hold_together(store):  # R35
    limits = (a_limit(running=2, rate="3/1m"),)
    store.enqueue([a_run() for _ in range(9)], now=NOON)
    running = take(store, limits)
    assert len(running) == 2

    assert len(end(store, running.pop(), limits)) == 1
    assert end(store, running.pop(), limits) == []


def test_a_rate_on_each_is_counted_for_each_one_apart(store):  # R35
    limits = (a_limit("tenant", "*", running=None, rate="2/1m"), a_limit("tenant", "big", None, rate="4/2m"))
    store.enqueue([a_run(tenant=name) for name in ("acme", "globex", "big") for _ in range(9)], now=NOON)

    assert begun(store, limits, NOON) == 8
    assert begun(store, limits, NOON + MINUTE) == 4
    # What the limit on each forgets is not what this one counts.
    assert begun(store, limits, NOON + MINUTE + 30 * SECOND) == 0
    assert begun(store, limits, NOON + 2 * MINUTE) == 8


def names_kept(store, kind) -> int:
    """Return of how many names a store keeps starts."""
    if kind == "memory":
        return len(store._limits._starts)
    if kind == "redis":
        server = store._server
        assert server.ask("PTTL", server.key("starts", "key:user 2")) > 0
        return server.ask("ZCARD", server.key("started-until"))
    return store._database.read(lambda link: link.one("SELECT count(DISTINCT name) FROM {rates}"))[0]


def test_of_those_who_come_once_nothing_is_kept_beyond_their_window(store, kind):  # R35, R72
    limits = (a_limit("key", "*", None, "5/1s"),)
    for number in range(3):
        now = NOON + number * HOUR
        store.enqueue([a_run(limit_key=f"user {number}")], now=now)
        assert begun(store, limits, now) == 1

    assert names_kept(store, kind) == 1


def test_many_that_claim_at_once_are_never_above_a_rate(store):  # R35
    limits = (a_limit("queue", "default", running=None, rate="7/1m"),)
    store.enqueue([a_run() for _ in range(40)], now=NOON)

    claimed = together(
        *(partial(store.claim, a_request(f"w{n}", limits=limits, limit=3), now=NOON + n * SECOND) for n in range(5))
    )

    assert sum(map(len, claimed)) == 7


# --- use ---


def test_the_use_of_limits_is_told_by_name(store):  # R35
    limits = (a_limit(running=2, rate="9/1m"), a_limit("tenant", "*", running=1))
    store.enqueue([a_run(tenant=name) for name in ("acme", "acme", "globex", "globex", "globex")], now=NOON)
    claim(store, limits=limits)
    claim(store, "w2", limits=limits)

    assert use(store, limits) == [
        LimitUse(name="job:report", running=2, started=2, oldest_start=NOON),
        LimitUse(name="tenant:acme", running=1, aside=1),
        LimitUse(name="tenant:globex", running=1, aside=2),
    ]


def test_where_nothing_is_limited_there_is_no_use(store):
    store.enqueue([a_run()], now=NOON)

    assert use(store, ()) == []
    assert use(store, ONE_REPORT) == []


def test_names_that_differ_by_a_little_are_limits_of_their_own(store):  # R35
    names = ["cafe", "CAFE", "café", "cafe "]
    store.enqueue([a_run(tenant=name) for name in names for _ in range(2)], now=NOON)

    taken = claim(store, limits=(a_limit("tenant", "*"),))

    assert sorted(run.tenant for run in taken) == sorted(names)


def test_what_limits_look_at_comes_back_as_it_was_given(store):
    run = a_run(tenant="acme", limit_key="smtp", host="db1")
    store.enqueue([run], now=NOON)

    assert place_of(found(store, run.id)) == ("job", "report", "default", "acme", "smtp", "db1")
