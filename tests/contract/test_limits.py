"""Limits hold exactly, however many claim at once, and leave no place free that somebody waits for."""

from collections import Counter
from functools import partial

import pytest

from rota.core.limits import reopened
from rota.core.model import RunKind, State
from rota.queries import RunQuery
from tests.contract.races import together
from tests.limits import ONE_REPORT, SCOPES, a_limit, end, take
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    a_request,
    a_round,
    a_run,
    add_rounds,
    claim,
    failed,
    found,
    ids,
    lost,
    open_counts,
    states,
    succeeded,
)

# --- never one above ---


@pytest.mark.parametrize("scope", SCOPES)
def test_a_claim_takes_no_more_than_a_limit_allows(store, scope):  # R35
    [name] = SCOPES[scope].values()
    limits = (a_limit(scope, name, running=2),)
    runs = [a_run(**SCOPES[scope]) for _ in range(5)]
    store.enqueue(runs, now=NOON)

    assert ids(claim(store, limits=limits)) == ids(runs[:2])
    assert claim(store, "w2", limits=limits) == []


@pytest.mark.parametrize("scope", SCOPES)
def test_a_limit_on_each_holds_for_each_one_apart(store, scope):  # R35
    [field] = SCOPES[scope]
    runs = [a_run(**{field: name}) for name in ("a", "b") for _ in range(3)]
    store.enqueue(runs, now=NOON)
    request = {"queues": {"a": 9, "b": 9, "default": 9}, "limits": (a_limit(scope, "*", running=2),)}

    taken = claim(store, **request)

    assert Counter(getattr(run, field) for run in taken) == {"a": 2, "b": 2}
    assert claim(store, "w2", **request) == []


def test_a_limit_with_a_name_takes_the_place_of_that_on_each(store):  # R35
    limits = (a_limit("tenant", "*", running=1), a_limit("tenant", "acme", running=3))
    store.enqueue([a_run(tenant=name) for name in ("acme", "globex") for _ in range(5)], now=NOON)

    taken = claim(store, limits=limits)

    assert Counter(run.tenant for run in taken) == {"acme": 3, "globex": 1}


def test_a_limit_that_allows_everything_lifts_that_on_each(store):  # R35
    limits = (a_limit("tenant", "*", running=1), a_limit("tenant", "acme", running=None))
    store.enqueue([a_run(tenant=name) for name in ("acme", "globex") for _ in range(3)], now=NOON)

    assert Counter(run.tenant for run in claim(store, limits=limits)) == {"acme": 3, "globex": 1}


def test_what_is_not_under_a_limit_is_claimed_freely(store):  # R35
    limits = tuple(a_limit(scope, "*") for scope in ("tenant", "key", "host"))
    store.enqueue([a_run() for _ in range(5)], now=NOON)

    assert len(claim(store, limits=limits)) == 5


def test_an_expansion_is_under_no_limit_of_its_job(store):  # R35
    store.enqueue([a_run(), a_run(kind=RunKind.EXPANSION), a_run()], now=NOON)

    taken = claim(store, limits=ONE_REPORT)

    assert sorted(run.kind for run in taken) == [RunKind.EXPANSION, RunKind.JOB]
    store.enqueue([a_run(kind=RunKind.EXPANSION)], now=NOON)
    assert len(claim(store, "w2", limits=ONE_REPORT)) == 1


def test_several_limits_hold_at_once(store):  # R35
    limits = (a_limit(running=4), a_limit("tenant", "*", running=2), a_limit("key", "smtp", running=1))
    store.enqueue([a_run(tenant="acme", limit_key="smtp") for _ in range(3)], now=NOON)
    store.enqueue([a_run(tenant=name) for name in ("acme", "globex", "initech") for _ in range(3)], now=NOON)

    taken = claim(store, limits=limits)

    assert len(taken) == 4
    assert max(Counter(run.tenant for run in taken).values()) <= 2
    assert sum(run.limit_key == "smtp" for run in taken) <= 1


@pytest.mark.parametrize("fields", [{}, {"tenant": "acme", "limit_key": "smtp", "host": "db1"}], ids=["job", "all"])
def test_many_that_claim_at_once_are_never_one_above(store, fields):  # R35
    limits = (a_limit(running=3), *(a_limit(scope, "*", running=4) for scope in ("tenant", "key", "host")))
    store.enqueue([a_run(**fields) for _ in range(40)], now=NOON)
    request = partial(a_request, limits=limits, limit=2, queues={"default": 2})

    claimed = together(*(partial(store.claim, request(f"w{n}"), now=NOON) for n in range(6)))

    taken = [run.id for runs in claimed for run in runs]
    assert len(taken) == len(set(taken)) == 3


