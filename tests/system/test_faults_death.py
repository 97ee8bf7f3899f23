"""Processes that die at the steps of the protocol: rows A of the fault matrix."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from rota import Rota, RunContext, every
from rota.core.model import Outcome, Run, State
from rota.core.policy import CatchUp
from rota.errors import StoreUnavailable
from rota.queries import RoundQuery, RunQuery
from tests.clocks import FakeClock
from tests.system.crashing import VARIABLE
from tests.system.faults import KINDS, SERVERS, WORK, Ground, between, events, no_overlap, on, worker_pid
from tests.system.processes import Site, wait_until
from tests.system.scheduling import hourly_minute


@pytest.fixture(params=KINDS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture(params=SERVERS)
def server_ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


def dying(site: Site, point: str):
    return site.started(env={**site.environment(), VARIABLE: point})


def has_died(site: Site) -> bool:
    return (site.folder / "crashed").exists()


ELSEWHERE = """

@app.job(queue="mail")
def send() -> None: ...
"""

# Where it dies, how often the job then starts, and how many attempts are lost.
POINTS = [
    pytest.param("claim:inside:1", 1, 0, id="A3-inside-the-claim"),
    pytest.param("claim:after:1", 1, 1, id="A5-between-claim-and-start"),
    pytest.param("settle:before:1", 2, 1, id="A9-after-the-effect-before-the-end"),
    pytest.param("settle:inside:1", 2, 1, id="A9-inside-the-settlement"),
    pytest.param("settle:after:1", 1, 0, id="A11-after-the-settlement"),
    pytest.param("renew:inside:1", 2, 1, id="A12-inside-a-heartbeat"),
    pytest.param("renew:after:1", 2, 1, id="A12-after-a-heartbeat"),
]


@pytest.mark.parametrize(("point", "starts", "lost"), POINTS)
def test_a_worker_process_that_dies_at_a_step_loses_nothing(ground, point, starts, lost):  # R30, G1-G3, G9
    # For one queue a claim is one statement on PostgreSQL, which has no inside.
    site = ground.site(jobs=WORK + ELSEWHERE if "claim:inside" in point else WORK)
    # Long enough for a heartbeat, where that is where it dies.
    [run] = ground.enqueue(beats=20 if "renew" in point else 2)

    with dying(site, point):
        wait_until(lambda: has_died(site), what=f"the death at {point}")
        ground.wait_for_success(run)

    assert len(events(site, "start")) == starts
    assert len(events(site, "end")) == (1 if "renew" in point else starts)
    no_overlap(site)
    assert (ground.run(run).attempt, ground.run(run).lost_count) == (1, lost)
    assert ground.outcomes(run) == [Outcome.LOST] * lost + [Outcome.SUCCEEDED]


def test_a_worker_process_that_is_killed_in_the_midst_of_a_job_is_followed_by_another(ground):  # A6, G9
    site = ground.site()
    [run] = ground.enqueue(beats=15)

    with site.started():
        os.kill(worker_pid(site, run), signal.SIGKILL)
        ground.wait_for_success(run)

    assert (len(events(site, "start")), len(events(site, "end"))) == (2, 1)
    no_overlap(site)
    assert ground.outcomes(run) == [Outcome.LOST, Outcome.SUCCEEDED]


@pytest.mark.parametrize("side", ["inside", "after"])
def test_a_rescuer_that_dies_in_the_midst_of_a_batch_leaves_no_half(ground, side):  # A13
    site = ground.site()
    runs = ground.claimed_by_one_who_is_gone(5)

    with dying(site, f"rescue:{side}:1"):
        wait_until(lambda: has_died(site), what="the death of the rescuer")
        ground.wait_for_success(*runs)

    starts = Counter(line["run"] for line in events(site, "start"))
    assert set(starts) == {run.id for run in runs}
    # What it had claimed itself when it died, begun or not, may be begun again, and nothing else.
    assert all(starts[run.id] <= ground.run(run).lost_count for run in runs)
    assert {ground.run(run).lost_count for run in runs} <= {1, 2}


ROUNDS = """
from tests.system.crashing import arm
import rota.engine.expansion
from rota import CatchUp

rota.engine.expansion.CHUNK = 200
app = Rota({url!r}, tenants=[f"t{{number:03}}" for number in range({tenants})])
arm(app)


@app.job(schedule=every().hour.at("{minute}"), per_tenant=True, catch_up=CatchUp.all())
def report(ctx: RunContext) -> None:
    note(event="start", run=ctx.run_id, slot=ctx.slot.isoformat(), tenant=ctx.tenant.id)
