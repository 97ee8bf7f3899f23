import threading
from contextvars import ContextVar

import pytest

from rota.core.lifecycle import Ending
from rota.core.model import Outcome
from rota.executors.thread import ThreadExecutor
from tests.values import a_run

DONE = Ending(outcome=Outcome.SUCCEEDED)
colour: ContextVar[str] = ContextVar("colour", default="none")


class FakeCall:
    """A call whose work is a function of the test."""

    def __init__(self, work) -> None:
        self.run = a_run()
        self._work = work

    def execute(self) -> Ending:
        self._work()
        return DONE

    def stop(self, reason, *, outcome) -> None:
        raise AssertionError("nobody stops this")


class Endings:
    """Collects what is reported, and waits for a number of reports."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self._arrived = threading.Condition()

    def __call__(self, run, ending) -> None:
        with self._arrived:
            self.runs.append(run.id)
            self._arrived.notify_all()

    def wait_for(self, number: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.runs) >= number, timeout=10)


def test_each_call_is_reported_once():
    executor, endings = ThreadExecutor(4), Endings()
    calls = [FakeCall(lambda: None) for _ in range(500)]

    executor.submit(calls[:250], endings)
    executor.submit(calls[250:], endings)
    endings.wait_for(500)
    executor.close()

    assert sorted(endings.runs) == sorted(call.run.id for call in calls)


def test_as_many_run_at_once_as_there_are_places():
    executor, endings = ThreadExecutor(3), Endings()
    meeting = threading.Barrier(3)

    executor.submit([FakeCall(lambda: meeting.wait(timeout=10)) for _ in range(6)], endings)

    endings.wait_for(6)
    executor.close()
    assert not meeting.broken


def test_a_context_variable_of_one_job_is_not_seen_by_the_next():  # R21
    executor, endings = ThreadExecutor(1), Endings()
    seen: list[str] = []

    executor.submit([FakeCall(lambda: colour.set("red")), FakeCall(lambda: seen.append(colour.get()))], endings)

    endings.wait_for(2)
    executor.close()
    assert seen == ["none"]


def test_calls_that_have_not_begun_can_be_taken_back():  # R45
    executor, endings = ThreadExecutor(1), Endings()
    began, go_on = threading.Event(), threading.Event()

    def busy() -> None:
        began.set()
        go_on.wait(timeout=10)

    waiting = [FakeCall(lambda: None) for _ in range(3)]
    executor.submit([FakeCall(busy), *waiting], endings)
    assert began.wait(timeout=10)

    withdrawn = executor.withdraw()
    go_on.set()
    endings.wait_for(1)
    executor.close()

    assert [call.run.id for call in withdrawn] == [call.run.id for call in waiting]
    assert len(endings.runs) == 1


def test_a_host_that_has_no_room_for_a_thread_costs_no_place_for_good(monkeypatch):
    executor, endings = ThreadExecutor(1), Endings()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: (_ for _ in ()).throw(RuntimeError("can't start")))
        with pytest.raises(RuntimeError):
            executor.submit([FakeCall(lambda: None)], endings)

    executor.submit([FakeCall(lambda: None)], endings)

    endings.wait_for(2)
    executor.close()


def test_threads_that_are_closed_end():
    executor, endings = ThreadExecutor(2), Endings()
    executor.submit([FakeCall(lambda: None) for _ in range(4)], endings)
    endings.wait_for(4)

    executor.close()

    for thread in executor._threads:
        thread.join(timeout=10)
        assert not thread.is_alive()
