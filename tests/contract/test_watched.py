"""Pairs that are watched, their flips, and what scripts outside of Rota say."""

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from rota.core.freshness import Expectation, Freshness
from rota.core.model import State
from rota.core.watched import LONG_AGO, PingKind, Turn, heard, marked, proved, watch_key
from rota.queries import FlipQuery, PairQuery
from tests.contract.races import together
from tests.values import (
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    NOON,
    SECOND,
    a_flip,
    a_pair,
    a_ping,
    a_progress,
    a_slot_run,
    claim,
    given_up,
    new_id,
    settle_all,
    succeeded,
    watch,
)

LATER = Expectation(late_at=NOON + 3 * HOUR, stale_at=NOON + 5 * HOUR, rule="fedcba9876543210")
STALE_FIRST = Expectation(late_at=NOON + 3 * HOUR, stale_at=NOON + 2 * HOUR, rule="fedcba9876543210")
"""Of a job that may take longer than its proof may be old."""
ONLY_STALE = Expectation(stale_at=NOON + 2 * HOUR, rule="fedcba9876543210")


def the_pair(store, schedule="nightly", tenant="acme"):
    [pair] = store.freshness.pairs(PairQuery(schedules=(schedule,), tenants=(tenant,)))
    return pair


def expecting(settlement, expected=LATER):
    return replace(settlement, expected=expected)


# --- pairs ---


def test_a_pair_comes_back_as_it_was_given(store):  # R51
    pairs = [
        a_pair(look_at=NOON + MICROSECOND),
        a_pair(tenant="", state=Freshness.NEW, last_success=None, late_at=None, stale_at=None, look_at=None, rule=""),
    ]

    watch(store, *pairs)

    assert store.freshness.pairs() == sorted(pairs, key=lambda pair: pair.key)


def test_pairs_come_by_schedule_and_tenant_a_page_at_a_time(store):
    keys = [("b", "x"), ("a", "z"), ("a", ""), ("a", "Z"), ("b", "")]
    watch(store, *[a_pair(schedule=schedule, tenant=tenant) for schedule, tenant in keys])

    found = []
    query = PairQuery(limit=2)
    while page := store.freshness.pairs(query):
        found += [pair.key for pair in page]
        query = PairQuery(limit=2, after=page[-1].key)

    assert found == sorted(keys)


def test_pairs_are_narrowed_by_what_is_asked(store):
    watch(store, *[a_pair(schedule=schedule, tenant=tenant) for schedule in "ab" for tenant in ("x", "y")])
    watch(store, a_pair(schedule="c", tenant="x", state=Freshness.STALE))

    def asked(**fields):
        return [pair.key for pair in store.freshness.pairs(PairQuery(**fields))]

    assert asked(schedules=("a", "c")) == [("a", "x"), ("a", "y"), ("c", "x")]
    assert asked(tenants=("y", "z")) == [("a", "y"), ("b", "y")]
    assert asked(states=(Freshness.STALE,)) == [("c", "x")]
    assert asked(schedules=("d",)) == []


def test_only_what_is_to_be_judged_by_now_is_looked_at_the_longest_overdue_first(store):  # R51
    watch(
        store,
        a_pair(tenant="later", look_at=NOON + MICROSECOND),
        a_pair(tenant="now", look_at=NOON),
        a_pair(tenant="long ago", look_at=NOON - DAY),
        a_pair(tenant="never", look_at=None),
    )

    assert [pair.tenant for pair in store.freshness.looks(now=NOON)] == ["long ago", "now"]
    assert [pair.tenant for pair in store.freshness.looks(now=NOON, limit=1)] == ["long ago"]


def test_a_pair_turns_only_as_it_was_read(store):  # R51
    pair = a_pair()
    watch(store, pair)
    late = replace(pair, state=Freshness.LATE, flipped_at=NOON, look_at=pair.stale_at)
    turn = Turn(before=pair, after=late, flip=a_flip())

    assert store.freshness.turn([Turn(before=None, after=late)]) == []
    assert store.freshness.turn([Turn(before=replace(pair, last_success=NOON + HOUR), after=late)]) == []
    assert store.freshness.turn([turn]) == [pair.key]
    assert store.freshness.turn([turn]) == []
    assert store.freshness.pairs() == [late]
    assert store.freshness.flips(FlipQuery()) == [turn.flip]


