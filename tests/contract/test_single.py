"""One run that comes alone stands where one of many would. SQL stores insert it in a statement of its own."""

import pytest

from rota.core.model import State
from rota.core.policy import Overlap
from tests.values import HOUR, NOON, a_run, claim, found, ids, settle_all, states, succeeded


def nothing(store):
    return None


def runs_of_tenants(store):
    store.enqueue([a_run(tenant=tenant) for tenant in ("acme", "acme", "acme", "globex")], now=NOON)


def after_some_were_claimed(store):
    store.enqueue([a_run(tenant="globex") for _ in range(6)], now=NOON)
    claim(store, limit=3)


def several_priorities(store):
    store.enqueue([a_run(tenant="globex", priority=priority) for priority in (0, 0, 5, 5, 5, -3)], now=NOON)
    claim(store, limit=2)


def another_queue(store):
    store.enqueue([a_run(tenant="acme", queue="mail") for _ in range(4)], now=NOON)


SITUATIONS = [nothing, runs_of_tenants, after_some_were_claimed, several_priorities, another_queue]


@pytest.mark.parametrize("tenant", [None, "acme", "globex"])
@pytest.mark.parametrize("weight", [1.0, 0.25])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_run_alone_has_the_turn_of_one_of_many(begin_anew, situation, tenant, weight):
    turns = []
    for others in (0, 1):
        store = begin_anew()
        # A store may look at a queue for the first time by another way.
        store.enqueue([a_run(queue=queue) for queue in ("default", "mail")], now=NOON)
        settle_all(store, *[succeeded(run) for run in claim(store, queues={"default": 9, "mail": 9})])
        situation(store)
        run = a_run(tenant=tenant, weight=weight)
        store.enqueue([run, *[a_run(queue="elsewhere") for _ in range(others)]], now=NOON)
        turns.append(found(store, run.id).turn)

    assert turns[0] == turns[1]


def test_runs_that_come_one_by_one_are_claimed_in_turn(store):
    for number in range(8):
        store.enqueue([a_run(tenant="acme", id=f"{number:032x}")], now=NOON)
    late = a_run(tenant="globex")
    store.enqueue([late], now=NOON)

    claimed = ids(claim(store))

    assert claimed.index(late.id) == 1
    assert [run_id for run_id in claimed if run_id != late.id] == [f"{number:032x}" for number in range(8)]


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, State.QUEUED),
        ({"due_at": NOON + HOUR}, State.SCHEDULED),
        ({"expires_at": NOON + HOUR}, State.QUEUED),
        ({"held_by": "tenant/acme"}, State.SCHEDULED),
        ({"concurrency_key": "k"}, State.SCHEDULED),
        ({"concurrency_key": "k", "overlap": Overlap.SKIP}, State.SKIPPED),
        ({"dedupe_key": "d"}, None),
        ({"state": State.SKIPPED, "ended_at": NOON}, State.SKIPPED),
    ],
)
def test_a_run_alone_is_put_where_it_belongs(store, fields, state):
    store.enqueue([a_run(concurrency_key="k"), a_run(dedupe_key="d")], now=NOON)
    run = a_run(tenant="acme", **fields)

    accepted = store.enqueue([run], now=NOON)

    assert accepted == ([] if state is None else [run.id])
    if state is None:
        assert store.run(run.id) is None
    else:
        assert states(store, run.id) == [state]


def test_a_run_alone_is_accepted_once(store):
    run = a_run(tenant="acme")

    assert store.enqueue([run], now=NOON) == [run.id]
    assert store.enqueue([run], now=NOON) == []
    assert store.enqueue([a_run(id=run.id, due_at=NOON + HOUR)], now=NOON) == []
