"""How an attempt in a child process is stopped, and that nothing of it is left: real signals, real descendants."""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from rota.context import StopSignal
from rota.core.model import Outcome
from rota.executors.kernel import children, descendants
from tests.executors.nursery import kill, nursery, pids, spawners, stop_soon
from tests.system.processes import is_alive, wait_until

REPOSITORY = Path(__file__).parents[2]
LONG = timedelta(seconds=30)


@pytest.fixture(scope="module")
def shared():
    with nursery() as made:
        yield made


@pytest.fixture
def home(shared):
    # Whatever the test before did to the spawner.
    shared.run("nothing")
    return shared


def begun(journal):
    return lambda: Path(f"{journal}.begun").exists()


def family():
    """Guardians and children, of the one spawner."""
    [spawner] = spawners()
    return [pid for pid in descendants(spawner) if is_alive(pid)]


@pytest.mark.parametrize("then", ["return", "die"])
def test_no_descendant_outlives_the_attempt(home, tmp_path, then):  # F6, R42
    journal = tmp_path / "pids"

    home.run("breeds", str(journal), then)

    assert len(pids(journal)) == 4
    assert [pid for pid in pids(journal) if is_alive(pid)] == []


def test_no_descendant_outlives_an_attempt_that_ignores_every_signal(home, tmp_path):  # F4, F6, R42
    journal, stop = tmp_path / "pids", StopSignal()
    stop_soon(stop, lambda: len(pids(journal)) == 4, outcome=Outcome.TIMED_OUT)

    ending = home.run("breeds", str(journal), "ignore", stop=stop)

    assert ending.outcome is Outcome.TIMED_OUT
    assert [pid for pid in pids(journal) if is_alive(pid)] == []


def test_a_job_that_heeds_its_stop_event_ends_with_its_own_result(home, tmp_path):  # R41, R43
    stop = StopSignal()
    threading.Timer(0.2, lambda: stop.set("out of time", outcome=Outcome.TIMED_OUT, grace=LONG)).start()

    ending = home.run("stops", str(tmp_path / "journal"), stop=stop)

    assert (tmp_path / "journal").read_text() == "stopped"
    assert (ending.outcome, ending.error.message) == (Outcome.TIMED_OUT, "half done")


def test_after_its_grace_a_job_gets_sigterm_and_its_finally_runs(home, tmp_path, monkeypatch):  # R42
    journal, stop = tmp_path / "journal", StopSignal()
    # It is to come to its finally, however busy the machine is.
    monkeypatch.setattr(home.children, "_kill_grace", LONG)
    stop_soon(stop, begun(journal), outcome=Outcome.TIMED_OUT, grace=timedelta(milliseconds=200))

    ending = home.run("sleeps", str(journal), stop=stop)

    assert journal.read_text() == "cleaned up"
    assert (ending.outcome, ending.reason, ending.error.type) == (Outcome.TIMED_OUT, "out of time", "Stopped")


def test_a_job_that_leaves_early_at_sigterm_during_a_drain_is_not_taken_for_done(home, tmp_path):  # R30, R45
    # It asks for neither context nor stop signal, and hears all the same.
    journal, stop = tmp_path / "journal", StopSignal()
    stop_soon(stop, begun(journal), outcome=Outcome.INTERRUPTED, grace=timedelta(milliseconds=200))

    assert home.run("leaves_early", str(journal), stop=stop).outcome is Outcome.INTERRUPTED


def test_a_sigterm_in_the_middle_of_a_log_record_does_not_cut_the_line(tmp_path):
    stop, heard = StopSignal(), []

    def hear_slowly(run, line):
        # The job is nearly always held up in the middle of a record.
        heard.append(line)
        threading.Event().wait(0.01)

    with nursery(hear_line=hear_slowly, kill_grace=LONG) as home:
        stop_soon(stop, lambda: len(heard) > 30, outcome=Outcome.TIMED_OUT)
        ending = home.run("chatters", str(tmp_path / "journal"), stop=stop)

    assert (tmp_path / "journal").read_text() == "cleaned up"
    assert (ending.outcome, ending.error.message) == (Outcome.TIMED_OUT, "out of time")


def test_a_job_that_ignores_sigterm_is_killed_after_the_hard_grace(home, tmp_path):  # F4, R42
    journal, stop = tmp_path / "journal", StopSignal()
    asked = []
    stop.then(lambda: asked.append(time.monotonic()))
    stop_soon(stop, begun(journal), outcome=Outcome.TIMED_OUT, grace=timedelta(milliseconds=400))

    ending = home.run("stubborn", str(journal), stop=stop)

    assert time.monotonic() - asked[0] >= 0.7
    assert ending.error.message == "out of time; it did not stop by itself and was killed"