def test_turns_are_judged_one_by_one(store):  # R51
    kept, moved = a_pair(tenant="kept"), a_pair(tenant="moved")
    watch(store, kept, moved)
    gone = replace(moved, look_at=None)
    store.freshness.turn([Turn(before=moved, after=gone)])

    applied = store.freshness.turn(
        [
            Turn(before=moved, after=replace(moved, state=Freshness.LATE), flip=a_flip(tenant="moved")),
            Turn(before=kept, after=replace(kept, state=Freshness.LATE), flip=a_flip(tenant="kept")),
            Turn(before=None, after=a_pair(tenant="new")),
        ]
    )

    assert applied == [("nightly", "kept"), ("nightly", "new")]
    assert [flip.tenant for flip in store.freshness.flips(FlipQuery())] == ["kept"]
    assert the_pair(store, tenant="moved") == gone


def test_a_pair_that_is_watched_no_more_is_gone_with_its_look(store):  # R51
    pair = a_pair(look_at=NOON)
    watch(store, pair)

    assert store.freshness.turn([Turn(before=pair, after=None)]) == [pair.key]

    assert store.freshness.pairs() == []
    assert store.freshness.looks(now=NOON + DAY) == []
    assert store.freshness.turn([Turn(before=pair, after=None)]) == []


def test_of_many_watchdogs_one_turns_each_pair(store):  # R51
    pairs = [a_pair(tenant=f"t{number:02}") for number in range(30)]
    watch(store, *pairs)

    def flip():
        turns = [
            Turn(before=pair, after=replace(pair, state=Freshness.STALE), flip=a_flip(tenant=pair.tenant))
            for pair in pairs
        ]
        return store.freshness.turn(turns)

    answers = together(*[flip] * 4)

    assert sorted(key for answer in answers for key in answer) == [pair.key for pair in pairs]
    assert len(store.freshness.flips(FlipQuery())) == len(pairs)


def test_of_many_watchdogs_one_begins_to_watch_each_pair(store):  # R51
    pairs = [a_pair(tenant=f"t{number:02}") for number in range(30)]

    answers = together(*[lambda: store.freshness.turn([Turn(before=None, after=pair) for pair in pairs])] * 4)

    assert sorted(key for answer in answers for key in answer) == [pair.key for pair in pairs]


# --- what moves them ---


@dataclass(frozen=True)
class Case:
    name: str
    state: Freshness
    slot: object
    expected: Expectation | None


