"""Jobs that do not stop, and jobs that keep others from working: B3, B9, B10, F3 to F6, F16."""

import time
from collections import Counter

import pytest

from rota.core.model import Outcome, State
from tests.system.faults import KINDS, events, on
from tests.system.misbehaving import EXECUTORS, LONG, SHORT, asked
from tests.system.processes import is_alive, wait_until


@pytest.fixture(params=KINDS)
def ground(request, tmp_path):
    with on(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture
def sqlite(request, tmp_path):
    with on("sqlite", request, tmp_path) as made:
        yield made


DEAF = """
@app.job(executor="process", timeout="2s", retry=STEADY)
def deaf(ctx: RunContext, how: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    if how == "stopped":
        os.kill(os.getpid(), signal.SIGSTOP)
    while True:
        time.sleep(1)
"""


@pytest.mark.parametrize("how", ["ignores SIGTERM", "stopped"])
def test_a_child_that_cannot_be_asked_to_stop_is_killed(sqlite, how):  # F4, B3, R42
    with asked(sqlite, DEAF) as app:
        run = app.ask("deaf", how=how)
        workers = app.workers()
        child = app.wait_for_start(run)["pid"]
        app.wait_for_end(run)
        took = time.monotonic() - app.starts(run)[0]["at"]

        assert not is_alive(child)
        assert app.workers() == workers
        assert app.is_well()
    # The time limit, of which making the child takes its part, then the grace and the hard grace, half a second each.
    assert 1 < took < 6
    assert sqlite.outcomes(run) == [Outcome.TIMED_OUT]
    assert len(app.starts(run)) == 1


NEVER = """
import asyncio


@app.job(executor="EXECUTOR", timeout="500ms", retry=STEADY)
DEF never_stops(ctx: RunContext, how: str) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    ends = time.monotonic() + 120
    while time.monotonic() < ends:
        if how == "swallows":
            try:
                await asyncio.sleep(1)
            except BaseException:
                pass
        else:
            time.sleep(0.1)


@app.job(executor="thread", retry=STEADY)
def neighbour(ctx: RunContext) -> int:
    with alone(ctx.run_id):
        note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
        first = len([line for line in open(JOURNAL) if ctx.run_id in line]) == 1
        ctx.sleep(60 if first else 0)
        note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return os.getpid()
"""
SYNCHRONOUS = """            try:
                await asyncio.sleep(1)
            except BaseException:
                pass
"""


# How it does not stop is nothing to a store; what comes of it is the same for each.
@pytest.mark.parametrize(
    ("executor", "how", "ground"),
    [
        *(("thread", "ignores it", kind) for kind in KINDS),
        ("asyncio", "blocks the loop", "sqlite"),
        ("asyncio", "swallows", "sqlite"),
    ],
    indirect=["ground"],
)
def test_a_job_that_never_stops_costs_its_process_and_is_timed_out_once(ground, executor, how):  # F3, F5, R42
    jobs = NEVER.replace("JOURNAL", repr(str(ground.journal_file)))
    if executor == "thread":
        jobs = jobs.replace(SYNCHRONOUS, "            pass\n")
    with asked(ground, jobs, executor=executor) as app:
        neighbours = [app.ask("neighbour") for _ in range(2)]
        for run in neighbours:
            app.wait_for_start(run)
        [before] = app.workers()
        stuck = app.ask("never_stops", how=how)
        app.wait_for_end(stuck)
        ground.wait_for_success(*neighbours)

        assert not is_alive(before)
        assert app.is_well()
    assert ground.outcomes(stuck) == [Outcome.TIMED_OUT]
    assert ground.run(stuck).state is State.FAILED
    assert len(app.starts(stuck)) == 1
    for run in neighbours:
        # Given back, not lost: it was not their fault.
        assert len(app.starts(run)) == 2
        assert (ground.run(run).attempt, ground.run(run).lost_count) == (1, 0)
        assert ground.outcomes(run) == [Outcome.INTERRUPTED, Outcome.SUCCEEDED]
    assert len(events(app.site, "end")) == 2


STUBBORN = """
import asyncio


@app.job(executor="asyncio", timeout="500ms", retry=STEADY)
async def stubborn(ctx: RunContext, how: str) -> str | None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        await asyncio.sleep(0.1)
    note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return "all the work" if how == "finishes" else None
"""


def test_a_coroutine_that_swallows_its_cancellation_has_not_succeeded_unless_it_finished(sqlite):  # F5, R43
    with asked(sqlite, STUBBORN) as app:
        workers = app.workers()

        gives_up, finishes = app.ask("stubborn", how="gives up"), app.ask("stubborn", how="finishes")
        app.wait_for_end(gives_up, finishes)

        assert app.workers() == workers
        assert app.is_well()
    assert sqlite.outcomes(gives_up) == [Outcome.TIMED_OUT]
    assert sqlite.outcomes(finishes) == [Outcome.SUCCEEDED]
    assert len(events(app.site, "end")) == 2


HOLDS_THE_GIL = """
@app.job(executor="thread", retry=STEADY)
def holds(ctx: RunContext) -> int:
    first = not os.path.exists("FLAG")
    open("FLAG", "w").close()
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    if first:
        # As C code does that does not let go of the interpreter: no other thread of this process comes to work.
        ctypes.PyDLL(None).sleep(6)
    note(event="effect", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return ctx.token
"""


def test_a_thread_that_holds_the_interpreter_for_longer_than_its_lease_is_fenced(ground):  # B9, G5
    jobs = HOLDS_THE_GIL.replace("FLAG", str(ground.folder / "flag"))
    with asked(ground, jobs, "--processes", "2", **SHORT) as app:
        wait_until(lambda: app.site.logs().count(" works (pid ") == 2, what="both worker processes")
        run = app.ask("holds")
        ground.wait_for_success(run)
        result = ground.run(run).result
        wait_until(lambda: len(events(app.site, "effect")) == 2, what="the end of the first attempt")

        assert app.is_well()
    first, second = app.starts(run)
    # Documented: both were at it at once, as a rule; on SQLite the first may keep the lock on the file meanwhile, and
    # then nobody else comes to it. What the first made of it was not recorded.
    assert first["pid"] != second["pid"] or ground.url.startswith("sqlite")
    assert result == ground.run(run).result == str(second["token"])
    assert ground.outcomes(run)[1:] == [Outcome.SUCCEEDED]
    assert len(app.starts(run)) == 2


BLOCKS = """
@app.job(executor="asyncio", retry=STEADY)
async def blocks(ctx: RunContext) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    time.sleep(3)
    note(event="unblocked", at=time.monotonic())


@app.job(executor="asyncio", retry=STEADY)
async def polite(ctx: RunContext) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    await ctx.asleep(0.2)
    note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())
"""


def test_a_coroutine_that_blocks_the_loop_makes_others_late_and_loses_none(ground):  # B10, G7
    # The lease is much shorter than that: the heartbeat has a thread of its own.
    with asked(ground, BLOCKS, **SHORT) as app:
        blocks = app.ask("blocks")
        app.wait_for_start(blocks)
        polite = [app.ask("polite") for _ in range(5)]
        ground.wait_for_success(blocks, *polite)

        assert "all coroutine jobs of this process wait for job 'blocks'" in app.site.logs()
    [unblocked] = events(app.site, "unblocked")
    assert all(line["at"] > unblocked["at"] for line in events(app.site, "end"))
    assert Counter(line["run"] for line in events(app.site, "start")) == {run.id: 1 for run in (blocks, *polite)}
    assert {tuple(ground.outcomes(run)) for run in (blocks, *polite)} == {(Outcome.SUCCEEDED,)}


BREEDS = """
CODE = '''
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)
if sys.argv[1] == "setsid": os.setsid()
if sys.argv[1] == "twice":
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
out = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(out, ('{"event": "bred", "pid": %d}' % os.getpid() + chr(10)).encode())
time.sleep(300)
'''


@app.job(executor="process", timeout="2s", retry=STEADY)
def breeds(ctx: RunContext, then: str) -> None:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    before = open("JOURNAL").read().count("bred")
    for how in ("plain", "setsid", "twice"):
        subprocess.Popen([sys.executable, "-c", CODE, how, "JOURNAL"])
    while open("JOURNAL").read().count("bred") < before + 3:
        time.sleep(0.01)
    note(event="ready", run=ctx.run_id)
    match then:
        case "raises":
            raise ValueError(then)
        case "dies":
            os._exit(9)
        case "times out":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(300)
"""


@pytest.mark.parametrize("then", ["returns", "raises", "times out"])
@pytest.mark.parametrize("reuse", [1, 10])
def test_no_grandchild_outlives_an_attempt(sqlite, then, reuse):  # F6, R42
    with asked(sqlite, BREEDS.replace("JOURNAL", str(sqlite.journal_file)), max_runs_per_child=reuse) as app:
        run = app.ask("breeds", then=then)
        app.wait_for_end(run)

        # By themselves they would live for longer than this waits.
        bred = [line["pid"] for line in events(app.site, "bred")]
        wait_until(lambda: not any(is_alive(pid) for pid in bred), what="the end of all grandchildren")
        assert app.is_well()
    assert len(bred) == 3


NARROW = """
@app.job(executor="EXECUTOR", timeout="400ms", retry=STEADY)
DEF narrow(ctx: RunContext, seconds: float) -> str:
    note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    SLEEP
    return "done"


@app.job(executor="EXECUTOR", timeout=timedelta.max, retry=STEADY)
DEF endless(ctx: RunContext) -> str:
    return "done"
"""
SLEEPS = {"asyncio": "await ctx.asleep(seconds)"}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_that_ends_at_its_time_limit_has_exactly_one_outcome(sqlite, executor):  # F16, R42
    jobs = NARROW.replace("SLEEP", SLEEPS.get(executor, "ctx.sleep(seconds)"))
    with asked(sqlite, jobs, executor=executor, **LONG) as app:
        workers = app.workers()
        # Around the limit, on both sides of it: which one wins is open, that only one does is not.
        runs = [app.ask("narrow", seconds=0.36 + 0.01 * number) for number in range(9)]
        endless = app.ask("endless")
        app.wait_for_end(*runs, endless)

        assert app.workers() == workers
    found = [(sqlite.run(run).state, *sqlite.outcomes(run)) for run in runs]
    assert set(found) <= {(State.SUCCEEDED, Outcome.SUCCEEDED), (State.FAILED, Outcome.TIMED_OUT)}
    # The limit may be over before a child is there.
    assert all(len(app.starts(run)) <= 1 for run in runs)
    assert all(len(app.starts(run)) == 1 for run in runs if sqlite.run(run).state is State.SUCCEEDED)
    assert sqlite.run(endless).state is State.SUCCEEDED
