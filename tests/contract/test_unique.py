"""Runs that are unique by a name: one at a time, whoever asks, however often. (R32)"""

from functools import partial
from typing import Any

import pytest

from rota.core.model import Outcome, Round, Run, State
from rota.core.unique import Conflict, Scope, UniqueRun
from rota.errors import NotUnique, StoreUnavailable
from rota.queries import AuditQuery, RoundQuery, RunQuery
from tests.contract.flaky import Moment, flaky
from tests.contract.races import together
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    SECOND,
    a_round,
    a_run,
    an_entry,
    claim,
    ended,
    failed,
    found,
    given_up,
    ids,
    settle_all,
    states,
    succeeded,
)

SCOPES = list(Scope)
CONFLICTS = list(Conflict)


def a_unique(name: str = "name", *, scope: Scope = Scope.OPEN, conflict: Conflict = Conflict.EXISTING, **fields: Any):
    """Return a run that wants a name; by a period for an hour from noon."""
    kept_until = NOON + HOUR if scope is Scope.PERIOD else None
    return UniqueRun(run=a_run(**fields), name=name, scope=scope, kept_until=kept_until, conflict=conflict)


def enqueue(store, *wanted: UniqueRun, now=NOON) -> list[str]:
    return store.enqueue_unique(wanted, now=now)


def a_holder(store, situation: str, scope: Scope) -> Run:
    """Return a run that was given the name, in this situation."""
    later = {"due_at": NOON + HOUR} if situation == "scheduled" else {}
    one = a_unique(scope=scope, max_attempts=3, **later)
    enqueue(store, one)
    if situation in ("scheduled", "queued"):
        return found(store, one.run.id)
    if situation == "cancelled":
        store.cancel([one.run.id], now=NOON, reason="ann")
        return found(store, one.run.id)
    [run] = claim(store)
    match situation:
        case "given back":
            store.release("w1", [(run.id, run.token)], now=NOON)
        case "waiting for a retry":
            settle_all(store, failed(run))
        case "snoozed":
            settle_all(store, ended(run, Outcome.SNOOZED))
        case "succeeded":
            settle_all(store, succeeded(run))
        case "failed":
            settle_all(store, given_up(run))
        case "pruned":
            settle_all(store, succeeded(run))
            prune(store, before=NOON + SECOND)
    return run


def prune(store, *, before):
    store.prune(succeeded_before=before, failed_before=before, slots_before=before, logs_before=before, limit=100)


# Who has the name: while waiting, while open, for a period.
SITUATIONS = {
    "scheduled": (True, True, True),
    "queued": (True, True, True),
    "given back": (True, True, True),
    "running": (False, True, True),
    "waiting for a retry": (False, True, True),
    "snoozed": (True, True, True),
    "succeeded": (False, False, True),
    "failed": (False, False, True),
    "cancelled": (False, False, True),
    "pruned": (False, False, True),
}
TABLE = [
    (situation, scope, held)
    for situation, all_held in SITUATIONS.items()
    for scope, held in zip((Scope.WAITING, Scope.OPEN, Scope.PERIOD), all_held, strict=True)
]


@pytest.mark.parametrize(("situation", "scope", "held"), TABLE)
def test_the_existing_run_stands_for_another_while_it_has_the_name(store, situation, scope, held):
    holder = a_holder(store, situation, scope)
    other = a_unique(scope=scope)

    [answer] = enqueue(store, other)

    assert answer == (holder.id if held else other.run.id)
    assert (store.run(other.run.id) is None) is held


@pytest.mark.parametrize(("situation", "scope", "held"), TABLE)
def test_another_is_refused_while_a_run_has_the_name(store, situation, scope, held):
    holder = a_holder(store, situation, scope)
    other = a_unique(scope=scope, conflict=Conflict.RAISE)

    if held:
        with pytest.raises(NotUnique) as refusal:
            enqueue(store, other)
        assert refusal.value.run_id == holder.id
    else:
        assert enqueue(store, other) == [other.run.id]
    assert (store.run(other.run.id) is None) is held