"""


def behind(ground: Ground, minute: str, *, slots: int) -> None:
    """Record the schedule as it was some slots ago, when the last process that knew it stopped."""
    clock = FakeClock(ground.store.now() - timedelta(hours=slots))
    app = Rota(ground.store, tenants=["t000"], clock=clock)

    @app.job(schedule=every().hour.at(minute), per_tenant=True, catch_up=CatchUp.all())
    def report(ctx: RunContext) -> None: ...

    app.schedules.sync()


def all_done(ground: Ground, number: int) -> bool:
    return len(ground.store.runs(RunQuery(states=(State.SUCCEEDED,), limit=10_000))) == number


@pytest.mark.parametrize("side", ["before", "inside", "after"])
def test_a_scheduler_that_dies_while_it_fires_fires_each_slot_once(ground, side):  # A14, G4
    minute = hourly_minute(ground)
    behind(ground, minute, slots=2)
    site = ground.site(jobs=ROUNDS.format(url=ground.url, tenants=3, minute=minute))

    with dying(site, f"fire:{side}:1"):
        wait_until(lambda: has_died(site), what="the death of the scheduler")
        wait_until(lambda: all_done(ground, 2 * 3), what="every tenant's run of both slots")

    times = Counter((line["slot"], line["tenant"]) for line in events(site, "start"))
    assert (len(times), set(times.values())) == (2 * 3, {1})
    slots = [round_.slot for round_ in ground.store.rounds(RoundQuery())]
    assert len(slots) == len(set(slots)) == 2


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("point", ["enqueue:before:1", "enqueue:after:1", "enqueue:inside:3", "enqueue:after:3"])
def test_an_expansion_that_dies_after_some_of_500_tenants_is_resumed(kind, point, request, tmp_path):  # A15, G4
    with on(kind, request, tmp_path) as ground:
        minute = hourly_minute(ground)
        behind(ground, minute, slots=1)
        site = ground.site(jobs=ROUNDS.format(url=ground.url, tenants=500, minute=minute))

        with dying(site, point):
            wait_until(lambda: has_died(site), what="the death in the expansion")
            wait_until(lambda: all_done(ground, 500), what="500 runs")

        runs = ground.store.runs(RunQuery(limit=10_000))
        assert (len(runs), len({run.tenant for run in runs})) == (500, 500)
        starts = Counter(line["tenant"] for line in events(site, "start"))
        # Only what was in the hands of the process that died may have begun twice.
        lost = {run.tenant for run in runs if run.lost_count}
        assert {tenant for tenant, count in starts.items() if count > 1} <= lost


# --- who asks ---


@pytest.mark.parametrize(("side", "accepted"), [("before", 0), ("inside", 0), ("after", 1)])
def test_who_dies_while_asking_was_heard_or_was_not(ground, side, accepted):  # A1, A2, G1
    site = ground.site()

    done = subprocess.run(
        # One that expires: a run without such terms is written in one statement, which has no inside.
        site.command("enqueue", "work", "1", "--expires", "1h"),
        cwd=site.folder,
        env={**site.environment(), VARIABLE: f"enqueue:{side}:1"},
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == -signal.SIGKILL
    assert done.stdout == b""
    assert len(ground.everything()) == accepted


def test_an_enqueue_whose_answer_is_lost_is_repeated_with_the_same_id(server_ground):  # A2
    with between(server_ground) as (line, url):
        far = Ground(url, server_ground.folder)
        trap = line.lose_one_answer(b"COMMIT", after=b"INSERT INTO")
        now = far.store.now()
        runs = [Run(id=f"{number:032x}", job="work", due_at=now, created_at=now) for number in (1, 2)]

        with pytest.raises(StoreUnavailable):
            far.store.enqueue(runs, now=now)

        assert trap.sprung.is_set()
        assert far.store.enqueue(runs, now=now) == []
        far.close()
    assert sorted(found.id for found in server_ground.everything()) == [run.id for run in runs]


def test_a_single_run_whose_answer_is_lost_is_there_once(server_ground):  # A2
    with between(server_ground) as (line, url):
        far = Ground(url, server_ground.folder)
        now = far.store.now()
        run = Run(id=f"{1:032x}", job="work", due_at=now, created_at=now)
        # The first one may go the longer way, and leaves what the next goes by.
        far.store.enqueue([Run(id=f"{2:032x}", job="work", due_at=now, created_at=now)], now=now)
        trap = line.lose_one_answer(b"INSERT INTO")

        far.store.enqueue([run], now=now)

        assert trap.sprung.is_set()
        assert far.store.enqueue([run], now=now) == []
        far.close()
    assert [found.id for found in server_ground.everything()].count(run.id) == 1


# --- answers that are lost on the way ---


@pytest.mark.parametrize(
    ("words", "after"),
    [
        # On PostgreSQL it is committed by then, elsewhere it is not.
        pytest.param(b"attempt = attempt + 1", b"", id="A4-of-a-claim-alone"),
        pytest.param(b"COMMIT", b"attempt = attempt + 1", id="A4-of-a-claim"),
        pytest.param(b"COMMIT", b"next_state", id="A10-of-a-settlement"),
    ],
)
def test_a_worker_that_misses_an_answer_starts_nothing_twice(server_ground, words, after):  # A4, A10, G7
    runs = server_ground.enqueue(beats=2, number=3)
    with between(server_ground) as (line, url):
        site = server_ground.site(url=url)
        trap = line.lose_one_answer(words, after=after)

        with site.started():
            wait_until(trap.sprung.is_set, what="the loss of the answer")
            server_ground.wait_for_success(*runs)

    assert Counter(line["run"] for line in events(site, "start")) == {run.id: 1 for run in runs}
    assert len(events(site, "end")) == 3
    assert [(server_ground.run(run).attempt, server_ground.run(run).lost_count) for run in runs] == [(1, 0)] * 3
    assert [server_ground.outcomes(run) for run in runs] == [[Outcome.SUCCEEDED]] * 3
