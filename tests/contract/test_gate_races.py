"""Many at once at gates, keys and controls: places hold exactly, one wins, nothing is lost."""

import threading
from itertools import chain

from msgspec.structs import replace

from rota.core.model import State
from rota.core.policy import Overlap
from rota.queries import AuditQuery
from tests.contract.races import together
from tests.values import (
    NOON,
    a_control,
    a_request,
    a_run,
    an_entry,
    claim,
    found,
    ids,
    settle_all,
    states,
    succeeded,
)

BATCH = "campaign/7"


def batched(**fields):
    return a_run(**{"held_by": BATCH, "batch": BATCH} | fields)


def test_of_many_who_admit_at_once_none_admits_more_than_there_are_places(store):  # R13, R35
    runs = [batched() for _ in range(40)]
    store.enqueue(runs, now=NOON)

    answers = together(*[lambda: store.admit(BATCH, now=NOON, places=5) for _ in range(8)])

    admitted = list(chain(*answers))
    assert len(admitted) == len(set(admitted)) == 5
    assert store.batch_counts(BATCH) == {State.QUEUED: 5, State.SCHEDULED: 35}


def test_places_hold_while_runs_are_claimed_and_end(store):  # R13, R35
    places, runs = 3, [batched(max_attempts=1) for _ in range(36)]
    store.enqueue(runs, now=NOON)
    done = threading.Event()
    seen = []

    def admit():
        mine = []
        while not done.is_set():
            mine += store.admit(BATCH, now=NOON, places=places)
            counts = store.batch_counts(BATCH)
            seen.append(counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0))
            if counts.get(State.SUCCEEDED, 0) == len(runs):
                done.set()
        return mine

    def work(worker):
        applied, held = [], []
        while held or not done.is_set():
            settled = store.settle([succeeded(run) for run in held], now=NOON, claim=a_request(worker, limit=2))
            applied += settled.applied
            held = settled.claimed
        return applied

    answers = together(admit, admit, admit, lambda: work("w1"), lambda: work("w2"))

    assert max(seen) <= places
    assert sorted(chain(*answers[:3])) == sorted(ids(runs))
    assert sorted(chain(*answers[3:])) == sorted(ids(runs))


def test_a_run_that_moves_on_behind_the_gate_while_places_are_counted_is_not_missed(store):  # R13, R35
    for batch in (f"campaign/{number}" for number in range(25)):
        runs = [batched(batch=batch, held_by=batch) for _ in range(12)]
        store.enqueue(runs, now=NOON)
        out = store.admit(batch, now=NOON, places=4, to="depends")

        def admit(batch=batch):
            return [run_id for _ in range(8) for run_id in store.admit(batch, now=NOON, places=4)]

        def move_on(out=out):
            return [run_id for some in out for run_id in store.admit("depends", now=NOON, ids=[some])]

        admitted, moved = together(admit, move_on)

        # Nothing has ended: there was no place for anybody else.
        assert (admitted, moved) == ([], out)


def test_places_of_two_batches_do_not_disturb_each_other(store):
    names = ["campaign/1", "campaign/2"]
    store.enqueue([batched(batch=name, held_by=name) for name in names for _ in range(10)], now=NOON)

    together(*[lambda name=name: store.admit(name, now=NOON, places=4) for name in names * 3])

    assert [store.batch_counts(name)[State.QUEUED] for name in names] == [4, 4]


def test_of_many_who_admit_without_places_each_run_goes_to_one(store):
    runs = [batched() for _ in range(60)]
    store.enqueue(runs, now=NOON)

    def admit():
        mine = []
        while admitted := store.admit(BATCH, now=NOON, limit=7):
            mine += admitted
        return mine

    answers = together(*[admit for _ in range(4)])

    assert sorted(chain(*answers)) == sorted(ids(runs))
    assert store.gates() == []
    assert len(claim(store)) == 60


def test_a_run_is_either_cancelled_at_its_gate_or_behind_it(store):
    runs = [batched(concurrency_key=f"key-{number}") for number in range(40)]
    store.enqueue(runs, now=NOON)

    def admit():
        return [run_id for run in runs for run_id in store.admit(BATCH, now=NOON, ids=[run.id])]

    def cancel():
        return [run_id for run in reversed(runs) for run_id in store.cancel([run.id], now=NOON, reason="ann")]

    admitted, cancelled = together(admit, cancel)

    assert sorted(cancelled) == sorted(ids(runs))
    assert len(admitted) == len(set(admitted))
    assert set(states(store, *ids(runs))) == {State.CANCELLED}
    assert store.gates() == []
    assert claim(store) == []