@pytest.mark.parametrize(("situation", "scope", "held"), TABLE)
def test_another_takes_the_place_of_the_run_that_has_the_name(store, situation, scope, held):
    holder = a_holder(store, situation, scope)
    before = store.run(holder.id)
    other = a_unique(scope=scope, conflict=Conflict.REPLACE)

    assert enqueue(store, other) == [other.run.id]

    assert found(store, other.run.id).state is State.QUEUED
    if before is None or before.run.state.is_final or not held:
        assert store.run(holder.id) == before
    elif before.run.state is State.RUNNING:
        assert found(store, holder.id).cancel_requested
    else:
        assert found(store, holder.id).state is State.CANCELLED


def test_whoever_replaced_has_the_name(store):
    enqueue(store, a_unique())
    second = a_unique(conflict=Conflict.REPLACE)
    enqueue(store, second)

    assert enqueue(store, a_unique()) == [second.run.id]


def test_one_that_is_replaced_and_still_stops_does_not_hold_back_its_successor(store):
    enqueue(store, a_unique())
    [first] = claim(store)
    second = a_unique(conflict=Conflict.REPLACE)
    enqueue(store, second)

    settle_all(store, ended(first, Outcome.CANCELLED))

    assert states(store, first.id, second.run.id) == [State.CANCELLED, State.QUEUED]
    assert enqueue(store, a_unique()) == [second.run.id]


def test_a_period_ends_at_its_instant(store):
    first, second = a_unique(scope=Scope.PERIOD), a_unique(scope=Scope.PERIOD)
    enqueue(store, first)

    assert enqueue(store, second, now=NOON + HOUR - SECOND) == [first.run.id]
    assert enqueue(store, second, now=NOON + HOUR) == [second.run.id]


def test_how_long_a_name_is_kept_was_said_by_the_run_that_has_it(store):
    first = a_unique(scope=Scope.WAITING)
    enqueue(store, first)
    claim(store)
    second, third = a_unique(scope=Scope.OPEN), a_unique(scope=Scope.WAITING)

    assert enqueue(store, second) == [second.run.id]
    claim(store)
    assert enqueue(store, third) == [second.run.id]


def test_different_names_do_not_meet(store):
    names = ["name", "NAME", "náme", "name ", " name", "n" * 700]
    wanted = [a_unique(name) for name in names]

    assert enqueue(store, *wanted) == [one.run.id for one in wanted]


def test_a_unique_run_comes_back_as_it_was_given_and_is_placed(store):
    soon, later = a_unique("a", tenant="acme", priority=3), a_unique("b", due_at=NOON + HOUR)

    enqueue(store, soon, later)

    assert states(store, soon.run.id, later.run.id) == [State.QUEUED, State.SCHEDULED]
    assert found(store, soon.run.id).priority == 3
    assert ids(claim(store)) == [soon.run.id]


# --- several in one call ---


def test_of_one_name_in_a_call_the_first_is_queued(store):
    first, second, other = a_unique(), a_unique(), a_unique("other")

    assert enqueue(store, first, second, other) == [first.run.id, first.run.id, other.run.id]
    assert store.run(second.run.id) is None


def test_of_those_that_replace_one_another_in_a_call_the_last_is_queued(store):
    old = a_unique()
    enqueue(store, old)
    wanted = [a_unique(conflict=Conflict.REPLACE) for _ in range(3)]

    assert enqueue(store, *wanted) == [wanted[2].run.id] * 3
    assert [run.id for run in store.runs(RunQuery(states=(State.QUEUED,)))] == [wanted[2].run.id]
    assert states(store, old.run.id) == [State.CANCELLED]


