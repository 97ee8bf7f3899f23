"""What a supervisor decides: when a worker process is started again, and what is done about one that died."""

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota.core.lifecycle import rescue
from rota.core.model import Outcome, State
from rota.engine import host
from rota.engine.bus import Bus
from rota.engine.channel import Channel, Dead, Ended, Hurry, Ready
from rota.engine.maintenance import Neighbours
from rota.engine.restart import REPLACE, SETTLED, ended_by, failures_after, is_refusal, pause_before
from rota.errors import ConfigurationError
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.system.processes import wait_until
from tests.values import NOON, SECOND, a_run, a_worker, claim

MILLISECOND = timedelta(milliseconds=1)


def test_the_pause_before_a_restart_doubles_up_to_half_a_minute():
    pauses = [pause_before(failures, code=1) for failures in range(1, 11)]

    assert pauses[:4] == [200 * MILLISECOND, 400 * MILLISECOND, 800 * MILLISECOND, 1600 * MILLISECOND]
    assert pauses[-2:] == [30 * SECOND, 30 * SECOND]
    assert pause_before(10**9, code=1) == 30 * SECOND


def test_a_process_that_lived_for_a_minute_is_not_held_back_for_the_ones_before():
    assert failures_after(7, lived=SETTLED - SECOND) == 8
    assert failures_after(7, lived=SETTLED) == 1


def test_a_process_that_asks_to_be_replaced_is_at_once_and_the_next_time_after_a_pause():  # F3
    assert pause_before(1, code=REPLACE) == timedelta(0)
    assert pause_before(2, code=REPLACE) == 400 * MILLISECOND


@pytest.mark.parametrize(
    ("code", "worked", "refused"),
    [(2, False, True), (3, False, True), (5, False, True), (2, True, False), (-9, False, False), (0, False, False)],
)
def test_only_a_first_start_that_says_that_it_cannot_work_ends_everything(code, worked, refused):
    assert is_refusal(code, worked=worked) is refused


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "ended with exit code 0"),
        (-signal.SIGKILL, "was killed by signal 9 (SIGKILL)"),
        (-signal.SIGSEGV, "was killed by signal 11 (SIGSEGV)"),
        (-40, "was killed by signal 40"),
    ],
)
def test_an_end_is_told_in_words(code, words):
    assert ended_by(code) == words


# --- the channel ---


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    yield Channel(one), Channel(other)
    one.close()
    other.close()


READY = Ready(worker="w1", jobs=3, queues=("mail",), processes=2, patience_s=80.0)


@pytest.mark.parametrize("message", [READY, Ended(clean=True), Dead(worker="w1", reason="was killed"), Hurry()])
def test_what_is_said_arrives_as_it_was_said(ends, message):
    ours, theirs = ends

    assert ours.send(message)

    assert theirs.receive() == [message]


def test_a_message_in_two_pieces_is_one_message():
    one, other = socket.socketpair()
    channel = Channel(other)

    one.send(b'{"type":"ended",')
    first = channel.receive()
    one.send(b'"clean":false}\n{"type":"hurry"}\n')

    assert (first, channel.receive()) == ([], [Ended(clean=False), Hurry()])
    one.close()
    channel.close()


def test_the_end_of_the_other_process_is_seen_after_its_last_words(ends):  # A8
    ours, theirs = ends
    ours.send(Ended(clean=True))
    ours.close()

    assert theirs.receive() == [Ended(clean=True)]
    assert theirs.is_over
    assert theirs.receive() == []
    assert not theirs.send(Hurry())


def test_a_process_that_does_not_read_holds_nobody_up(ends):
    ours, _ = ends
    message = Dead(worker="w" * 10_000, reason="")

    sent = [ours.send(message) for _ in range(200)]

    assert sent[0] and not sent[-1]


def test_a_descriptor_that_is_no_channel_is_refused():
    with pytest.raises(ConfigurationError, match="start it with `rota start`"):
        Channel.inherited(987)


# --- the dead ---


def held_by_the_dead(store):
    store.register(a_worker(id="dead"))
    store.enqueue([a_run(), a_run()], now=NOON)
    return claim(store, worker="dead", limit=2)


def test_the_runs_of_a_worker_that_died_are_free_at_once_and_say_why():  # R30, G9
    store = MemoryStore(clock=FakeClock(NOON))
    held_by_the_dead(store)
    neighbours = Neighbours(store, bus=Bus())

    assert neighbours.bury("dead", reason="was killed by signal 9 (SIGKILL)", now=NOON)

    runs = store.runs(RunQuery())
    assert {(run.state, run.lost_count) for run in runs} == {(State.QUEUED, 1)}
    [attempt] = store.run(runs[0].id).attempts
    assert (attempt.outcome, attempt.error.type) == (Outcome.LOST, "WorkerDied")
    assert attempt.error.message == "worker dead: was killed by signal 9 (SIGKILL)"


def test_a_claim_that_was_done_after_its_worker_died_is_found_by_the_next_pass(monkeypatch):  # A4, G2
    # The server may commit what a process sent in its last moment after the process is known to be dead.
    store = MemoryStore(clock=FakeClock(NOON))
    store.register(a_worker(id="dead", last_seen=NOON))
    monkeypatch.setattr("rota.engine.maintenance.is_dead_neighbour", lambda worker: True)
    neighbours = Neighbours(store, bus=Bus())
    neighbours.bury("dead", reason="was killed", now=NOON)
    store.enqueue([a_run()], now=NOON)
    claim(store, worker="dead")

    neighbours.tick(NOON)

    assert [run.state for run in store.runs(RunQuery())] == [State.QUEUED]
    assert store.workers() == []


def test_a_lease_that_ended_and_a_worker_that_died_are_told_apart():
    run = a_run(state=State.RUNNING, owner="w1", token=7, lease_until=NOON)

    assert rescue(run, now=NOON).error.type == "LeaseLost"
    assert rescue(run, now=NOON, reason="worker w1: was killed").error.type == "WorkerDied"


def test_a_process_that_is_dead_and_not_reaped_is_a_dead_neighbour():  # G9, I12
    # In a container whose first process reaps no orphans it would look alive for ever.
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    me = host.this_worker("w1", version="", queues={}, places=1, now=NOON)
    record = replace(me, pid=process.pid, pid_started=host.process_started(process.pid))
    assert not host.is_dead_neighbour(record)

    os.kill(process.pid, signal.SIGKILL)

    wait_until(lambda: host.is_dead_neighbour(record), what="the death of a process that nobody has reaped")
    process.communicate()
