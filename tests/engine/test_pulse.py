"""One question a second stands for those of all who look for work; nobody depends on it. (R38)"""

import threading
from datetime import timedelta

import pytest

from rota import Rota
from rota.core.controls import ControlKind
from rota.core.liveness import USUAL, late_loops
from rota.engine.bus import Bus
from rota.engine.loop import Loop
from rota.engine.pulse import FRESH, REST, SIGNS, Pulse, rest_for
from rota.errors import StoreUnavailable
from rota.queries import Sign
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import MINUTE, NOON, SECOND, a_control, a_run, a_worker


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def store(clock):
    return MemoryStore(clock=clock)


@pytest.fixture
def pulse(store, clock):
    return Pulse(store, clock=clock)


def woken_for(pulse, *signs):
    """Return what the pulse sets for these signs."""
    event = threading.Event()
    pulse.wake(event, at=signs)
    return event


def test_it_wakes_those_who_look_for_what_there_is_and_nobody_else(store, pulse):
    promoter, closer = woken_for(pulse, Sign.RUN_DUE), woken_for(pulse, Sign.ROUND_OVER)
    store.enqueue([a_run(due_at=NOON + MINUTE)], now=NOON)

    pulse.tick(NOON + MINUTE)

    assert promoter.is_set()
    assert not closer.is_set()


def test_it_wakes_once_more_when_a_sign_has_gone(store, pulse):
    # What stood in the controls is over: who goes by them has to see that (R12).
    standing = woken_for(pulse, Sign.CONTROL)
    store.put_control(a_control(), expected_version=None)
    pulse.tick(NOON)
    standing.clear()

    store.drop_control(ControlKind.PAUSE, "tenant/acme", expected_version=1)
    pulse.tick(NOON)
    assert standing.is_set()

    standing.clear()
    pulse.tick(NOON)
    assert not standing.is_set()


def test_who_found_nothing_rests_for_a_while_and_who_is_at_something_does_not(pulse):
    pulse.tick(NOON)

    assert pulse.rest(SECOND) == REST
    assert pulse.rest(timedelta(milliseconds=50)) == timedelta(milliseconds=50)
    assert pulse.rest(MINUTE) == MINUTE


@pytest.mark.parametrize("heartbeat", [timedelta(milliseconds=800), SECOND, timedelta(seconds=5), MINUTE])
def test_who_rests_is_not_taken_for_dead(store, clock, heartbeat):  # R52
    # With heartbeats of a second the watchdog counted in seconds, and an idle process was an incident.
    pulse = Pulse(store, clock=clock, rest=rest_for(heartbeat))
    pulse.tick(NOON)
    seen_at = NOON + pulse.rest(SECOND) + heartbeat / 2

    worker = a_worker(last_seen=seen_at, stamps={"promoter": NOON})

    assert late_loops(worker, USUAL, heartbeat=heartbeat) == []


def test_nobody_relies_on_a_pulse_that_was_never_answered_or_long_ago(pulse, clock):
    assert pulse.rest(SECOND) == SECOND

    pulse.tick(NOON)
    clock.tick(FRESH + SECOND)

    assert pulse.rest(SECOND) == SECOND


def test_a_store_that_is_away_leaves_all_to_look_by_themselves(store, pulse, clock, monkeypatch):
    def away(**_):
        raise StoreUnavailable("away")

    pulse.tick(NOON)
    monkeypatch.setattr(store, "signs", away)
    clock.tick(FRESH + SECOND)

    with pytest.raises(StoreUnavailable):
        pulse.tick(NOON)

    assert pulse.rest(SECOND) == SECOND


def test_a_loop_that_rests_looks_once_when_it_is_woken(clock):
    looked, wake, still_woken = threading.Semaphore(0), threading.Event(), []

    class Looking:
        def tick(self, now):
            still_woken.append(wake.is_set())
            looked.release()
            return SECOND

    loop = Loop("looking", Looking(), clock=clock, bus=Bus(), stamps={}, wake=wake, rest=lambda delay: MINUTE)
    loop.start()
    assert looked.acquire(timeout=5)

    wake.set()

    assert looked.acquire(timeout=5)
    # Still woken by what it sees to, it would never rest again.
    assert still_woken == [False, False]
    loop.stop()
    assert loop.join(5 * SECOND)


def test_all_whom_it_wakes_are_services_of_a_process():
    app = Rota("memory://")

    services = app.crew().services

    assert SIGNS.keys() <= services.keys()
    app.close()