def test_of_a_call_with_one_that_is_refused_nothing_is_written(store):
    holder = a_unique("taken")
    enqueue(store, holder)
    replacing = a_unique("taken too", conflict=Conflict.REPLACE)
    enqueue(store, a_unique("taken too"))

    with pytest.raises(NotUnique):
        enqueue(store, a_unique("free"), replacing, a_unique("taken", conflict=Conflict.RAISE))

    assert [run.state for run in store.runs(RunQuery())] == [State.QUEUED, State.QUEUED]
    assert store.run(replacing.run.id) is None


def test_of_two_in_a_call_that_may_not_meet_nothing_is_written(store):
    with pytest.raises(NotUnique) as refusal:
        enqueue(store, a_unique(conflict=Conflict.RAISE), a_unique(conflict=Conflict.RAISE))

    assert refusal.value.run_id is None
    assert store.runs(RunQuery()) == []


def test_nothing_wanted_is_nothing_accepted(store):
    assert enqueue(store) == []


def test_five_hundred_names_in_one_call(store):
    wanted = [a_unique(f"name {number % 400}") for number in range(500)]

    answers = enqueue(store, *wanted)

    assert answers == [one.run.id for one in (*wanted[:400], *wanted[:100])]
    assert len(store.runs(RunQuery(limit=1000))) == 400


# --- a call that is repeated ---


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_repeated_call_finds_its_own_runs(store, moment, conflict):
    client, line = flaky(store)
    wanted = [a_unique("a", conflict=conflict), a_unique("b", conflict=conflict, due_at=NOON + HOUR)]
    line.cut("enqueue_unique", moment)
    with pytest.raises(StoreUnavailable):
        enqueue(client, *wanted)

    assert enqueue(client, *wanted) == [one.run.id for one in wanted]

    assert states(store, *[one.run.id for one in wanted]) == [State.QUEUED, State.SCHEDULED]
    assert len(store.runs(RunQuery())) == 2


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_call_that_is_repeated_late_finds_its_own_run_though_another_has_the_name(store, conflict):
    first, second = a_unique(conflict=conflict), a_unique(conflict=Conflict.REPLACE)
    enqueue(store, first)
    enqueue(store, second)

    assert enqueue(store, first) == [first.run.id]
    assert states(store, first.run.id, second.run.id) == [State.CANCELLED, State.QUEUED]


# --- races ---


@pytest.mark.parametrize("scope", SCOPES)
def test_of_eight_who_want_one_name_at_once_one_gets_it(store, scope):
    for number in range(5):
        wanted = [a_unique(f"name {number}", scope=scope) for _ in range(8)]

        answers = together(*[lambda one=one: enqueue(store, one)[0] for one in wanted])

        assert len(set(answers)) == 1
        assert [one.run.id for one in wanted if store.run(one.run.id)] == [answers[0]]


def test_of_eight_who_want_a_name_at_once_that_somebody_had_one_gets_it(store):
    for number in range(5):
        name = f"name {number}"
        enqueue(store, a_unique(name))
        settle_all(store, *[succeeded(run) for run in claim(store)])
        wanted = [a_unique(name) for _ in range(8)]

        answers = together(*[lambda one=one: enqueue(store, one)[0] for one in wanted])

        assert len(set(answers)) == 1
        assert [run.id for run in store.runs(RunQuery(states=(State.QUEUED,)))] == [answers[0]]
        claim(store)


def test_of_eight_who_may_not_meet_one_is_queued(store):
    def attempt(one):
        try:
            return enqueue(store, one)
        except NotUnique as refusal:
            return refusal.run_id

    wanted = [a_unique(conflict=Conflict.RAISE) for _ in range(8)]

    answers = together(*[lambda one=one: attempt(one) for one in wanted])

    [queued] = store.runs(RunQuery())
    assert sorted(map(str, answers)) == sorted([str([queued.id]), *[queued.id] * 7])


