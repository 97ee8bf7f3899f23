"""What was and what is can be asked for."""

import pytest
from msgspec.structs import replace

from rota.clock import id_after
from rota.core.model import Attempt, Outcome, RunKind, SlotState, State, Trigger
from rota.queries import RunQuery
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    a_run,
    a_slot_run,
    claim,
    failed,
    found,
    given_up,
    history,
    ids,
    new_id,
    settle_all,
    succeeded,
)

EARLIER = "0190aaaa111170008000000000000000"
LATER = "0190aaab111170008000000000000000"


def test_a_run_that_is_not_there_is_none(store):
    assert store.run(new_id()) is None
    assert store.run("") is None


def test_a_run_without_attempts_has_none(store):
    run = a_run()
    store.enqueue([run], now=NOON)

    assert history(store, run.id).attempts == ()


def test_a_running_attempt_is_shown(store):
    store.enqueue([a_run()], now=NOON)
    [run] = claim(store, "w3")

    [attempt] = history(store, run.id).attempts

    assert attempt == Attempt(
        run_id=run.id, token=run.token, owner="w3", claimed_at=NOON, started_at=None, ended_at=None, outcome=None
    )


def test_a_unique_prefix_of_six_digits_finds_a_run(store):
    store.enqueue([a_run(id=EARLIER), a_run(id=LATER)], now=NOON)

    assert found(store, "0190aaaa").id == EARLIER
    assert found(store, LATER[:8]).id == LATER
    assert store.run("0190aa") is None, "two runs begin so"
    assert store.run("0190b0") is None


def test_a_shorter_prefix_finds_nothing(store):
    store.enqueue([a_run(id=EARLIER)], now=NOON)

    assert store.run(EARLIER[:5]) is None
    assert found(store, EARLIER[:6]).id == EARLIER


@pytest.mark.parametrize("wildcard", ["0190a_", "0190aa%", "%%%%%%", "______", "0190aa*", "[0-9][0-9]"])
def test_a_prefix_is_no_pattern(store, wildcard):
    store.enqueue([a_run(id=EARLIER)], now=NOON)

    assert store.run(wildcard) is None


def test_runs_come_newest_first_page_by_page(store):
    runs = [a_run() for _ in range(7)]
    store.enqueue(runs, now=NOON)

    pages, before = [], None
    while page := store.runs(RunQuery(limit=3, before_id=before)):
        pages.append(ids(page))
        before = page[-1].id

    newest_first = list(reversed(ids(runs)))
    assert pages == [newest_first[:3], newest_first[3:6], newest_first[6:]]


def test_runs_are_found_by_when_they_ended(store):  # R38
    store.enqueue(runs := [a_run() for _ in range(3)], now=NOON)
    before, after, _ = claim(store)
    settle_all(store, succeeded(before, now=NOON - MINUTE), succeeded(after, now=NOON))

    assert ids(store.runs(RunQuery(ended_since=NOON))) == [runs[1].id]


