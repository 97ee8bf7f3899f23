"""Chains and batches whose workers are killed: every step is done, in its turn, and what follows a batch runs once."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from rota import Rota
from rota.core.model import Run, State
from rota.core.part import Role
from rota.flow_handle import FlowHandle
from rota.stores.sql.store import SqlStore
from tests.system.crashing import VARIABLE
from tests.system.faults import Ground, events, on
from tests.system.processes import Site, children_of, frozen_at_work, kill_tree, wait_until

JOBS = """
from rota import BatchSummary
from tests.system.crashing import arm

arm(app)
# Long enough for a worker to be met at one, also on a fast machine.
STEP_S = 0.1
ONCE = Retry(attempts=1)


def work(ctx: RunContext) -> None:
    with alone(ctx.run_id):
        note(event="start", run=ctx.run_id)
        time.sleep(STEP_S)
        note(event="done", run=ctx.run_id)


@app.job(retry=ONCE)
def first(number: int, ctx: RunContext) -> int:
    work(ctx)
    return number


@app.job(retry=ONCE)
def add(before: int, plus: int, ctx: RunContext) -> int:
    work(ctx)
    return before + plus


@app.job(retry=ONCE)
def fails(ctx: RunContext) -> None:
    work(ctx)
    raise ValueError("no good")


@app.job(retry=ONCE)
def after(summary: BatchSummary, ctx: RunContext) -> int:
    work(ctx)
    return summary.succeeded


def a_chain(number: int):
    return app.chain(first.step(number), add.step(plus=1), add.step(plus=10)).enqueue().id


def a_batch(size: int):
    members = [first.step(number) for number in range(size)]
    return app.batch(members, on_success=after.step(), on_complete=after.step()).enqueue().id


def a_bad_chain(number: int):
    left_out = first.step(number).without_result()
    return app.chain(fails.step(), left_out, left_out).enqueue().id


def a_bad_batch(size: int):
    members = [fails.step(), *(first.step(number) for number in range(size - 1))]
    return app.batch(members, on_success=after.step(), on_complete=after.step()).enqueue().id