def test_of_eight_who_replace_one_another_at_once_one_is_left(store):
    enqueue(store, a_unique())
    wanted = [a_unique(conflict=Conflict.REPLACE) for _ in range(8)]

    together(*[lambda one=one: enqueue(store, one) for one in wanted])

    runs = store.runs(RunQuery())
    assert sorted(run.state for run in runs) == [State.CANCELLED] * 8 + [State.QUEUED]


def test_two_who_want_the_same_names_crosswise_do_not_stop_each_other(store):
    names = [f"name {number}" for number in range(20)]
    forth = [a_unique(name) for name in names]
    back = [a_unique(name) for name in reversed(names)]

    one, other = together(lambda: enqueue(store, *forth), lambda: enqueue(store, *back))

    assert one == other[::-1]
    assert len(store.runs(RunQuery())) == 20


# --- forgetting ---


def test_names_that_nobody_has_are_forgotten(store, names_of):
    enqueue(store, a_unique("over"), a_unique("waiting", due_at=NOON + DAY))
    enqueue(store, a_unique("for an hour", scope=Scope.PERIOD))
    settle_all(store, *[succeeded(run) for run in claim(store)])

    prune(store, before=NOON + MINUTE)
    assert names_of(store) == {"waiting", "for an hour"}
    prune(store, before=NOON + 2 * HOUR)
    assert names_of(store) == {"waiting"}


def test_a_name_is_kept_for_as_long_as_the_history_of_its_run(store, names_of):
    enqueue(store, a_unique("over"))
    settle_all(store, *[succeeded(run) for run in claim(store)])

    prune(store, before=NOON - MINUTE)

    assert names_of(store) == {"over"}


@pytest.fixture
def names_of(kind):
    """Return the names that a store remembers: nobody else ever asks for them."""

    def names(store) -> set[str]:
        if kind == "memory":
            return set(store._uniques._given)
        if kind == "redis":
            return {name.decode() for name in store._server.ask("HKEYS", store._server.key("uniques"))}
        return {name for [name] in store._database.read(lambda link: link.all("SELECT name FROM {uniques}"))}

    return names


# --- a round that is started once by a name ---


def a_start(name: str = "name", **fields: Any) -> tuple[UniqueRun, Round]:
    """Return the run of a round, unique by a name for a period, and the round."""
    round_ = a_round(schedule=None, slot=None)
    return a_unique(name, scope=Scope.PERIOD, round_id=round_.id, **fields), round_


def start(store, one: UniqueRun, round_: Round, audit=None) -> list[str]:
    return store.enqueue_unique([one], now=NOON, new=[round_], audit=audit)


def test_a_round_is_recorded_with_its_run(store):
    one, round_ = a_start()

    assert start(store, one, round_, an_entry()) == [one.run.id]
    assert found(store, one.run.id).round_id == round_.id
    assert [known.id for known in store.rounds(RoundQuery())] == [round_.id]
    assert len(store.audit(AuditQuery())) == 1


def test_a_round_whose_run_has_no_name_is_not_recorded(store):
    (one, round_), (other, another) = a_start(), a_start()
    start(store, one, round_, an_entry())

    assert start(store, other, another, an_entry()) == [one.run.id]
    assert [known.id for known in store.rounds(RoundQuery())] == [round_.id]
    assert len(store.audit(AuditQuery())) == 1


def test_of_many_that_start_a_round_by_one_name_at_once_one_does(store):
    starts = [a_start() for _ in range(4)]

    answers = together(*(partial(start, store, *one) for one in starts))

    assert len({answer for [answer] in answers}) == 1
    assert len(store.rounds(RoundQuery())) == 1


def test_a_round_whose_start_is_repeated_is_recorded_once(store):
    one, round_ = a_start()
    start(store, one, round_, entry := an_entry())

    assert start(store, one, round_, entry) == [one.run.id]
    assert len(store.rounds(RoundQuery())) == 1
    assert len(store.audit(AuditQuery())) == 1