def test_a_run_is_either_put_aside_or_claimed(store):  # R12
    runs = [a_run(tenant="acme") for _ in range(60)]
    store.enqueue(runs, now=NOON)

    def hold():
        while store.hold("tenant/acme", tenant="acme", now=NOON, limit=4):
            pass

    def claim_all():
        mine = []
        while claimed := claim(store, limit=3):
            mine += ids(claimed)
        return mine

    _, claimed = together(hold, claim_all)
    # A claim that met a run which was just being held has passed it over.
    hold()

    held = ids(store.held("tenant/acme"))
    assert sorted(claimed + held) == sorted(ids(runs))
    assert set(states(store, *claimed)) <= {State.RUNNING}


def test_what_is_put_aside_and_admitted_at_once_is_not_lost(store):
    runs = [a_run(tenant="acme") for _ in range(30)]
    store.enqueue(runs, now=NOON)

    def hold():
        return sum(store.hold("tenant/acme", tenant="acme", now=NOON, limit=5) for _ in range(20))

    def admit():
        return sum(len(store.admit("tenant/acme", now=NOON, limit=5)) for _ in range(20))

    held, admitted = together(hold, admit)

    assert len(store.held("tenant/acme")) == held - admitted
    assert len(claim(store)) == 30 - (held - admitted)


def test_a_run_is_either_skipped_at_its_gate_or_admitted(store):  # R25
    runs = [batched() for _ in range(40)]
    store.enqueue(runs, now=NOON)

    def admit():
        return [run_id for run in runs for run_id in store.admit(BATCH, now=NOON, ids=[run.id])]

    def skip():
        return [run_id for run in reversed(runs) for run_id in store.skip_held([run.id], now=NOON, reason="made up")]

    admitted, skipped = together(admit, skip)

    assert sorted(admitted + skipped) == sorted(ids(runs))
    assert set(states(store, *admitted)) <= {State.QUEUED}
    assert set(states(store, *skipped)) <= {State.SKIPPED}


def test_of_many_who_replace_one_another_one_runs_at_a_time_and_all_end(store):  # R10
    first = a_run(concurrency_key="k")
    store.enqueue([first], now=NOON)
    [running] = claim(store)
    runs = [a_run(concurrency_key="k", overlap=Overlap.REPLACE) for _ in range(6)]

    together(*[lambda run=run: store.enqueue([run], now=NOON) for run in runs])

    assert found(store, first.id).cancel_requested
    assert claim(store, "w2") == []
    settle_all(store, succeeded(running))
    executed = []
    while True:
        # What two of them racing left behind, the promoter finds.
        store.unblock(now=NOON)
        claimed = claim(store, "w2")
        if not claimed:
            break
        assert len(claimed) == 1
        executed += ids(claimed)
        settle_all(store, succeeded(claimed[0]))
    ends = states(store, *ids(runs))
    assert set(ends) <= {State.SUCCEEDED, State.CANCELLED}
    assert ends.count(State.SUCCEEDED) == len(executed) >= 1


def test_of_many_who_change_a_control_one_does_and_tells(store):  # R12
    store.put_control(a_control(version=1), expected_version=None)
    entries = [an_entry() for _ in range(6)]

    def change(number):
        control = a_control(version=2, body=f'{{"reason":"{number}"}}')
        return store.put_control(control, expected_version=1, audit=entries[number])

    answers = together(*[lambda number=number: change(number) for number in range(6)])

    winner = answers.index(True)
    assert answers.count(True) == 1
    assert [control.body for control in store.controls()] == [f'{{"reason":"{winner}"}}']
    assert store.audit(AuditQuery()) == [entries[winner]]


def test_of_many_who_put_the_first_control_one_does(store):
    controls = [a_control(body=f"{number}") for number in range(6)]

    answers = together(
        *[lambda control=control: store.put_control(control, expected_version=None) for control in controls]
    )

    assert answers.count(True) == 1
    assert store.controls() == [controls[answers.index(True)]]


def test_a_control_is_either_changed_or_dropped(store):
    for number in range(20):
        name = f"tenant/{number}"
        old = a_control(name=name)
        store.put_control(old, expected_version=None)

        changed, dropped = together(
            lambda old=old: store.put_control(replace(old, version=2), expected_version=1),
            lambda old=old: store.drop_control(old.kind, old.name, expected_version=1),
        )

        assert changed != dropped
        assert (store.control(old.kind, name) is None) == dropped


def test_of_many_who_open_an_ended_run_one_does_and_tells(store):  # R13
    run = a_run(state=State.FAILED, ended_at=NOON)
    store.enqueue([run], now=NOON)
    entries = [an_entry() for _ in range(4)]

    answers = together(
        *[
            lambda entry=entry: store.requeue([run.id], now=NOON, reason="ann", held_by=BATCH, batch=BATCH, audit=entry)
            for entry in entries
        ]
    )

    assert sorted(map(len, answers)) == [0, 0, 0, 1]
    assert store.audit(AuditQuery()) == [entries[answers.index([run.id])]]
    assert ids(store.held(BATCH)) == [run.id]
