"""Runs come in: once, and to the right place."""

import pytest

from rota.core.model import RunKind, State
from rota.queries import RunQuery
from tests.values import (
    HOUR,
    MICROSECOND,
    MINUTE,
    NOON,
    a_run,
    a_slot_run,
    claim,
    found,
    ids,
    new_id,
    open_counts,
    settle_all,
    states,
    succeeded,
)


def test_a_run_comes_back_as_it_was_given(store):
    run = a_run(
        queue="mail",
        kind=RunKind.EXPANSION,
        tenant="acme",
        user_id="u-7",
        args='{"args":[1],"kwargs":{"a":"b"}}',
        reason="because",
        priority=5,
        due_at=NOON + MICROSECOND,
        expires_at=NOON + HOUR,
        created_at=NOON - HOUR,
        actor="cli:ann",
        schedule="nightly",
        slot=NOON - MINUTE,
        since=NOON - HOUR,
        round_id=new_id(),
        dedupe_key="nightly|1",
        concurrency_key=None,
        max_attempts=7,
    )

    store.enqueue([run], now=NOON)

    expected = {name: getattr(run, name) for name in run.__struct_fields__} | {"state": State.SCHEDULED}
    stored = found(store, run.id)
    assert {name: getattr(stored, name) for name in stored.__struct_fields__} == expected


def test_nothing_enqueued_is_nothing_accepted(store):
    assert store.enqueue([], now=NOON) == []


def test_what_is_due_is_queued_and_what_is_not_is_scheduled(store):
    runs = [a_run(due_at=NOON), a_run(due_at=NOON + MICROSECOND), a_run(due_at=NOON - HOUR)]

    store.enqueue(runs, now=NOON)

    assert states(store, *ids(runs)) == [State.QUEUED, State.SCHEDULED, State.QUEUED]


def test_accepted_ids_come_in_the_order_given(store):
    runs = [a_run() for _ in range(20)]
    runs.reverse()

    assert store.enqueue(runs, now=NOON) == ids(runs)


def test_repeating_an_enqueue_adds_nothing(store):  # R30
    runs = [a_run(), a_slot_run(), a_run(concurrency_key="k"), a_run(due_at=NOON + HOUR)]
    store.enqueue(runs, now=NOON)
    before = [found(store, run.id) for run in runs]

    assert store.enqueue(runs, now=NOON + MINUTE) == []
    assert [found(store, run.id) for run in runs] == before


def test_a_known_run_does_not_hold_back_new_ones_of_its_batch(store):
    old, new = a_run(), a_run()
    store.enqueue([old], now=NOON)

    assert store.enqueue([old, new], now=NOON) == [new.id]


def test_a_dedupe_key_is_accepted_once(store):
    first, second = a_run(dedupe_key="once"), a_run(dedupe_key="once")

    assert store.enqueue([first], now=NOON) == [first.id]
    assert store.enqueue([second], now=NOON) == []
    assert store.run(second.id) is None


def test_a_dedupe_key_stays_taken_when_its_run_has_ended(store):
    store.enqueue([a_run(dedupe_key="once")], now=NOON)
    settle_all(store, *[succeeded(run) for run in claim(store)])

    assert store.enqueue([a_run(dedupe_key="once")], now=NOON) == []


def test_of_one_dedupe_key_in_a_batch_the_first_is_accepted(store):
    first, second, other = a_run(dedupe_key="once"), a_run(dedupe_key="once"), a_run()

    assert store.enqueue([first, second, other], now=NOON) == [first.id, other.id]


def test_of_one_id_in_a_batch_the_first_is_accepted(store):
    run = a_run(tenant="acme")

    assert store.enqueue([run, a_run(id=run.id, tenant="globex")], now=NOON) == [run.id]
    assert found(store, run.id).tenant == "acme"


def test_dedupe_keys_tell_upper_case_spaces_and_accents_apart(store):
    keys = ["key", "KEY", "kéy", "key ", " key", "ke\u0301y"]
    runs = [a_run(dedupe_key=key) for key in keys]

    assert store.enqueue(runs, now=NOON) == ids(runs)


def test_runs_without_a_dedupe_key_do_not_meet(store):
    runs = [a_run(), a_run()]

    assert store.enqueue(runs, now=NOON) == ids(runs)


@pytest.mark.parametrize("state", [State.SKIPPED, State.CANCELLED, State.FAILED, State.SUCCEEDED])
def test_a_run_given_as_ended_is_stored_as_it_is(store, state):
    run = a_run(state=state, reason="overlap", ended_at=NOON, concurrency_key="k", dedupe_key="d")

    assert store.enqueue([run], now=NOON) == [run.id]
    assert found(store, run.id) == run
    assert claim(store) == []


