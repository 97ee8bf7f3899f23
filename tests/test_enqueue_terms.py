"""The terms of an enqueue, as an application says them."""

import math
from datetime import datetime, timedelta

import pytest

from rota import Retry, Rota
from rota.core.model import State
from rota.errors import ArgumentsNotJson, ArgumentsTooBig, BadArguments, ConfigurationError, NotUnique
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven, an_app
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND

NAIVE = datetime(2026, 6, 1, 12)


@pytest.fixture
def app():
    return an_app()


@pytest.fixture
def send(app):
    @app.job(queue="mail", priority=1, retry=Retry(attempts=5))
    def send(number: int = 0, text: object = "") -> int:
        return number

    return send


# --- what a run is enqueued with ---


def test_the_terms_of_one_enqueue_stand_on_its_run(send):  # R32
    retry = Retry(attempts=7, base=MINUTE)

    run = send.using(priority=-2, queue="slow", retry=retry, key="customer 7", expires=HOUR).enqueue().refresh()

    assert (run.priority, run.queue, run.limit_key, run.expires_at) == (-2, "slow", "customer 7", NOON + HOUR)
    assert (run.retry, run.max_attempts) == (retry, 7)


def test_without_terms_a_run_is_as_its_job_says(send):  # R32
    run = send.enqueue().refresh()

    assert (run.priority, run.queue, run.limit_key, run.expires_at) == (1, "mail", None, None)
    assert (run.retry, run.max_attempts) == (None, 5)


def test_terms_of_a_job_hold_for_what_is_enqueued_of_it(app):  # R32
    @app.job(expires="30m", key=lambda number: f"customer {number}", unique="args")
    def send(number: int) -> None: ...

    first, again, other = send.enqueue_many([(1,), (1,), (2,)])

    assert (again, other == first) == (first, False)
    assert first.refresh().limit_key == "customer 1"
    assert first.refresh().expires_at == NOON + 30 * MINUTE


def test_durations_may_be_texts(send):
    run = send.using(delay="10m", expires="1h").enqueue().refresh()

    assert (run.due_at, run.expires_at) == (NOON + 10 * MINUTE, NOON + HOUR)


def test_a_run_expires_at_an_instant_of_any_zone(send):  # R32
    at = datetime.fromisoformat("2026-06-01T15:00+02:00")

    assert send.using(expires=at).enqueue().refresh().expires_at == NOON + HOUR


def test_what_is_said_later_stands_for_what_was_said_before(send):
    later = send.using(delay=MINUTE, unique="a", unique_while="waiting").using(at=NOON + HOUR, unique_for=HOUR)

    assert later.enqueue().refresh().due_at == NOON + HOUR
    assert (later.options.unique_while, later.options.unique_for) == (None, HOUR)


# --- unique ---


def test_one_run_for_the_same_arguments(send):  # R32
    once = send.using(unique="args")

    first = once.enqueue(1, text="a")

    assert once.enqueue(number=1, text="a") == first
    assert once.enqueue(1) != first
    assert once.using(tenant="acme").enqueue(1, text="a") != first


def test_named_arguments_are_the_same_in_any_order(app):  # R32
    @app.job(unique="args")
    def send(**fields: int) -> None: ...

    assert send.enqueue(a=1, b=2) == send.enqueue(b=2, a=1)


def test_one_run_for_a_key_of_the_arguments(send):  # R32
    once = send.using(unique=lambda number, text="": f"customer {number}")

    assert once.enqueue(1, text="a") == once.enqueue(1, text="b")
    assert once.enqueue(2) != once.enqueue(1)


def test_one_run_for_a_key(app, send):  # R32
    @app.job()
    def other() -> None: ...

    first = send.using(unique="nightly").enqueue(1)

    assert send.using(unique="nightly").enqueue(2) == first
    assert other.using(unique="nightly").enqueue() != first


def test_a_key_that_reads_args_of_a_function_is_not_the_arguments(send):
    by_key = send.using(unique=lambda number: "args")

    assert by_key.enqueue(1) == by_key.enqueue(2)


def test_a_run_that_began_may_be_queued_again_while_it_runs():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)
    seen = []

    @app.job(unique="args", unique_while="waiting")
    def tidy() -> None:
        if not seen:
            seen.append(tidy.enqueue())

    first = tidy.enqueue()
    Driven(app, clock).settle_down()

    assert seen != [first]
    assert [run.state for run in app.store.runs(RunQuery())] == [State.SUCCEEDED] * 2


def test_a_key_is_free_again_after_its_period():  # R32
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job(unique="args", unique_for=HOUR)
    def digest() -> None: ...

    first = digest.enqueue()
    process = Driven(app, clock)
    process.settle_down()
    clock.tick(HOUR - SECOND)
    assert digest.enqueue() == first
    clock.tick(SECOND)
    assert digest.enqueue() != first


def test_another_run_of_the_key_is_replaced_or_refused(send):  # R32
    once = send.using(unique="args", delay=MINUTE)
    first = once.enqueue(1)
    second = once.using(on_conflict="replace").enqueue(1)

    assert (first.state, second.state) == (State.CANCELLED, State.SCHEDULED)
    with pytest.raises(NotUnique, match=second.id):
        once.using(on_conflict="raise").enqueue(1)