def test_runs_are_found_by_what_is_asked(store):
    made = [
        a_run(job="a", tenant="acme", queue="mail", created_at=NOON - HOUR),
        a_run(job="b", tenant="globex", due_at=NOON + HOUR, trigger=Trigger.MANUAL),
        a_slot_run(job="a", tenant="acme", slot=NOON - DAY, round_id=EARLIER, trigger=Trigger.BACKFILL),
        a_slot_run(job="c", tenant=None, slot=NOON, schedule="weekly", created_at=NOON + MINUTE),
        a_run(job="a", kind=RunKind.EXPANSION, schedule="nightly", slot=NOON, round_id=EARLIER),
    ]
    # Their ids say the same, as those of a clock do.
    runs = [replace(run, id=f"{id_after(NOON + number * MINUTE)}{'0' * 20}") for number, run in enumerate(made)]
    store.enqueue(runs, now=NOON)

    def asked(**fields):
        return [ids(runs).index(run.id) for run in store.runs(RunQuery(**fields))]

    assert asked() == [3, 2, 1, 0]
    assert asked(kind=None) == [4, 3, 2, 1, 0]
    assert asked(kind=RunKind.EXPANSION) == [4]
    assert asked(jobs=("a",)) == [2, 0]
    assert asked(jobs=("b", "c")) == [3, 1]
    assert asked(tenants=("acme",)) == [2, 0]
    assert asked(tenants=("globex", "acme", "nobody")) == [2, 1, 0]
    assert asked(states=(State.SCHEDULED,)) == [1]
    assert asked(states=(State.QUEUED, State.SCHEDULED)) == [3, 2, 1, 0]
    assert asked(queues=("mail",)) == [0]
    assert asked(triggers=(Trigger.MANUAL, Trigger.BACKFILL)) == [2, 1]
    assert asked(schedule="nightly") == [2]
    assert asked(schedule="nightly", kind=None) == [4, 2]
    assert asked(round_id=EARLIER, kind=None) == [4, 2]
    assert asked(slot_since=NOON) == [3]
    assert asked(slot_until=NOON) == [2]
    assert asked(slot_since=NOON - DAY, slot_until=NOON) == [2]
    assert asked(since=NOON, until=NOON + MINUTE) == [2, 1]
    assert asked(since=NOON + MINUTE) == [3]
    assert asked(until=NOON) == [0]
    assert asked(jobs=("a",), tenants=("acme",), queues=("default",)) == [2]
    assert asked(jobs=("nothing",)) == []
    assert asked(before_id=runs[2].id) == [1, 0]
    assert asked(limit=1, jobs=("a",)) == [2]


def test_runs_are_found_by_their_ids_newest_first_and_narrowed_by_the_rest(store):
    runs = [a_run(), a_run(job="mail"), a_run()]
    store.enqueue([*runs, a_run()], now=NOON)
    wanted = (*ids(runs), ids(runs)[0], new_id())

    assert ids(store.runs(RunQuery(ids=wanted))) == ids(runs)[::-1]
    assert ids(store.runs(RunQuery(ids=wanted, jobs=("mail",)))) == [runs[1].id]
    assert ids(store.runs(RunQuery(ids=wanted, before_id=runs[2].id, limit=1))) == [runs[1].id]


def test_more_ids_than_a_statement_takes_parameters_are_asked_for(store):
    run = a_run()
    store.enqueue([run], now=NOON)

    assert ids(store.runs(RunQuery(ids=(run.id, *(new_id() for _ in range(70_000)))))) == [run.id]


def test_what_a_worker_holds_is_found_by_its_name(store):
    store.enqueue([a_run(), a_run(kind=RunKind.EXPANSION), a_run(), a_run()], now=NOON)
    [mine, expansion] = claim(store, "w1", limit=2)
    claim(store, "w2", limit=1)

    found_runs = store.runs(RunQuery(owner="w1", states=(State.RUNNING,), kind=None))

    assert found_runs == [expansion, mine]


def test_slots_are_told_by_slot_and_tenant(store):
    runs = [
        a_slot_run(slot=NOON, tenant="b"),
        a_slot_run(slot=NOON, tenant="a"),
        a_slot_run(slot=NOON - HOUR, tenant="b", max_attempts=1),
        a_slot_run(slot=NOON - DAY, tenant="a"),
        a_slot_run(slot=NOON + HOUR, tenant="a"),
        a_slot_run(slot=NOON, tenant="a", schedule="weekly"),
        a_run(slot=NOON, schedule="nightly", kind=RunKind.EXPANSION),
    ]
    store.enqueue(runs, now=NOON)
    claimed = {run.id: run for run in claim(store)}
    settle_all(store, given_up(claimed[runs[2].id]), succeeded(claimed[runs[3].id]))

    assert store.slot_states("nightly", since=NOON - DAY, until=NOON + HOUR) == [
        SlotState(NOON - DAY, "a", State.SUCCEEDED, runs[3].id),
        SlotState(NOON - HOUR, "b", State.FAILED, runs[2].id),
        SlotState(NOON, "a", State.RUNNING, runs[1].id),
        SlotState(NOON, "b", State.RUNNING, runs[0].id),
    ]


def test_slots_without_a_tenant_are_told(store):
    run = a_slot_run(tenant=None)
    store.enqueue([run], now=NOON)

    assert store.slot_states("nightly", since=NOON, until=NOON + MINUTE) == [
        SlotState(NOON, None, State.QUEUED, run.id)
    ]


