from datetime import timedelta
from random import Random

import msgspec
import pytest

from rota.core.exceptions import class_names
from rota.core.policy import Retry
from rota.core.retry import LONGEST_WAIT, asked_wait, retry_text, wait

SECOND = timedelta(seconds=1)


class Bounced(Exception):
    pass


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (5000, 3600)])
def test_waits_grow_by_the_factor_up_to_the_longest(attempt, seconds):  # R32
    retry = Retry(jitter=False)

    assert wait(retry, attempt=attempt, random=Random(1)) == seconds * SECOND


def test_jitter_spreads_waits_evenly_below_that():  # R32
    random = Random(7)

    waits = [wait(Retry(base=10 * SECOND), attempt=1, random=random) for _ in range(2000)]

    assert timedelta(0) <= min(waits) < 0.1 * SECOND and 9.9 * SECOND < max(waits) <= 10 * SECOND
    assert abs(sum(waits, timedelta(0)) / 2000 - 5 * SECOND) < 0.2 * SECOND


@pytest.mark.parametrize(
    "fields", [{"attempts": 0}, {"base": -SECOND}, {"max_wait": -SECOND}, {"factor": 0.5}, {"waits": (-SECOND,)}]
)
def test_a_policy_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValueError, match="Retry"):
        Retry(**fields)


@pytest.mark.parametrize(
    ("retry", "seconds"),
    [
        (Retry.fixed("30s"), [30, 30, 30]),
        (Retry.fixed(5 * SECOND, attempts=9), [5, 5, 5]),
        (Retry.delays(["1s", 10 * SECOND, "1m"]), [1, 10, 60]),
        (Retry.delays(["1s", "2s"], attempts=9), [1, 2, 2]),
        (Retry.exponential("3s", factor=10, max_wait="1m", jitter=False), [3, 30, 60]),
        # The calendar ends somewhere: such a run waits ten years.
        (Retry.fixed(timedelta.max), [LONGEST_WAIT.total_seconds()] * 3),
    ],
)
def test_delays_are_fixed_or_named_one_by_one_or_grow(retry, seconds):  # R32
    waits = [wait(retry, attempt=attempt, random=Random(1)) for attempt in (1, 2, 3)]

    assert [pause.total_seconds() for pause in waits] == seconds


def test_named_delays_say_how_many_attempts_there_are():  # R32
    assert (Retry.delays(["1s", "2s"]).attempts, Retry.delays(["1s", "2s"], attempts=7).attempts) == (3, 7)


def test_named_delays_can_be_spread_too():  # R32
    waits = {wait(Retry.fixed("10s", jitter=True), attempt=1, random=Random(seed)) for seed in range(50)}

    assert len(waits) == 50 and max(waits) <= 10 * SECOND


@pytest.mark.parametrize(
    ("fields", "error", "is_covered"),
    [
        ({}, ValueError(), True),
        ({"on": ConnectionError}, ConnectionResetError(), True),
        ({"on": (ConnectionError,)}, ValueError(), False),
        ({"on": ["builtins.OSError"]}, ConnectionResetError(), True),
        ({"on": "OSError"}, ConnectionResetError(), True),
        ({"not_on": (LookupError,)}, KeyError(), False),
        ({"not_on": (LookupError,)}, ValueError(), True),
        ({"on": Exception, "not_on": "tests.core.test_retry.Bounced"}, Bounced(), False),
        ({"on": Bounced}, Bounced(), True),
        ({"on": Bounced}, ValueError(), False),
    ],
)
def test_an_exception_is_covered_by_its_class_or_one_it_is_made_from(fields, error, is_covered):  # R32
    assert Retry(**fields).covers(class_names(error)) is is_covered


def test_what_is_no_exception_is_always_covered():  # R32
    assert Retry(on=ValueError).covers(())


def test_a_policy_is_the_same_after_a_way_through_a_store_or_a_process():  # R32
    retry = Retry.delays(["1s"], on=(ValueError, "app.Bounced"), not_on=KeyError)

    assert msgspec.json.decode(msgspec.json.encode(retry), type=Retry) == retry


@pytest.mark.parametrize("given", [3, int, "", ("ValueError", None), ValueError()])
def test_what_is_no_class_of_exceptions_is_refused(given):  # R31
    with pytest.raises(ValueError, match="no class of exceptions"):
        Retry(on=given)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (30, 30),
        (0.5, 0.5),
        (0, 0),
        (timedelta(minutes=2), 120),
        (float("inf"), LONGEST_WAIT.total_seconds()),
        (10**400, LONGEST_WAIT.total_seconds()),
        (timedelta.max, LONGEST_WAIT.total_seconds()),
        (-1, None),
        (float("nan"), None),
        (timedelta(seconds=-1), None),
        (True, None),
        ("30", None),
        (None, None),
    ],
)
def test_an_exception_may_ask_for_its_own_wait(asked, seconds):  # R32
    error = ConnectionError()
    error.retry_after = asked

    waited = asked_wait(error)

    assert (None if waited is None else waited.total_seconds()) == seconds


@pytest.mark.parametrize(
    ("retry", "text"),
    [
        (Retry(attempts=1), "one attempt"),
        (Retry(), "3 attempts, 10s and 20s apart at most"),
        (Retry(attempts=99), "99 attempts, 10s, 20s, 40s, 1m20s, 2m40s and so on apart at most"),
        (Retry.fixed("30s", attempts=9), "9 attempts, 30s apart"),
        (Retry.delays(["1s", "1m", "1h"], not_on=KeyError), "4 attempts, 1s, 1m and 1h apart, not after KeyError"),
        (
            Retry.fixed("1s", on=(OSError, Bounced)),
            "3 attempts, 1s apart, only after OSError, tests.core.test_retry.Bounced",
        ),
    ],
)
def test_a_policy_can_be_read(retry, text):  # R32
    assert retry_text(retry) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry.fixed(30),
        lambda: Retry.exponential(2),
        lambda: Retry.delays([10, 60]),
        lambda: Retry(base=10),
        lambda: Retry(max_elapsed="5m"),
    ],
)
def test_a_wait_without_a_unit_is_refused_where_it_is_said(make):  # R64
    with pytest.raises(ValueError, match="is no length of time"):
        make()


def test_one_delay_is_a_list_of_one():  # R64
    with pytest.raises(ValueError, match=r"a list, also of one: \['10s'\]"):
        Retry.delays("10s")


def test_a_number_of_attempts_is_a_number():  # R64
    with pytest.raises(ValueError, match="attempts='3'"):
        Retry(attempts="3")