def test_ending_and_claiming_at_once_is_never_one_above_and_loses_nothing(store):  # R35
    limits = (a_limit(running=3), a_limit("tenant", "*", running=2))
    runs = [a_run(tenant=f"t{n % 4}") for n in range(60)]
    store.enqueue(runs, now=NOON)
    above = []

    def work(worker):
        held, idle = [], 0
        while idle < 50:
            open_, _ = reopened(limits, store.limit_use(limits, now=NOON), now=NOON)
            names = (*open_, *(f"tenant:{run.tenant}" for run in held), "job:report")
            request = a_request(worker, limits=limits, reopened=names, limit=2, queues={"default": 2})
            held = store.settle([succeeded(run) for run in held], now=NOON, claim=request).claimed
            running = store.runs(RunQuery(states=(State.RUNNING,), limit=100))
            by_tenant = Counter(run.tenant for run in running)
            above.extend([running] if len(running) > 3 or max(by_tenant.values(), default=0) > 2 else [])
            idle = 0 if held else idle + 1

    together(*(partial(work, f"w{n}") for n in range(4)))

    assert above == []
    assert set(states(store, *ids(runs))) == {State.SUCCEEDED}


def test_what_is_given_back_frees_its_place_and_keeps_its_turn(store):  # R35, R36
    runs = [a_run() for _ in range(3)]
    store.enqueue(runs, now=NOON)
    [taken] = claim(store, limits=ONE_REPORT)
    claim(store, "w2", limits=ONE_REPORT)

    store.release("w1", [(taken.id, taken.token)], now=NOON)

    assert ids(take(store, ONE_REPORT)) == [runs[0].id]


def test_a_lost_run_counts_until_it_is_rescued(store):  # R35
    runs = [a_run() for _ in range(2)]
    store.enqueue(runs, now=NOON)
    [taken] = claim(store, limits=ONE_REPORT)

    assert take(store, ONE_REPORT, worker="w2", now=NOON + HOUR) == []

    store.settle([lost(taken)], now=NOON + HOUR)
    store.promote(now=NOON + DAY)
    assert len(take(store, ONE_REPORT, worker="w2", now=NOON + DAY)) == 1


# --- aside ---


def test_what_a_limit_holds_back_stands_aside_and_says_for_which(store):  # R35
    runs = [a_run(priority=7) for _ in range(3)]
    store.enqueue(runs, now=NOON)
    claim(store, limits=ONE_REPORT)

    assert claim(store, "w2", limits=ONE_REPORT) == []

    aside = found(store, runs[1].id)
    assert (aside.state, aside.limited_by, aside.priority) == (State.SCHEDULED, "job:report", 7)
    assert store.promote(now=NOON + DAY) == 0
    assert store.unblock(now=NOON + DAY) == 0
    assert store.gates() == []
    assert open_counts(store) == {"default": {State.RUNNING: 1, State.SCHEDULED: 2}}
    assert store.counts().waiting == 0


def test_it_stands_aside_for_the_narrowest_limit_that_is_full(store):  # R35
    limits = (a_limit(), a_limit("queue", "default"), a_limit("tenant", "*"))
    store.enqueue([a_run(tenant="acme"), a_run(tenant="acme")], now=NOON)
    [taken] = claim(store, limits=limits[:1] + limits[2:])
    claim(store, "w2", limits=limits[:1] + limits[2:])

    [aside] = store.runs(RunQuery(states=(State.SCHEDULED,)))
    assert aside.limited_by == "tenant:acme"
    assert taken.id != aside.id


def test_free_runs_are_claimed_past_any_number_that_are_held_back(store):  # R35
    store.enqueue([a_run(job="slow") for _ in range(300)], now=NOON)
    free = [a_run() for _ in range(3)]
    store.enqueue(free, now=NOON)
    limits = (a_limit(name="slow", running=2),)

    taken = claim(store, limits=limits, limit=5)

    assert ids([run for run in taken if run.job == "report"]) == ids(free)
    assert Counter(run.job for run in taken) == {"slow": 2, "report": 3}


def test_who_ends_takes_the_next_that_stands_aside(store):  # R35
    runs = [a_run() for _ in range(4)]
    store.enqueue(runs, now=NOON)
    [taken] = claim(store, limits=ONE_REPORT)
    claim(store, "w2", limits=ONE_REPORT)
    order = [taken.id]
    while taken := end(store, taken, ONE_REPORT):
        [taken] = taken
        order.append(taken.id)
        assert taken.limited_by is None

    assert order == ids(runs)


