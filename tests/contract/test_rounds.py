"""A round is the sum of its runs, and ends once."""

from datetime import timedelta

from msgspec.structs import replace

from rota.core.model import RoundState, RunKind, State, Trigger
from rota.queries import RoundQuery
from tests.values import (
    DAY,
    HOUR,
    NOON,
    a_round,
    a_run,
    a_skipped_round,
    a_slot_run,
    add_rounds,
    claim,
    failed,
    given_up,
    ids,
    new_id,
    settle_all,
    states,
    succeeded,
)


def test_rounds_are_those_that_have_to_do_with_a_tenant(store):  # T25
    both, theirs, ours, skipped, unexpanded = (
        a_round(slot=NOON - number * HOUR, expanded=True, schedule=f"s{number}") for number in range(5)
    )
    skipped = a_skipped_round(schedule="skipping", expanded=True)
    unexpanded = replace(unexpanded, expanded=False)
    runs = [
        a_run(tenant=tenant, round_id=round_.id)
        for round_, tenant in ((both, "acme"), (both, "globex"), (theirs, "globex"), (ours, "acme"))
    ]
    store.add_rounds([both, theirs, ours, skipped, unexpanded], runs, now=NOON)

    def found(*tenants):
        return {round_.id for round_ in store.rounds(RoundQuery(tenants=tenants))}

    assert found("acme") == {both.id, ours.id, skipped.id, unexpanded.id}
    assert found("acme", *(f"t{number}" for number in range(30))) == found("acme")
    assert found("nobody") == {skipped.id, unexpanded.id}
    assert len(found()) == 5
    assert [one.id for one in store.rounds(RoundQuery(tenants=("acme",), limit=2))] == sorted(found("acme"))[:1:-1]


def test_the_runs_of_a_round_are_counted_for_some_tenants(store):  # T25
    round_ = a_round(expanded=True)
    runs = [a_run(tenant=tenant, round_id=round_.id) for tenant in ("acme", "acme", "globex")]
    store.add_rounds([round_], runs, now=NOON)

    assert store.round_counts([round_.id], tenants=["acme"]) == {round_.id: {State.QUEUED: 2}}
    assert store.round_counts([round_.id], tenants=["acme", "globex"]) == store.round_counts([round_.id])
    assert store.round_counts([round_.id], tenants=["nobody"]) == {}


def test_a_round_comes_back_as_it_was_given(store):
    rounds = [
        a_round(),
        a_skipped_round(slot=NOON - HOUR, skipped_from=NOON - DAY),
        a_round(
            schedule=None,
            slot=None,
            trigger=Trigger.MANUAL,
            actor="cli:ann",
            state=RoundState.PARTIAL,
            reason="by hand",
            expanded=True,
            expected=3,
            counts={"succeeded": 2, "failed": 1},
            ended_at=NOON + timedelta(microseconds=1),
        ),
    ]

    assert add_rounds(store, *rounds) == ids(rounds)
    assert store.rounds(RoundQuery()) == list(reversed(rounds))


def test_a_round_is_recorded_once(store):
    round_ = a_round()
    add_rounds(store, round_)

    assert add_rounds(store, round_) == []
    assert add_rounds(store, a_round(actor="another for the same slot")) == []
    assert store.rounds(RoundQuery()) == [round_]


def test_rounds_without_a_slot_do_not_meet(store):
    rounds = [a_round(schedule=schedule, slot=None) for schedule in (None, None, "nightly", "nightly")]

    assert add_rounds(store, *rounds) == ids(rounds)


def test_a_round_that_is_there_does_not_hold_back_the_others(store):
    there, new, last = a_round(), a_round(slot=NOON + HOUR), a_round(slot=NOON + 2 * HOUR)
    add_rounds(store, there)

    assert add_rounds(store, a_round(), last, new, a_round(slot=NOON + HOUR)) == [last.id, new.id]
    assert set(ids(store.rounds(RoundQuery()))) == {there.id, new.id, last.id}


def test_rounds_come_with_their_runs(store):  # R13
    round_ = a_round(trigger=Trigger.BACKFILL)
    runs = [
        a_slot_run(round_id=round_.id, concurrency_key="k"),
        a_slot_run(round_id=round_.id, concurrency_key="k", tenant="globex"),
        a_slot_run(round_id=round_.id, tenant="initech", due_at=NOON + HOUR),
    ]

    assert store.add_rounds([round_], runs, now=NOON) == [round_.id]

    assert states(store, *ids(runs)) == [State.QUEUED, State.SCHEDULED, State.SCHEDULED]
    assert store.round_counts([round_.id]) == {round_.id: {State.QUEUED: 1, State.SCHEDULED: 2}}