def test_a_grace_that_is_cut_short_counts_from_the_first_signal(home, tmp_path):  # R42
    journal, stop = tmp_path / "journal", StopSignal()
    stop_soon(stop, begun(journal), outcome=Outcome.CANCELLED, grace=LONG)
    stop_soon(stop, stop.is_set, outcome=Outcome.INTERRUPTED)

    ending = home.run("stubborn", str(journal), stop=stop)

    assert (ending.outcome, ending.error) == (Outcome.CANCELLED, None)


def test_a_stopped_process_is_killed_like_any_other(home):  # B3
    stop = StopSignal()
    with home.running("leaves", "stop itself", stop=stop) as endings:
        wait_until(lambda: spawners() and any(state(pid) == "T" for pid in family()), what="the child is stopped")
        stop.set("out of time", outcome=Outcome.TIMED_OUT)

    assert endings[0].outcome is Outcome.TIMED_OUT


def test_a_guardian_that_does_not_answer_is_ended_with_what_it_guards(home, tmp_path):
    stop = StopSignal()
    with home.running("leaves", "stop guardian", stop=stop) as endings:
        wait_until(lambda: spawners() and any(state(pid) == "T" for pid in family()), what="the guardian is stopped")
        doomed = family()
        stop.set("out of time", outcome=Outcome.TIMED_OUT)

    assert endings[0].outcome is Outcome.TIMED_OUT
    assert [pid for pid in doomed if is_alive(pid)] == []


def state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_a_guardian_that_is_killed_takes_all_it_guards_along(home, tmp_path):  # F6
    journal = tmp_path / "pids"
    with home.running("breeds", str(journal), "ignore") as endings:
        wait_until(lambda: len(pids(journal)) == 4, what="all are there")
        [spawner] = spawners()
        [guardian] = children(spawner)
        kill(guardian)

    assert endings[0].outcome is Outcome.LOST
    assert [pid for pid in pids(journal) if is_alive(pid)] == []
    assert spawners() == [spawner]


def test_a_spawner_that_is_killed_loses_its_attempts_and_is_replaced(home, tmp_path):
    journal = tmp_path / "pids"
    with home.running("breeds", str(journal), "ignore") as endings:
        wait_until(lambda: len(pids(journal)) == 4, what="all are there")
        kill(spawners()[0])

    assert endings[0].outcome is Outcome.LOST
    assert [pid for pid in pids(journal) if is_alive(pid)] == []
    assert home.result("add", 2, 2) == 4


WORKER = """
import sys, threading
from tests.executors.nursery import Nursery
home = Nursery()
home.run("breeds", sys.argv[1], "ignore")
"""


def test_a_worker_that_is_killed_leaves_nothing(tmp_path):  # G6, G9
    journal = tmp_path / "pids"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(journal)], cwd=REPOSITORY)
    wait_until(lambda: len(pids(journal)) == 4, what="all are there")
    doomed = [*descendants(worker.pid), *pids(journal)]

    worker.kill()
    worker.wait()

    # By themselves they would live for longer than this waits.
    wait_until(lambda: not any(map(is_alive, doomed)), what="all are gone")


def test_a_worker_that_is_killed_while_the_application_is_imported_leaves_no_spawner(tmp_path):
    begun = tmp_path / "begun"
    (tmp_path / "slow_shop.py").write_text(f"import time\nopen({str(begun)!r}, 'w').close()\ntime.sleep(300)\n")
    code = "from tests.executors.nursery import Nursery\nNursery(place='slow_shop:app').run('nothing')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    worker = subprocess.Popen([sys.executable, "-c", code], cwd=REPOSITORY, env=environment)
    wait_until(begun.exists, what="the import has begun")
    doomed = children(worker.pid)

    worker.kill()
    worker.wait()

    wait_until(lambda: not any(map(is_alive, doomed)), what="the spawner is gone")


def test_an_attempt_that_is_stopped_before_its_child_is_there_ends_as_it_was_told(tmp_path, monkeypatch):
    (tmp_path / "hanging_shop.py").write_text("import time\ntime.sleep(300)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    stop = StopSignal()
    threading.Timer(0.2, lambda: stop.set("cancelled by eve")).start()

    with nursery(place="hanging_shop:app") as home:
        ending = home.run("nothing", stop=stop)

    assert (ending.outcome, ending.reason) == (Outcome.CANCELLED, "cancelled by eve")


def test_closing_ends_children_whatever_they_do(tmp_path):
    journal = tmp_path / "pids"
    with nursery() as home, home.running("breeds", str(journal), "ignore") as endings:
        wait_until(lambda: len(pids(journal)) == 4, what="all are there")
        home.children.close()

    assert endings[0].outcome is Outcome.INTERRUPTED
    assert [pid for pid in pids(journal) if is_alive(pid)] == []


def test_a_job_over_its_limit_of_processor_time_fails_by_name(home):  # F8
    ending = home.run("burns", max_cpu=timedelta(seconds=1))

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "OverLimit")
    assert ending.error.message == "over its limit of 1s of processor time"


def test_no_core_is_dumped(home):  # T56
    assert home.result("core_limit") == [0, 0]