def test_those_aside_come_by_priority_then_turn_then_age_and_before_later_ones(store):  # R35
    store.enqueue([a_run()], now=NOON)
    [taken] = claim(store, limits=ONE_REPORT)
    aside = [a_run(), a_run(priority=5), a_run(tenant="acme"), a_run(tenant="acme"), a_run(tenant="globex")]
    store.enqueue(aside, now=NOON)
    claim(store, "w2", limits=ONE_REPORT)
    later = [a_run(priority=9), a_run()]
    store.enqueue(later, now=NOON)
    order = []
    while taken := end(store, taken, ONE_REPORT):
        [taken] = taken
        order.append(taken.id)

    first, urgent, acme1, acme2, globex = ids(aside)
    assert order[:2] == [later[0].id, urgent]
    assert order[2:] == [first, acme1, globex, later[1].id, acme2]


def test_one_of_a_tenant_that_comes_later_stays_behind_those_aside(store):  # R35, design 5
    store.enqueue([a_run()], now=NOON)
    [taken] = claim(store, limits=ONE_REPORT)
    aside = [a_run(tenant="acme") for _ in range(5)]
    store.enqueue(aside, now=NOON)
    claim(store, "w2", limits=ONE_REPORT)
    later = a_run(tenant="acme")
    store.enqueue([later], now=NOON)
    order = []
    while taken := end(store, taken, ONE_REPORT):
        [taken] = taken
        order.append(taken.id)

    assert order == [*ids(aside), later.id]


def test_tenants_take_turns_under_the_limit_of_a_job(store):  # R35, G12
    limits = (a_limit(running=2),)
    store.enqueue([a_run(tenant="flood") for _ in range(50)], now=NOON)
    running = claim(store, limits=limits)
    claim(store, "w2", limits=limits)
    store.enqueue([a_run(tenant=f"t{n}") for n in range(4)], now=NOON)
    order = []
    for _ in range(8):
        running += end(store, running.pop(0), limits)
        order.append(running[-1].tenant)

    assert {"t0", "t1", "t2", "t3"} <= set(order)


def test_a_place_goes_to_whoever_may_use_it_when_the_first_aside_may_not(store):  # R35
    limits = (a_limit(running=2), a_limit("tenant", "*", running=1))
    runs = [a_run(tenant="acme") for _ in range(30)] + [a_run(tenant="globex") for _ in range(2)]
    store.enqueue(runs, now=NOON)
    wide = (a_limit(running=2),)
    claim(store, limits=wide, limit=2)
    claim(store, "w2", limits=wide)
    [first, second] = store.runs(RunQuery(states=(State.RUNNING,)))

    claimed = end(store, first, limits)

    # Of acme one runs still; its other place is for globex, though dozens of acme's stand aside before it.
    assert second.tenant == "acme"
    assert [run.tenant for run in claimed] == ["globex"]


def test_nothing_stands_aside_though_a_place_is_free(store):  # R35
    limits = (a_limit(running=3), a_limit("tenant", "*", running=2))
    store.enqueue([a_run(tenant=f"t{n % 3}") for n in range(30)], now=NOON)
    running = []
    done = 0
    for _ in range(200):
        running += take(store, limits, limit=3 - len(running)) if len(running) < 3 else []
        if not running:
            break
        # As many as the limits and what is left allow, each time.
        left = Counter(run.tenant for run in store.runs(RunQuery(states=(State.QUEUED, State.SCHEDULED), limit=100)))
        if sum(left.values()) > 3 and len(left) > 1:
            assert len(running) == 3
        store.settle([succeeded(running.pop(0))], now=NOON)
        done += 1

    assert done == 30


def test_a_limit_that_was_raised_lets_more_begin(store):  # R35
    runs = [a_run() for _ in range(5)]
    store.enqueue(runs, now=NOON)
    claim(store, limits=ONE_REPORT)
    claim(store, "w2", limits=ONE_REPORT)

    assert ids(take(store, (a_limit(running=4),))) == ids(runs[1:4])


def test_a_limit_that_was_lowered_waits_until_enough_have_ended(store):  # R35
    runs = [a_run() for _ in range(6)]
    store.enqueue(runs, now=NOON)
    three = claim(store, limits=(a_limit(running=3),))

    claimed = [end(store, run, ONE_REPORT) for run in three]

    assert [len(runs) for runs in claimed] == [0, 0, 1]


def test_what_stands_aside_for_a_limit_that_is_gone_is_claimed(store):  # R35
    runs = [a_run() for _ in range(3)]
    store.enqueue(runs, now=NOON)
    claim(store, limits=ONE_REPORT)
    claim(store, "w2", limits=ONE_REPORT)

    assert [name.name for name in store.limit_use((), now=NOON)] == ["job:report"]
    assert ids(take(store, ())) == ids(runs[1:])