"""

OK, FAILED, CANCELLED = State.SUCCEEDED, State.FAILED, State.CANCELLED


@pytest.fixture(params=["sqlite", "postgres", "redis"])
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


def enqueue(site: Site, calls: str) -> list[str]:
    """Return the ids of the flows that these calls enqueue in a process of their own."""
    code = f"import app; from app import *; [print(id) for id in [{calls}]]"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=site.folder, env=site.environment(), check=True, timeout=60,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout.split()


def flows(ground: Ground, ids: list[str]) -> list[FlowHandle]:
    app = Rota(ground.store)
    return [app.flow(flow) for flow in ids]


def wait_for_the_end(handles: list[FlowHandle]) -> None:
    wait_until(lambda: all(handle.is_over for handle in handles), what="the end of all flows")


def in_turn(site: Site, handle: FlowHandle) -> list[State]:
    """Return where the runs of a flow stand, once it is sure that each was done in its turn, and no more often than
    workers died with it in their hands."""
    runs = handle.runs()
    for run in runs:
        starts, ends = events(site, "start", run=run.id), events(site, "done", run=run.id)
        if run.state is CANCELLED:
            assert starts == []
        else:
            assert 1 <= len(ends) <= len(starts) <= 1 + run.lost_count
    lines = [line["run"] for line in site.journal()]
    for before, later in order(runs):
        if before.id in lines and later.id in lines:
            assert len(lines) - lines[::-1].index(before.id) <= lines.index(later.id), "it began before its turn"
    assert events(site, "overlap") == []
    return [run.state for run in runs]


def order(runs: list[Run]) -> Iterator[tuple[Run, Run]]:
    """Yield which run of a flow has to be over before which other begins."""
    for run in runs:
        for other in runs:
            assert run.part is not None
            assert other.part is not None
            is_before = other.part.after == run.id
            if is_before or (run.part.role is Role.MEMBER and other.part.role is not Role.MEMBER):
                yield run, other


GOOD = ["settle:before:1", "settle:inside:1", "settle:after:2", "admit:before:1", "admit:after:1"]
BAD = ["settle:after:1", "cancel:inside:1", "cancel:after:1"]


def skip_inside(ground: Ground, point: str) -> None:
    if "inside" in point and not isinstance(ground.store, SqlStore):
        pytest.skip("a script has no inside that a client could die in")


@pytest.mark.parametrize("point", GOOD)
def test_a_worker_that_dies_while_a_flow_moves_on_loses_no_step_and_doubles_no_callback(ground, point):  # R32, G1-G3
    skip_inside(ground, point)
    site = ground.site(jobs=JOBS)
    chain, batch = flows(ground, enqueue(site, "a_chain(1), a_batch(3)"))

    with site.started(env={**site.environment(), VARIABLE: point}):
        wait_until(lambda: (site.folder / "crashed").exists(), what=f"the death at {point}")
        wait_for_the_end([chain, batch])

    assert in_turn(site, chain) == [OK] * 3
    assert in_turn(site, batch) == [OK] * 5
    assert chain.result() == 12
    assert [run.result for run in batch.runs()[3:]] == ["3", "3"]


@pytest.mark.parametrize("point", BAD)
def test_a_worker_that_dies_while_a_flow_is_given_up_leaves_nothing_waiting(ground, point):  # R32, G1
    skip_inside(ground, point)
    site = ground.site(jobs=JOBS)
    chain, batch = flows(ground, enqueue(site, "a_bad_chain(1), a_bad_batch(3)"))

    with site.started(env={**site.environment(), VARIABLE: point}):
        wait_until(lambda: (site.folder / "crashed").exists(), what=f"the death at {point}")
        wait_for_the_end([chain, batch])

    assert in_turn(site, chain) == [FAILED, CANCELLED, CANCELLED]
    assert in_turn(site, batch) == [FAILED, OK, OK, CANCELLED, OK]
    assert batch.runs()[-1].result == "2"


KILLS = 2
"""What loses its worker a third time fails: it is taken for what kills them."""


def test_flows_whose_workers_are_killed_again_and_again_end_whole(ground):  # R30, R32, G1, G2
    site = ground.site(jobs=JOBS)
    ids = enqueue(
        site, "*(a_chain(n) for n in range(25)), *(a_batch(8) for _ in range(5)), *(a_bad_batch(4) for _ in 'ab')"
    )
    handles = flows(ground, ids)
    chosen = random.Random(32)

    def over() -> bool:
        # A fast machine is through before the last kill.
        return all(run.state.is_final for run in ground.everything())

    with ExitStack() as stack:
        two = [stack.enter_context(site.started("--processes", "1")) for _ in range(2)]
        for kill in range(KILLS):
            seen = len(events(site, "done"))
            wait_until(lambda seen=seen: len(events(site, "done")) > seen + 5 or over(), what="steps are done")
            which = chosen.randrange(2)
            if not frozen_in_a_step(site, two[which], over):
                break
            if kill % 2:
                kill_tree(two[which])
                two[which] = stack.enter_context(site.started("--processes", "1"))
            else:
                for child in children_of(two[which].pid):
                    os.kill(child, signal.SIGKILL)
        wait_for_the_end(handles)

    for number, handle in enumerate(handles[:25]):
        assert (in_turn(site, handle), handle.result()) == ([OK] * 3, number + 11)
    assert [in_turn(site, handle) for handle in handles[25:30]] == [[OK] * 10] * 5
    assert [in_turn(site, handle) for handle in handles[30:]] == [[FAILED, OK, OK, OK, CANCELLED, OK]] * 2
    assert sum(run.lost_count for run in ground.everything()) > 0, "no kill hit a run: the test proves nothing"


def frozen_in_a_step(site: Site, process: subprocess.Popen[str], over: Callable[[], bool]) -> bool:
    """Freeze a worker of this process while it is at a step, and return whether there was still one to be at."""

    def in_hand(pid: int) -> set[str]:
        begun, ended = ({line["run"] for line in events(site, event, pid=pid)} for event in ("start", "done"))
        return begun - ended

    frozen = []

    def is_frozen() -> bool:
        frozen.extend(pid for pid in children_of(process.pid) if frozen_at_work(pid, lambda: in_hand(pid)))  # noqa: B023
        return bool(frozen)

    wait_until(lambda: is_frozen() or over(), what="a step")
    return bool(frozen)