CASES = [
    Case(f"{state}, {name}, {known}", state, slot, expected)
    for state in Freshness
    for name, slot in (("newer", NOON + HOUR), ("same", NOON), ("older", NOON - HOUR))
    for known, expected in (
        ("late first", LATER),
        ("stale first", STALE_FIRST),
        ("never late", ONLY_STALE),
        ("unknown", None),
    )
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_slot_that_succeeded_moves_its_pair_as_the_core_says(store, case):  # R51
    pair = a_pair(state=case.state)
    watch(store, pair)
    store.mark(a_progress(last_success=NOON), expected=None)
    [before] = store.freshness.pairs()
    store.enqueue([a_slot_run(slot=case.slot)], now=NOON)
    [run] = claim(store)

    settle_all(store, expecting(succeeded(run, now=NOON + MINUTE), case.expected))

    assert the_pair(store) == proved(before, case.slot, case.expected, ended_at=NOON + MINUTE)


def test_of_several_slots_the_newest_is_the_proof(store):  # R51
    watch(store, a_pair(last_success=None))
    slots = [NOON, NOON - DAY, NOON + HOUR, NOON - HOUR]
    store.enqueue([a_slot_run(slot=slot) for slot in slots], now=NOON)
    by_slot = {slot: Expectation(late_at=slot + DAY, stale_at=slot + 2 * DAY, rule="x") for slot in slots}

    settle_all(store, *[expecting(succeeded(run), by_slot[run.slot]) for run in claim(store)])

    pair = the_pair(store)
    assert (pair.last_success, pair.late_at) == (NOON + HOUR, NOON + HOUR + DAY)


def test_a_backfill_of_an_old_slot_moves_no_pair(store):  # R13, R51
    pair = a_pair()
    watch(store, pair)
    store.enqueue([a_slot_run(slot=NOON - DAY)], now=NOON)
    [run] = claim(store)
    store.mark(a_progress(last_success=NOON), expected=None)
    before = the_pair(store)

    settle_all(store, expecting(succeeded(run)))

    assert the_pair(store) == before


def test_a_start_and_a_failure_prove_nothing(store):  # R51
    pair = a_pair()
    watch(store, pair)
    store.enqueue([a_slot_run(slot=NOON + HOUR)], now=NOON)
    [run] = claim(store)

    settle_all(store, expecting(given_up(run)))

    assert the_pair(store) == pair


def test_a_slot_of_a_pair_that_nobody_watches_is_no_reason_to(store):
    store.enqueue([a_slot_run()], now=NOON)
    [run] = claim(store)

    settle_all(store, expecting(succeeded(run)))

    assert store.freshness.pairs() == []


@pytest.mark.parametrize("state", [Freshness.FRESH, Freshness.STALE, Freshness.PAUSED])
def test_a_marked_success_is_judged_at_once(store, state):  # R14, R51
    pair = a_pair(state=state, look_at=None)
    watch(store, pair)

    store.mark(a_progress(last_success=NOON + DAY), expected=None)

    assert the_pair(store) == marked(pair, NOON + DAY)
    assert [one.key for one in store.freshness.looks(now=LONG_AGO)] == ([] if state is Freshness.PAUSED else [pair.key])


def test_a_reset_takes_the_proof_away_and_leaves_others(store):  # R14, R51
    pairs = [a_pair(schedule=schedule, tenant=tenant) for schedule in "ab" for tenant in ("x", "y", "z")]
    watch(store, *pairs)
    store.mark(a_progress(schedule="a", tenant="x", last_success=NOON), expected=None)
    store.mark(a_progress(schedule="a", tenant="z", last_success=NOON), expected=None)
    before = {pair.key: pair for pair in store.freshness.pairs()}

    store.reset("a", tenants=["x", "y"])

    expected = {key: marked(pair, None) if key in (("a", "x"), ("a", "y")) else pair for key, pair in before.items()}
    assert {pair.key: pair for pair in store.freshness.pairs()} == expected
    store.reset("b")
    assert {pair.last_success for pair in store.freshness.pairs(PairQuery(schedules=("b",)))} == {None}


# --- flips ---


def test_a_flip_comes_back_as_it_was_given(store):
    pair = a_pair()
    flip = a_flip(at=NOON + MICROSECOND, reason="the clock was moved: +1h, “ü”")
    watch(store, pair)

    store.freshness.turn([Turn(before=pair, after=replace(pair, state=Freshness.LATE), flip=flip)])

    assert store.freshness.flips(FlipQuery()) == [flip]


def test_flips_come_newest_first_and_are_narrowed(store):
    flips = []
    for number, (schedule, tenant) in enumerate([("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")]):
        flips.append(a_flip(schedule=schedule, tenant=tenant, at=NOON + number * HOUR))
        stored = {pair.key: pair for pair in store.freshness.pairs()}
        before = stored.get((schedule, tenant))
        after = a_pair(schedule=schedule, tenant=tenant, flipped_at=NOON + number * HOUR)
        store.freshness.turn([Turn(before=before, after=after, flip=flips[-1])])

    def asked(**fields):
        return [flips.index(flip) for flip in store.freshness.flips(FlipQuery(**fields))]

    assert asked() == [3, 2, 1, 0]
    assert asked(schedule="a") == [3, 1, 0]
    assert asked(schedule="a", tenant="x") == [3, 0]
    assert asked(tenant="x") == [3, 2, 0]
    assert asked(since=NOON + HOUR, until=NOON + 3 * HOUR) == [2, 1]
    assert asked(limit=2) == [3, 2]
    assert asked(schedule="a", before_id=flips[3].id) == [1, 0]


# --- pings ---


def test_a_ping_comes_back_as_it_was_given(store):
    pings = [
        a_ping(kind=PingKind.LOG, text="12 rows\n“ü”", at=NOON + MICROSECOND),
        a_ping(kind=PingKind.SUCCESS, duration=12.5 * SECOND),
        a_ping(kind=PingKind.START),
        a_ping(name="other"),
    ]

    assert [store.freshness.ping(ping) for ping in pings] == [True] * 4

    assert store.freshness.pings("dump") == pings[2::-1]
    assert store.freshness.pings("dump", limit=1) == [pings[2]]
    assert store.freshness.pings("dump", before_id=pings[1].id) == [pings[0]]


def test_a_success_moves_the_progress_and_the_pair_of_its_name(store):  # R51
    key = watch_key("dump")
    pair = a_pair(schedule=key, tenant="", last_success=NOON - DAY)
    watch(store, pair)

    store.freshness.ping(a_ping(at=NOON + MINUTE), slot=NOON, expected=LATER)

    assert store.progress() == [
        a_progress(
            schedule=key, tenant="", last_success=NOON, last_success_at=NOON + MINUTE, last_state=State.SUCCEEDED,
            last_ended_at=NOON + MINUTE,
        )
    ]  # fmt: skip
    assert the_pair(store, key, "") == proved(pair, NOON, LATER, ended_at=NOON + MINUTE)


def test_failures_are_counted_until_a_success_and_prove_nothing(store):  # R51
    key = watch_key("dump")
    pair = a_pair(schedule=key, tenant="")
    watch(store, pair)
    counted = []
    for kind in (PingKind.FAIL, PingKind.FAIL, PingKind.START, PingKind.LOG, PingKind.SUCCESS, PingKind.FAIL):
        store.freshness.ping(a_ping(kind=kind))
        counted.append(sum(progress.failures for progress in store.progress()))

    assert counted == [1, 2, 2, 2, 0, 1]
    assert the_pair(store, key, "") == heard(pair, at=NOON)


def test_a_success_after_a_failure_in_the_same_slot_is_looked_at(store):  # R51
    key = watch_key("dump")
    pair = a_pair(schedule=key, tenant="", state=Freshness.STALE, last_success=NOON, look_at=None)
    store.freshness.ping(a_ping(), slot=NOON, expected=LATER)
    watch(store, pair)

    store.freshness.ping(a_ping(at=NOON + MINUTE), slot=NOON, expected=LATER)

    assert store.freshness.pairs() == [heard(pair, at=NOON + MINUTE)]


def test_a_failure_of_what_is_paused_is_not_looked_at(store):  # R12, R51
    pair = a_pair(schedule=watch_key("dump"), tenant="", state=Freshness.PAUSED, look_at=None)
    watch(store, pair)

    store.freshness.ping(a_ping(kind=PingKind.FAIL))

    assert store.freshness.pairs() == [pair]


def test_an_older_success_does_not_take_progress_back(store):  # R9
    store.freshness.ping(a_ping(), slot=NOON)
    store.freshness.ping(a_ping(at=NOON + HOUR), slot=NOON - DAY)

    [progress] = store.progress()
    assert (progress.last_success, progress.last_success_at) == (NOON, NOON)
    assert progress.last_ended_at == NOON + HOUR


def test_a_ping_that_is_repeated_counts_once(store):
    ping = a_ping(kind=PingKind.FAIL)

    assert store.freshness.ping(ping)
    assert not store.freshness.ping(ping)
    assert store.progress()[0].failures == 1
    assert store.freshness.pings("dump") == [ping]


# --- forgetting ---


def test_old_flips_and_pings_are_forgotten_the_oldest_first(store):  # R72
    pair = a_pair()
    watch(store, pair)
    for number in range(4):
        after = replace(pair, flipped_at=NOON + number * MINUTE)
        store.freshness.turn([Turn(before=pair, after=after, flip=a_flip(at=NOON + number * HOUR))])
        store.freshness.ping(a_ping(at=NOON + number * HOUR, id=new_id()))
        pair = after

    def prune(limit):
        return store.freshness.prune(flips_before=NOON + 2 * HOUR, pings_before=NOON + 3 * HOUR, limit=limit)

    assert prune(1) == 2
    assert [flip.at for flip in store.freshness.flips(FlipQuery())] == [NOON + number * HOUR for number in (3, 2, 1)]
    assert prune(10) == 3
    assert prune(10) == 0
    kept = store.freshness.flips(FlipQuery(schedule="nightly"))
    assert [flip.at for flip in kept] == [NOON + 3 * HOUR, NOON + 2 * HOUR]
    assert [ping.at for ping in store.freshness.pings("dump")] == [NOON + 3 * HOUR]
    assert store.freshness.pairs() == [pair]