def test_paused_jobs_and_tenants_that_stand_aside_leave_the_place_to_others(store):  # R12, R35
    limits = (a_limit("key", "smtp", running=1),)
    store.enqueue([a_run(limit_key="smtp")], now=NOON)
    [taken] = claim(store, limits=limits)
    runs = [
        a_run(limit_key="smtp", job="paused"),
        a_run(limit_key="smtp", tenant="parked"),
        a_run(limit_key="smtp"),
    ]
    store.enqueue(runs, now=NOON)
    claim(store, "w2", limits=limits)

    claimed = end(
        store, taken, limits, except_jobs=frozenset({"paused"}), except_tenants=frozenset({"parked"})
    )  # fmt: skip

    assert ids(claimed) == [runs[2].id]
    assert states(store, runs[0].id, runs[1].id) == [State.SCHEDULED, State.SCHEDULED]


def test_a_claim_takes_from_aside_only_of_its_queues(store):  # R35
    limits = (a_limit("key", "smtp", running=1),)
    store.enqueue([a_run(limit_key="smtp")], now=NOON)
    [taken] = claim(store, limits=limits)
    mail = a_run(limit_key="smtp", queue="mail")
    store.enqueue([mail], now=NOON)
    claim(store, "w2", limits=limits, queues={"mail": 9})

    assert end(store, taken, limits) == []
    assert ids(take(store, limits, queues={"mail": 9})) == [mail.id]


# --- what else is done to runs that stand aside ---


def stood_aside(store, **fields):
    """Return a run that stands aside for the limit of its job, and the one that runs."""
    first = a_run()
    store.enqueue([first], now=NOON)
    [running] = claim(store, limits=ONE_REPORT)
    aside = a_run(**fields)
    store.enqueue([aside], now=NOON)
    assert claim(store, "w2", limits=ONE_REPORT) == []
    assert found(store, aside.id).limited_by == "job:report"
    return aside, running


def test_one_that_stands_aside_can_be_cancelled_and_opened_again(store):  # R32, R35
    aside, running = stood_aside(store)

    assert store.cancel([aside.id], now=NOON, reason="enough") == [aside.id]

    ended = found(store, aside.id)
    assert (ended.state, ended.limited_by) == (State.CANCELLED, None)
    assert store.requeue([aside.id], now=NOON, reason="after all") == [aside.id]
    assert found(store, aside.id).state is State.QUEUED
    assert ids(end(store, running, ONE_REPORT)) == [aside.id]


def test_one_that_stands_aside_holds_its_concurrency_key(store):  # R10, R35
    aside, running = stood_aside(store, concurrency_key="k")
    second = a_run(concurrency_key="k", job="other")
    store.enqueue([second], now=NOON)

    assert found(store, second.id).waits_for == "k"
    assert store.unblock(now=NOON) == 0
    [taken] = end(store, running, ONE_REPORT)
    assert taken.id == aside.id
    store.settle([succeeded(taken)], now=NOON)
    assert ids(claim(store, limits=ONE_REPORT)) == [second.id]


def test_cancelling_one_that_stands_aside_frees_its_key(store):  # R10, R35
    aside, _ = stood_aside(store, concurrency_key="k")
    second = a_run(concurrency_key="k", job="other")
    store.enqueue([second], now=NOON)

    store.cancel([aside.id], now=NOON, reason="enough")

    assert ids(claim(store, limits=ONE_REPORT)) == [second.id]


def test_one_that_stands_aside_keeps_its_round_open(store):  # R35
    round_ = a_round(expanded=True, expected=1)
    add_rounds(store, round_)
    aside, _ = stood_aside(store, round_id=round_.id)

    assert store.finished_rounds() == []
    assert store.round_counts([round_.id]) == {round_.id: {State.SCHEDULED: 1}}
    assert found(store, aside.id) in store.runs(RunQuery(states=(State.SCHEDULED,)))


def test_one_that_stands_aside_has_a_place_of_its_batch(store):  # R24, R35
    stood_aside(store, batch="canary/1")
    behind = a_run(batch="canary/1", held_by="canary/1")
    store.enqueue([behind], now=NOON)

    assert store.batch_counts("canary/1") == {State.SCHEDULED: 2}
    assert store.admit("canary/1", now=NOON, places=1) == []
    assert store.admit("canary/1", now=NOON, places=2) == [behind.id]


def test_one_that_stands_aside_is_no_run_at_a_gate(store):  # R35
    aside, _ = stood_aside(store)

    assert store.skip_held([aside.id], now=NOON, reason="no") == []
    assert store.hold("tenant/acme", job="other", now=NOON) == 0


def test_a_retry_is_counted_again_when_it_begins(store):  # R35
    first, second = a_run(max_attempts=3), a_run()
    store.enqueue([first, second], now=NOON)
    [taken] = claim(store, limits=ONE_REPORT)
    store.settle([failed(taken, wait=MINUTE)], now=NOON)
    assert ids(take(store, ONE_REPORT)) == [second.id]

    store.promote(now=NOON + HOUR)

    assert claim(store, "w2", limits=ONE_REPORT, now=NOON + HOUR) == []
    assert found(store, first.id).limited_by == "job:report"