def test_of_several_runs_of_a_slot_the_newest_tells(store):  # R13
    old = a_slot_run(max_attempts=1)
    store.enqueue([old], now=NOON)
    settle_all(store, *[given_up(run) for run in claim(store)])
    new = a_slot_run(dedupe_key="backfill-1", trigger=Trigger.BACKFILL)
    store.enqueue([new], now=NOON)

    assert store.slot_states("nightly", since=NOON, until=NOON + MINUTE) == [
        SlotState(NOON, "acme", State.QUEUED, new.id)
    ]


def test_counts_tell_how_many_open_runs_stand_where(store):
    store.enqueue([a_run(queue="mail", due_at=NOON - minutes * MINUTE) for minutes in (1, 9, 5)], now=NOON)
    store.enqueue([a_run(due_at=NOON + HOUR), a_run(kind=RunKind.EXPANSION)], now=NOON)
    store.enqueue([a_run(queue="keyed", concurrency_key="k", due_at=NOON) for _ in range(3)], now=NOON)
    [ended] = claim(store, limit=1)
    settle_all(store, succeeded(ended))
    claim(store, queues={"keyed": 1})

    counts = store.counts()

    assert {queue: dict(states) for queue, states in counts.by_queue.items()} == {
        "mail": {State.QUEUED: 3},
        "default": {State.SCHEDULED: 1},
        "keyed": {State.RUNNING: 1, State.SCHEDULED: 2},
    }
    assert counts.waiting == 2
    assert counts.oldest_queued_at == NOON - 9 * MINUTE
    assert dict(counts.oldest_by_queue) == {"mail": NOON - 9 * MINUTE}


def test_open_runs_are_counted_of_some_jobs_and_tenants(store):  # T25
    for job, tenant, due_at in (
        ("report", "acme", NOON - MINUTE),
        ("report", "acme", NOON),
        ("report", "globex", NOON - HOUR),
        ("sync", "acme", NOON),
        ("sync", None, NOON),
    ):
        store.enqueue([a_run(job=job, tenant=tenant, due_at=due_at)], now=NOON)

    def counted(**of):
        return (
            store.counts(**{name: frozenset(said) for name, said in of.items()})
            .by_queue.get("default", {})
            .get(State.QUEUED, 0)
        )

    assert counted() == 5
    assert counted(jobs={"sync"}) == 2
    assert counted(tenants={"acme"}) == 3
    assert counted(jobs={"report"}, tenants={"acme", "globex"}) == 3
    assert counted(tenants=set()) == counted(jobs=set()) == 0
    assert store.counts(tenants=frozenset({"acme"})).oldest_queued_at == NOON - MINUTE


def test_an_empty_store_counts_nothing(store):
    counts = store.counts()

    assert (dict(counts.by_queue), counts.waiting, counts.oldest_queued_at) == ({}, 0, None)


def test_a_final_run_of_many_attempts_tells_them_all(store):
    store.enqueue([a_run(max_attempts=20)], now=NOON)
    now = NOON
    for _ in range(12):
        [run] = claim(store, now=now)
        settle_all(store, failed(run, now=now))
        now += HOUR
        store.promote(now=now)

    attempts = history(store, run.id).attempts

    assert [attempt.outcome for attempt in attempts] == [Outcome.FAILED] * 12
    assert [attempt.ended_at for attempt in attempts] == [NOON + number * HOUR for number in range(12)]


def test_a_run_of_a_machine_whose_clock_is_ahead_is_listed_by_when_it_was_made(store):
    ahead = a_run(id=f"{id_after(NOON + 20 * HOUR)}{'0' * 20}", created_at=NOON - HOUR)
    store.enqueue([ahead], now=NOON)

    assert ids(store.runs(RunQuery(until=NOON))) == [ahead.id]


def test_a_run_of_a_machine_whose_clock_is_behind_is_listed_by_when_it_was_made(store):
    behind = a_run(id=f"{id_after(NOON - 20 * HOUR)}{'0' * 20}", created_at=NOON + HOUR)
    store.enqueue([behind], now=NOON)

    assert ids(store.runs(RunQuery(since=NOON))) == [behind.id]