def test_adding_rounds_again_adds_nothing(store):  # R30
    round_ = a_round()
    runs = [a_slot_run(round_id=round_.id), a_run(round_id=round_.id)]
    store.add_rounds([round_], runs, now=NOON)
    claim(store)

    assert store.add_rounds([round_], runs, now=NOON) == []
    assert store.rounds(RoundQuery()) == [round_]
    assert store.round_counts([round_.id]) == {round_.id: {State.RUNNING: 2}}


def test_an_ended_round_that_gets_a_new_run_is_open_again(store):  # R13
    ended, other = (a_round(expanded=True, slot=slot) for slot in (NOON, NOON + HOUR))
    add_rounds(store, ended, other)
    for round_ in (ended, other):
        store.end_round(replace(round_, state=RoundState.FAILED, counts={"failed": 1}, ended_at=NOON))

    store.add_rounds([], [a_slot_run(round_id=ended.id)], now=NOON)

    assert [(round_.state, round_.ended_at) for round_ in store.rounds(RoundQuery())] == [
        (RoundState.FAILED, NOON),
        (RoundState.RUNNING, None),
    ]


def test_an_ended_round_stays_ended_when_its_run_is_known_already(store):
    round_ = a_round(expanded=True)
    run = a_slot_run(round_id=round_.id, state=State.SUCCEEDED, ended_at=NOON)
    store.enqueue([run], now=NOON)
    add_rounds(store, round_)
    store.end_round(replace(round_, state=RoundState.SUCCEEDED, ended_at=NOON))

    store.add_rounds([round_], [a_slot_run(round_id=round_.id)], now=NOON)

    [stored] = store.rounds(RoundQuery())
    assert stored.ended_at == NOON


def test_rounds_are_found_by_what_is_asked(store):
    rounds = [
        a_round(job="a", schedule="s-1", slot=NOON),
        a_round(job="a", schedule="s-2", slot=NOON + HOUR, state=RoundState.FAILED, ended_at=NOON),
        a_round(job="b", schedule="s-1", slot=NOON + 2 * HOUR),
        a_round(job="c", schedule=None, slot=None),
    ]
    add_rounds(store, *rounds)

    def asked(**fields):
        return [rounds.index(round_) for round_ in store.rounds(RoundQuery(**fields))]

    assert asked() == [3, 2, 1, 0]
    assert asked(jobs=("a",)) == [1, 0]
    assert asked(jobs=("a", "c")) == [3, 1, 0]
    assert asked(schedule="s-1") == [2, 0]
    assert asked(states=(RoundState.FAILED,)) == [1]
    assert asked(slot_since=NOON + HOUR) == [2, 1]
    assert asked(slot_until=NOON + HOUR) == [0]
    assert asked(slot_since=NOON, slot_until=NOON + HOUR, jobs=("b",)) == []
    assert asked(limit=2) == [3, 2]
    assert asked(limit=2, before_id=rounds[2].id) == [1, 0]


def test_round_counts_follow_the_runs(store):  # R23
    first, second = new_id(), new_id()
    store.enqueue([a_run(round_id=first, max_attempts=3) for _ in range(5)], now=NOON)
    store.enqueue([a_run(round_id=second), a_run(round_id=first, kind=RunKind.EXPANSION), a_run()], now=NOON)
    runs = [run for run in claim(store, limit=4) if run.round_id == first]
    settle_all(store, succeeded(runs[0]), given_up(runs[1]), failed(runs[2]))

    assert store.round_counts([second, first, new_id()]) == {
        first: {State.SUCCEEDED: 1, State.FAILED: 1, State.SCHEDULED: 1, State.RUNNING: 1, State.QUEUED: 1},
        second: {State.QUEUED: 1},
    }
    assert store.round_counts([]) == {}


def test_a_round_is_finished_when_it_is_expanded_and_nothing_of_it_is_open(store):
    round_ = a_round()
    add_rounds(store, round_)
    store.enqueue([a_run(round_id=round_.id, kind=RunKind.EXPANSION, priority=9)], now=NOON)
    [expansion] = claim(store)
    store.enqueue([a_run(round_id=round_.id, max_attempts=3) for _ in range(2)], now=NOON)
    assert store.finished_rounds() == []

    settle_all(store, succeeded(expansion, expanded=2))
    assert store.finished_rounds() == []

    first, second = claim(store)
    settle_all(store, succeeded(first), failed(second, wait=HOUR))
    assert store.finished_rounds() == []

    store.promote(now=NOON + HOUR)
    [again] = claim(store, now=NOON + HOUR)
    settle_all(store, given_up(again))
    assert ids(store.finished_rounds()) == [round_.id]


