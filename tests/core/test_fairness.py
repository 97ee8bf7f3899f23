"""Fair turns between the tenants of a queue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.fairness import turns


def test_nobody_gets_no_turns():
    assert turns(0.0, {}, []) == []


def test_the_first_run_of_each_tenant_gets_the_current_turn():
    assert turns(5.0, {}, ["a", "b", "c"]) == [5.0, 5.0, 5.0]


def test_each_further_run_of_a_tenant_comes_a_turn_later():
    assert turns(0.0, {}, ["a", "a", "b", "a", "b"]) == [0.0, 1.0, 0.0, 2.0, 1.0]


def test_a_tenant_that_waits_already_goes_on_behind_its_last():
    assert turns(2.0, {"a": 7.0}, ["a", "b", "a"]) == [8.0, 2.0, 9.0]


def test_a_tenant_that_fell_behind_the_queue_gets_nothing_for_its_absence():
    assert turns(50.0, {"a": 3.0}, ["a"]) == [50.0]


def test_runs_without_a_tenant_are_first_in_first_out_at_the_current_turn():
    assert turns(4.0, {"a": 9.0}, [None, "a", None]) == [4.0, 10.0, 4.0]


def test_a_tenant_of_double_weight_gets_double_turns():
    given_turns = turns(0.0, {}, ["big", "big", "big", "small", "small"], weights={"big": 2.0})

    assert given_turns == [0.0, 0.5, 1.0, 0.0, 1.0]


def test_the_books_of_the_caller_are_not_written():
    last = {"a": 1.0}

    turns(0.0, last, ["a", "b"])

    assert last == {"a": 1.0}


def test_a_tenant_with_a_hundred_thousand_runs_delays_another_by_one():
    crowd = turns(0.0, {}, ["big"] * 100_000)

    [late] = turns(min(crowd), {"big": max(crowd)}, ["late"])

    assert sum(turn < late for turn in crowd) == 0


@pytest.mark.parametrize("queue_turn", [0.0, 1e9])
@given(tenants=st.lists(st.sampled_from(["a", "b", "c", None])))
def test_the_turns_of_a_tenant_grow_and_never_lie_before_the_queue(queue_turn, tenants):
    given_turns = turns(queue_turn, {}, tenants)

    assert all(turn >= queue_turn for turn in given_turns)
    for tenant in ("a", "b", "c"):
        own = [turn for turn, whose in zip(given_turns, tenants, strict=True) if whose == tenant]
        assert own == sorted(set(own))
