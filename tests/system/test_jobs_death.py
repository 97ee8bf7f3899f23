"""Jobs that die, and processes that die around them: A6 to A8 with child processes, F1, F2."""

import os
import signal

import pytest

from rota.core.model import Outcome, State
from tests.system.faults import KINDS, events, on
from tests.system.misbehaving import EXECUTORS, ask, asked, descendants, is_queued, misbehaving
from tests.system.processes import end, is_alive, wait_until


@pytest.fixture(params=KINDS)
def ground(request, tmp_path):
    with on(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite(request, tmp_path):
    with on("sqlite", request, tmp_path) as made:
        yield made


HELD = """
@app.job(executor="process", retry=STEADY)
def held(ctx: RunContext, seconds: float) -> int:
    with alone(ctx.run_id):
        note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
        # The first attempt is still at it when it is killed.
        time.sleep(60 if open(JOURNAL).read().count('"start"') == 1 else seconds)
        note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return ctx.token
"""


def held(ground):
    return HELD.replace("JOURNAL", repr(str(ground.journal_file)))


def test_a_run_whose_child_is_killed_runs_again_at_once_in_the_same_worker(ground):  # A7, G9
    # How soon is measured in bench/recovery.py: here it is enough that nobody waits for the lease.
    with asked(ground, held(ground), lease="90s") as app:
        run = app.ask("held", seconds=0.1)
        workers = app.workers()

        os.kill(app.wait_for_start(run)["pid"], signal.SIGKILL)

        ground.wait_for_success(run)
        assert app.workers() == workers
        assert app.is_well()
    lost, succeeded = app.attempts(run)
    assert (lost.outcome, succeeded.outcome) == (Outcome.LOST, Outcome.SUCCEEDED)
    assert lost.error.message == "killed by signal 9 (SIGKILL)"
    assert (ground.run(run).attempt, ground.run(run).lost_count) == (1, 1)
    assert len(events(app.site, "end")) == 1


def test_a_worker_process_that_is_killed_takes_its_children_along_and_their_runs_go_on(ground):  # A6, G6, G9
    with asked(ground, held(ground)) as app:
        run = app.ask("held", seconds=0.1)
        child = app.wait_for_start(run)["pid"]
        [worker] = app.workers()
        below = descendants(worker)

        os.kill(worker, signal.SIGKILL)

        # By itself the job would go on for longer than this waits.
        wait_until(lambda: not any(is_alive(pid) for pid in below), what="the end of all below it")
        ground.wait_for_success(run)
    assert child in below
    assert ground.outcomes(run) == [Outcome.LOST, Outcome.SUCCEEDED]
    assert len(events(app.site, "end")) == 1


def test_nothing_outlives_a_killed_supervisor_for_long_and_the_next_one_takes_over(ground):  # A8, G9
    site = misbehaving(ground, held(ground))
    with site.started() as process:
        run = ask(ground, "held", seconds=0.1)
        wait_until(lambda: events(site, "start"), what="the start of the job")
        below = descendants(process.pid)

        end(process, signal.SIGKILL)

        wait_until(lambda: not any(is_alive(pid) for pid in below), what="the end of all below it")
    assert events(site, "start")[0]["pid"] in below
    with site.started() as process:
        ground.wait_for_success(run)
        assert end(process) == 0
    assert (len(events(site, "start")), len(events(site, "end"))) == (2, 1)


RAISES = """
import asyncio
import concurrent.futures


class Base(BaseException):
    pass


KINDS = [ValueError, Base, SystemExit, KeyboardInterrupt, GeneratorExit, StopIteration, StopAsyncIteration,
         asyncio.CancelledError, concurrent.futures.CancelledError, MemoryError, RecursionError, TimeoutError]


@app.job(executor="EXECUTOR", retry=Retry(attempts=2, base=timedelta(milliseconds=100), jitter=False))
DEF raises(ctx: RunContext, kind: int) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    raise KINDS[kind]("on purpose")
"""


@pytest.mark.parametrize("executor", EXECUTORS)
def test_whatever_a_job_raises_fails_its_attempt_is_retried_and_the_worker_lives(sqlite, executor):  # F1, R21
    with asked(sqlite, RAISES, executor=executor) as app:
        workers = app.workers()

        runs = [app.ask("raises", kind=kind, attempts=2) for kind in range(12)]
        app.wait_for_end(*runs)

        assert app.workers() == workers
        assert app.is_well()
    assert [sqlite.run(run).state for run in runs] == [State.FAILED] * 12
    assert [sqlite.outcomes(run) for run in runs] == [[Outcome.FAILED] * 2] * 12
    assert [len(app.starts(run)) for run in runs] == [2] * 12
    assert sqlite.run(runs[2]).error.type == "SystemExit"


DIES = """
@app.job(executor="EXECUTOR", retry=Retry(attempts=9, base=timedelta(0)))
DEF dies(ctx: RunContext, how: str) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    match how:
        case "exit":
            os._exit(3)
        case "segfault":
            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
"""
REASONS = {
    "exit": "exited with status 3 without a result",
    "segfault": "killed by signal 11 (SIGSEGV)",
    "abort": "killed by signal 6 (SIGABRT)",
    "kill": "killed by signal 9 (SIGKILL)",
}


def test_a_process_job_that_kills_itself_is_given_up_after_three_losses_and_hurts_nobody(sqlite):  # F2, R30
    with asked(sqlite, DIES, executor="process") as app:
        workers = app.workers()

        runs = {how: app.ask("dies", how=how, attempts=9) for how in REASONS}
        # Before the third: it waits for a while.
        wait_until(lambda: all(len(app.starts(run)) == 2 for run in runs.values()), what="the second attempts")
        assert app.is_well()
        app.wait_for_end(*runs.values())

        assert app.workers() == workers
    for how, run in runs.items():
        assert (sqlite.run(run).state, sqlite.run(run).lost_count) == (State.FAILED, 3)
        assert sqlite.outcomes(run) == [Outcome.LOST] * 3
        assert sqlite.run(run).outcome is Outcome.LOST
        assert {attempt.error.message.split(":")[0] for attempt in app.attempts(run)} == {REASONS[how]}
        assert len(app.starts(run)) == 3


@pytest.mark.parametrize(("executor", "how"), [("thread", "segfault"), ("thread", "exit"), ("asyncio", "kill")])
def test_a_job_that_kills_its_worker_process_is_given_up_after_three_losses(sqlite, executor, how):  # F2, R30
    with asked(sqlite, DIES, "--processes", "2", executor=executor) as app:
        run = app.ask("dies", how=how, attempts=9)
        app.wait_for_end(run)

        # The others are in its company only while it runs.
        assert app.is_well()
    assert (sqlite.run(run).state, sqlite.run(run).lost_count) == (State.FAILED, 3)
    assert sqlite.outcomes(run) == [Outcome.LOST] * 3
    assert len(app.starts(run)) == 3


UNKNOWN = """
import os.path

if os.path.exists("BROKEN"):
    raise ImportError("no module named 'shipping'")


@app.job(executor="process", retry=STEADY)
def ships(ctx: RunContext) -> str:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return "shipped"
"""


def test_what_cannot_be_imported_fails_once_by_name_and_an_unknown_job_waits(sqlite):  # F17, R36
    broken = sqlite.folder / "broken"
    with asked(sqlite, UNKNOWN.replace("BROKEN", str(broken))) as app:
        broken.touch()
        run, unknown = app.ask("ships"), app.ask("nobody_knows_it")
        app.wait_for_end(run)
        assert app.is_well()
        assert is_queued(sqlite, unknown)
        assert "no such job here, given back" in app.site.logs()
    assert sqlite.run(run).state is State.FAILED
    assert "no module named 'shipping'" in sqlite.run(run).error.message + sqlite.run(run).error.traceback
    assert sqlite.outcomes(run) == [Outcome.FAILED]
    # No claim loop: it was claimed once, and left alone after that.
    assert app.site.logs().count("no such job here, given back") == 1
    assert sqlite.run(unknown).attempt == 0
    assert app.starts(run) == []