def test_a_round_that_nobody_has_begun_is_not_finished(store):  # R20
    add_rounds(store, a_round())

    assert store.finished_rounds() == []


def test_a_round_whose_tenants_could_not_be_listed_is_finished_with_its_expansion(store):  # R20
    round_ = a_round()
    add_rounds(store, round_)
    store.enqueue([a_run(round_id=round_.id, kind=RunKind.EXPANSION, max_attempts=2)], now=NOON)
    [first] = claim(store)
    settle_all(store, failed(first))
    assert store.finished_rounds() == []

    store.promote(now=NOON + HOUR)
    [second] = claim(store, now=NOON + HOUR)
    settle_all(store, given_up(second))

    assert store.finished_rounds() == [round_]


def test_a_round_of_nobody_is_finished(store):
    round_ = a_round(expanded=True, expected=0)
    add_rounds(store, round_)

    assert store.finished_rounds() == [round_]


def test_a_run_that_is_put_aside_keeps_its_round_open(store):
    rounds = [a_round(expanded=True, slot=NOON + number * HOUR) for number in range(2)]
    add_rounds(store, *rounds)
    store.enqueue([a_run(round_id=round_.id, concurrency_key="k") for round_ in rounds], now=NOON)
    [run] = claim(store)

    settle_all(store, succeeded(run))

    assert store.finished_rounds() == [rounds[0]]


def test_finished_rounds_come_oldest_first_up_to_the_limit(store):
    rounds = [a_round(expanded=True, slot=NOON + number * HOUR) for number in range(4)]
    add_rounds(store, *reversed(rounds))

    assert store.finished_rounds() == rounds
    assert store.finished_rounds(limit=2) == rounds[:2]


def test_a_round_ends_once(store):
    round_ = a_round(expanded=True)
    add_rounds(store, round_)
    ended = replace(round_, state=RoundState.PARTIAL, counts={"succeeded": 1, "failed": 2}, ended_at=NOON)

    assert store.end_round(ended)
    assert not store.end_round(replace(ended, state=RoundState.FAILED, ended_at=NOON + HOUR))
    assert store.rounds(RoundQuery()) == [ended]
    assert store.finished_rounds() == []


def test_ending_a_round_writes_nothing_but_its_end(store):
    round_ = a_round(expanded=True, expected=3, actor="ann")
    add_rounds(store, round_)

    # A process that read the round before it was expanded must not take that back.
    ended = replace(round_, state=RoundState.FAILED, reason="no tenants", counts={"failed": 1}, ended_at=NOON)
    store.end_round(replace(ended, expanded=False, expected=None, actor=None))

    assert store.rounds(RoundQuery()) == [ended]


def test_a_round_that_is_not_there_does_not_end(store):
    assert not store.end_round(a_round(state=RoundState.FAILED, ended_at=NOON))
    assert store.rounds(RoundQuery()) == []


def test_a_known_round_whose_tenants_are_listed_anew_expects_them(store):  # R13
    skipped = a_skipped_round(expanded=True, expected=0)
    unexpanded = a_round(slot=NOON + HOUR)
    add_rounds(store, skipped, unexpanded)

    again = [replace(round_, expanded=True, expected=2) for round_ in (skipped, unexpanded)]
    runs = [a_run(round_id=skipped.id)]

    assert store.add_rounds(again, runs, now=NOON) == []
    rounds = {round_.id: round_ for round_ in store.rounds(RoundQuery())}
    assert [(rounds[one.id].expanded, rounds[one.id].expected) for one in again] == [(True, 2), (True, 2)]
    assert rounds[skipped.id].state is RoundState.RUNNING


def test_a_round_with_an_open_run_is_not_ended(store):  # R23
    round_ = a_round(expanded=True, expected=1)
    add_rounds(store, round_)
    store.enqueue([a_run(round_id=round_.id)], now=NOON)

    assert not store.end_round(replace(round_, state=RoundState.FAILED, ended_at=NOON))
    settle_all(store, *[succeeded(run) for run in claim(store)])
    assert store.end_round(replace(round_, state=RoundState.SUCCEEDED, ended_at=NOON))