def test_a_job_that_is_unique_may_be_enqueued_without_that(app):
    @app.job(unique="args", unique_for=HOUR)
    def send() -> None: ...

    first = send.enqueue()

    assert send.using(unique=False).enqueue() != first


def test_a_unique_enqueue_whose_answer_was_lost_queues_one_run():  # R30, fault row A2
    store = MemoryStore()
    client, line = flaky(store)
    app = Rota(client)

    @app.job(unique="args", on_conflict="raise")
    def nothing() -> None: ...

    line.cut("enqueue_unique", Moment.AFTER)
    handle = nothing.enqueue()

    assert [run.id for run in store.runs(RunQuery())] == [handle.id]


# --- what is refused, where it is said ---


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"delay": -MINUTE}, "negative"),
        ({"delay": "soon"}, "no duration"),
        ({"delay": 5}, "timedelta"),
        ({"delay": MINUTE, "at": NOON}, "one of the two"),
        ({"at": NAIVE}, "aware"),
        ({"at": "2026-06-01"}, "aware"),
        ({"expires": NAIVE}, "aware"),
        ({"expires": timedelta(0)}, "longer than nothing"),
        ({"expires": MINUTE, "delay": HOUR}, "could never begin"),
        ({"priority": 2**31}, "out of range"),
        ({"priority": -(2**31)}, "out of range"),
        ({"priority": 1.5}, "whole number"),
        ({"priority": True}, "whole number"),
        ({"queue": ""}, "1 to 255"),
        ({"queue": "q" * 256}, "1 to 255"),
        ({"queue": "a\x00b"}, "NUL"),
        ({"user_id": 7}, "must be a text"),
        ({"key": ""}, "1 to 255"),
        ({"key": "\ud800"}, "surrogate"),
        ({"retry": 3}, "Retry"),
        ({"unique_for": HOUR}, "needs a key"),
        ({"unique_while": "waiting"}, "needs a key"),
        ({"on_conflict": "raise"}, "needs a key"),
        ({"unique": True}, "by what"),
        ({"unique": "args", "unique_for": HOUR, "unique_while": "open"}, "one of the two"),
        ({"unique": "args", "unique_for": -HOUR}, "longer than nothing"),
        ({"unique": "args", "unique_while": "period"}, "'waiting', 'open'"),
        ({"unique": "args", "on_conflict": "ignore"}, "'existing', 'replace', 'raise'"),
    ],
)
def test_terms_that_make_no_sense_are_refused_where_they_are_said(send, terms, message):  # R32, R64
    with pytest.raises(ConfigurationError, match=message) as refusal:
        send.using(**terms)
    assert "'send'" in str(refusal.value)


def test_a_term_that_does_not_exist_is_refused_with_those_that_do(send):  # R64
    with pytest.raises(TypeError, match=r"no term 'priorty'; there are: tenant, .*priority"):
        send.using(priorty=1)


@pytest.mark.parametrize(
    "terms",
    [
        {"priority": 2**31},
        {"unique_for": HOUR},
        {"queue": ""},
        {"queue": None},
        {"expires": "soon"},
        {"timeout": 30},
        {"retry": 3},
        {"retry": False},
        {"overlap": "wait"},
        {"catch_up": "all"},
    ],
)
def test_terms_of_a_job_that_make_no_sense_are_refused_where_it_is_declared(app, terms):  # R64
    with pytest.raises(ConfigurationError, match="'report'"):

        @app.job(**terms)
        def report() -> None: ...

    assert app.jobs == {}


@pytest.mark.parametrize(
    "terms",
    [
        {"expires": NOON - SECOND},
        {"expires": NOON + HOUR, "at": NOON + HOUR},
        {"expires": HOUR, "at": NOON + DAY},
        {"delay": timedelta.max},
        {"expires": timedelta.max},
        {"unique": "args", "unique_for": timedelta.max},
        {"unique": lambda number: ""},
        {"unique": lambda number: 7},
        {"key": lambda number: None},
    ],
)
def test_terms_that_show_to_make_no_sense_at_the_enqueue_queue_nothing(app, send, terms):  # R32, R64
    with pytest.raises((ConfigurationError, BadArguments)):
        send.using(**terms).enqueue_many([(1,), (2,)])
    assert app.store.runs(RunQuery()) == []


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (("a", "b", "c"), BadArguments),
        (("no number",), BadArguments),
        (1, BadArguments),
        ("1", BadArguments),
        ({"number": 1}, BadArguments),
        ((1, object()), ArgumentsNotJson),
        ((1, math.nan), ArgumentsNotJson),
        ((1, "x" * 65_536), ArgumentsTooBig),
    ],
)
def test_of_many_calls_with_one_that_is_wrong_none_is_queued(app, send, bad, error):  # R31, R64
    for terms in ({}, {"unique": "args"}):
        with pytest.raises(error):
            send.using(**terms).enqueue_many([(1,), (2,), bad])
    assert app.store.runs(RunQuery()) == []
