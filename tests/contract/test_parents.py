"""Runs that the code of another run enqueued. (R32)"""

from msgspec.structs import replace

from rota.core.model import State
from rota.core.unique import UniqueRun
from rota.queries import RunQuery
from tests.values import DAY, NOON, a_run, a_slot_run, claim, found, ids, new_id, settle_all, succeeded


def children(store, parent: str, **fields) -> list[str]:
    """Return the ids of what a run enqueued, newest first."""
    return ids(store.runs(RunQuery(parent=parent, **fields)))


def test_a_run_keeps_the_one_that_enqueued_it(store):
    parent = new_id()
    alone, delayed, keyed = (
        a_run(parent=parent),
        a_run(parent=parent, due_at=NOON + DAY),
        a_run(parent=parent, concurrency_key="k"),
    )
    of_nobody = a_run()

    store.enqueue([alone], now=NOON)
    store.enqueue([delayed, keyed, of_nobody], now=NOON)

    assert [found(store, run.id).parent for run in (alone, delayed, keyed, of_nobody)] == [parent, parent, parent, None]


def test_a_run_that_is_unique_keeps_it_too(store):
    run = a_run(parent=new_id())

    store.enqueue_unique([UniqueRun(run=run, name="daily")], now=NOON)

    assert children(store, run.parent) == [run.id]


def test_a_claim_hands_out_the_parent_of_each_run(store):
    runs = [a_run(parent=new_id()), a_run(), a_run(parent=new_id())]
    store.enqueue(runs, now=NOON)

    claimed = claim(store)

    assert [run.parent for run in claimed] == [run.parent for run in runs]


def test_the_children_of_a_run_are_asked_for_newest_first_and_by_page(store):
    parent, other = new_id(), new_id()
    mine = [a_run(parent=parent) for _ in range(5)]
    store.enqueue([*mine, a_run(parent=other), a_run()], now=NOON)
    newest_first = ids(mine)[::-1]

    assert children(store, parent) == newest_first
    assert children(store, parent, limit=2, before_id=newest_first[1]) == newest_first[2:4]
    assert children(store, new_id()) == []


def test_the_children_of_a_run_are_narrowed_by_the_rest_of_the_query(store):
    parent = new_id()
    mail, report = a_run(parent=parent, job="mail"), a_run(parent=parent)
    store.enqueue([mail, report], now=NOON)

    assert children(store, parent, jobs=("mail",)) == [mail.id]
    assert children(store, parent, states=(State.FAILED,)) == []


def test_a_child_is_one_through_all_that_becomes_of_it(store):
    run = a_run(parent=new_id())
    store.enqueue([run], now=NOON)
    [claimed] = claim(store)
    settle_all(store, succeeded(claimed))
    store.requeue([run.id], now=NOON, reason="ann")

    assert children(store, run.parent) == [run.id]
    assert found(store, run.id).parent == run.parent


def test_a_child_that_was_pruned_is_none_any_more_and_its_parent_may_go_before_it(store):  # R72
    parent = a_run()
    old, young = a_run(parent=parent.id), a_run(parent=parent.id)
    store.enqueue([parent, old, young], now=NOON)
    by_id = {run.id: run for run in claim(store)}
    settle_all(store, succeeded(by_id[parent.id]), succeeded(by_id[old.id]))
    soon = NOON + DAY

    store.prune(succeeded_before=soon, failed_before=soon, slots_before=soon, logs_before=soon, limit=10)

    assert store.run(parent.id) is None
    assert children(store, parent.id) == [young.id]


def test_a_slot_of_a_schedule_may_have_a_parent_as_well(store):
    run = replace(a_slot_run(), parent=new_id())

    store.enqueue([run], now=NOON)

    assert children(store, run.parent) == [run.id]
