"""Slots that are due while the last one still runs, and its process dies or is frozen: row E7."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from rota.core.model import Run, State
from rota.queries import RunQuery
from tests.system.faults import KINDS, Ground, events, on
from tests.system.processes import Site, children_of, frozen_at_work, is_alive, wait_until
from tests.system.scheduling import come_to_rest, planned

POLICIES = ("skip", "queue_one", "queue_all", "allow", "replace")
ONE_AT_A_TIME = ("skip", "queue_one", "queue_all", "replace")
SECOND = timedelta(seconds=1)

# Each body takes longer than the time from slot to slot, in turns and not by the clock: one that was frozen has still
# to do what it had to. The lock is that of the policy, so the kernel sees two runs of one schedule at once.
JOBS = """
from rota import Overlap


def body(ctx: RunContext, policy: str) -> None:
    with alone(policy):
        note(event="start", policy=policy, run=ctx.run_id, token=ctx.token, slot=ctx.slot.isoformat())
        for _ in range(24):
            if ctx.stop.wait(0.05):
                note(event="stopped", policy=policy, run=ctx.run_id, token=ctx.token)
                return
        note(event="end", policy=policy, run=ctx.run_id, token=ctx.token)


def declare(policy: Overlap) -> None:
    @app.job(name=policy.value, schedule=every(1).seconds, overlap=policy, retry=Retry(attempts=1))
    def job(ctx: RunContext) -> None:
        body(ctx, policy.value)


for policy in Overlap:
    declare(policy)
"""


@pytest.fixture(params=KINDS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


class Seen:
    """What ran of one policy's schedule, by the journal, and what became of its slots."""

    def __init__(self, ground: Ground, site: Site, policy: str) -> None:
        self.lines: list[dict[str, Any]] = site.journal(policy=policy)
        self.runs: list[Run] = sorted(
            (run for run in ground.store.runs(RunQuery(limit=10_000)) if run.job == policy), key=lambda run: run.due_at
        )

    def ran(self) -> set[str]:
        """Return the runs whose body came to its end."""
        return {line["run"] for line in self.lines if line["event"] == "end"}

    def in_state(self, *states: State) -> set[str]:
        return {run.id for run in self.runs if run.state in states}

    def order(self) -> list[datetime]:
        """Return the slots in the order in which their bodies began."""
        begun = dict.fromkeys(line["slot"] for line in self.lines if line["event"] == "start")
        return [datetime.fromisoformat(slot) for slot in begun]


def two_at_once(site: Site, policy: str, *, killed: int) -> bool:
    """Whether the kernel saw it, or a run of a schedule began between the start and the last line of another."""
    if events(site, "overlap", run=policy):
        return True
    current: str | None = None
    for line in site.journal(policy=policy):
        if policy == "replace" and line["pid"] == killed:
            # What was killed and is replaced is not run again: it has no last line.
            continue
        if line["event"] == "start":
            if current not in (None, line["run"]):
                return True
            current = line["run"]
        elif line["run"] == current:
            current = None
    return False


def test_every_overlap_policy_holds_while_processes_are_killed_and_frozen(ground):  # E7, R10, G5
    site = planned(ground, JOBS)

    with ExitStack() as held:
        processes = [held.enter_context(site.started("--concurrency", "12")) for _ in range(2)]
        wait_until(lambda: len(ground.store.workers()) == 2, what="two processes")
        wait_until(lambda: len({line["policy"] for line in events(site, "start")}) == 5, what="a start of each")
        killed = frozen_at_a_body(site, processes)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: began_again(site, killed), what="a second attempt of what was killed")
        frozen = frozen_at_a_body(site, processes)
        # Shorter than the lease: nobody else has its runs, and nothing may begin beside them.
        since = ground.store.now()
        wait_until(lambda: ground.store.now() > since + 1.5 * SECOND, what="a slot and a half")
        os.kill(frozen, signal.SIGCONT)
        wait_until(lambda: len(events(site, "end", policy="skip")) >= 2, what="the end of some runs")
        come_to_rest(ground, *POLICIES)
        assert is_alive(frozen)

    for policy in ONE_AT_A_TIME:
        assert not two_at_once(site, policy, killed=killed), policy
    assert two_at_once(site, "allow", killed=killed)
    every = {policy: Seen(ground, site, policy) for policy in POLICIES}
    for policy, seen in every.items():
        # Each slot has one run, and what is said of it is what happened.
        slots = [run.slot for run in seen.runs]
        assert len(slots) == len(set(slots))
        assert seen.ran() == seen.in_state(State.SUCCEEDED), policy
        assert seen.order() == sorted(seen.order()) or policy == "allow"
    for policy in ("queue_all", "allow"):
        assert every[policy].in_state(State.SUCCEEDED) == {run.id for run in every[policy].runs}
    for policy in ("skip", "queue_one"):
        assert every[policy].in_state(State.SUCCEEDED, State.SKIPPED) == {run.id for run in every[policy].runs}
        assert every[policy].in_state(State.SKIPPED)
    assert every["replace"].in_state(State.CANCELLED)
    assert not every["replace"].in_state(State.SKIPPED, State.FAILED)
    # What stands last is the newest slot.
    assert every["replace"].runs[-1].state is State.SUCCEEDED


def frozen_at_a_body(site: Site, processes: list[subprocess.Popen[str]]) -> int:
    """Freeze a worker of these processes that is at a body, and return it."""
    frozen: list[int] = []

    def is_frozen() -> bool:
        for child in [child for one in processes for child in children_of(one.pid)]:
            if not frozen and is_busy(site, child) and frozen_at_work(child, lambda: is_busy(site, child)):  # noqa: B023
                frozen.append(child)
        return bool(frozen)

    wait_until(is_frozen, what="a worker at work")
    return frozen[0]


def is_busy(site: Site, pid: int) -> bool:
    """Whether a body of a policy with one at a time is being executed by this process."""
    lines = [line for line in site.journal(pid=pid) if line.get("policy") in ("skip", "queue_one", "queue_all")]
    started = {line["run"] for line in lines if line["event"] == "start"}
    return bool(started - {line["run"] for line in lines if line["event"] == "end"})


def began_again(site: Site, killed: int) -> bool:
    starts = events(site, "start")
    cut_off = {line["run"] for line in starts if line["pid"] == killed}
    cut_off -= {line["run"] for line in site.journal(pid=killed) if line["event"] in ("end", "stopped")}
    again = {line["run"] for line in starts if line["pid"] != killed}
    return bool(cut_off & again)