def test_a_run_given_as_ended_holds_back_nobody(store):
    skipped = a_run(state=State.SKIPPED, reason="overlap", ended_at=NOON, concurrency_key="k")
    run = a_run(concurrency_key="k")

    store.enqueue([skipped, run], now=NOON)

    assert found(store, run.id).state is State.QUEUED


def test_ten_thousand_runs_in_chunks_are_all_there(store):
    runs = [a_run(tenant=f"t{number % 100}", dedupe_key=f"bulk|{number}") for number in range(10_000)]

    accepted = [
        run_id for start in range(0, 10_000, 2_000) for run_id in store.enqueue(runs[start : start + 2_000], now=NOON)
    ]

    assert accepted == ids(runs)
    assert open_counts(store) == {"default": {State.QUEUED: 10_000}}
    assert store.enqueue(runs[4_000:6_000], now=NOON) == []


def test_one_batch_of_three_thousand_is_no_special_case(store):
    runs = [a_run(concurrency_key=f"k{number % 7}" if number % 3 == 0 else None) for number in range(3_000)]

    assert store.enqueue(runs, now=NOON) == ids(runs)
    assert sum(open_counts(store)["default"].values()) == 3_000


def test_promote_queues_what_came_due(store):
    soon, later = a_run(due_at=NOON + MINUTE), a_run(due_at=NOON + HOUR)
    store.enqueue([soon, later], now=NOON)

    assert store.promote(now=NOON + MINUTE) == 1
    assert states(store, soon.id, later.id) == [State.QUEUED, State.SCHEDULED]


def test_promote_is_exact_to_the_microsecond(store):
    run = a_run(due_at=NOON + MICROSECOND)
    store.enqueue([run], now=NOON)

    assert store.promote(now=NOON) == 0
    assert store.promote(now=NOON + MICROSECOND) == 1


def test_promote_takes_the_longest_due_first_up_to_its_limit(store):
    runs = [a_run(due_at=NOON + minutes * MINUTE) for minutes in (3, 1, 2)]
    store.enqueue(runs, now=NOON)

    assert store.promote(now=NOON + HOUR, limit=2) == 2
    assert states(store, *ids(runs)) == [State.SCHEDULED, State.QUEUED, State.QUEUED]


def test_promote_again_finds_nothing(store):
    store.enqueue([a_run(due_at=NOON + MINUTE)], now=NOON)
    store.promote(now=NOON + MINUTE)

    assert store.promote(now=NOON + MINUTE) == 0


def test_promote_leaves_alone_what_waits_for_a_key(store):
    runs = [a_run(concurrency_key="k"), a_run(concurrency_key="k")]
    store.enqueue(runs, now=NOON)

    assert store.promote(now=NOON + HOUR) == 0
    assert states(store, *ids(runs)) == [State.QUEUED, State.SCHEDULED]


def test_a_promoted_run_gets_a_turn_behind_its_tenants_others(store):
    store.enqueue([a_run(tenant="acme", due_at=NOON + MINUTE)], now=NOON)
    waiting = [a_run(tenant="acme") for _ in range(3)]
    store.enqueue(waiting, now=NOON)

    store.promote(now=NOON + MINUTE)

    turns = [run.turn for run in store.runs(RunQuery(states=(State.QUEUED,)))]
    assert sorted(turns) == [0.0, 1.0, 2.0, 3.0]


def test_a_slot_whose_run_is_running_is_not_accepted_again(store):  # R30
    run = a_slot_run()
    store.enqueue([run], now=NOON)
    claim(store)

    assert store.enqueue([a_slot_run()], now=NOON) == []
    assert states(store, run.id) == [State.RUNNING]


def test_many_runs_at_once_keep_what_they_share_and_what_is_their_own(store):
    shared = {"job": "100% 'it\\'s' %s", "actor": "50 %d", "priority": 3}
    runs = [
        a_run(**shared, tenant=f"t{number}", user_id=None if number % 3 else "%(u)s", args=f'{{"args":[{number}]}}')
        for number in range(60)
    ]

    store.enqueue(runs, now=NOON)

    kept = {run.id: run for run in store.runs(RunQuery(limit=100))}
    told = [(run.job, run.actor, run.priority, run.tenant, run.user_id, run.args) for run in runs]
    assert [
        (one.job, one.actor, one.priority, one.tenant, one.user_id, one.args) for one in (kept[run.id] for run in runs)
    ] == told
