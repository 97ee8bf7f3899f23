"""What the jobs of a soak wrote down, and what must not be in it.

Each line names the process and all processes above it, so that a fault which hit one of them excuses what followed.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

JOBS = """
import asyncio
import struct
import threading
from datetime import timedelta

from rota import CatchUp, Overlap

LOCK = struct.Struct("hhqqi4x")
above = {{}}


def chain():
    # What is above this process, up to the first one; it changes only when somebody of it dies.
    pid, found = os.getpid(), []
    while pid > 1:
        found.append(pid)
        with open(f"/proc/{{pid}}/stat") as stat:
            pid = int(stat.read().rpartition(")")[2].split()[1])
    return found


@contextmanager
def witnessed(ctx, **fields):
    # One byte of one file for each run: the kernel tells whether anybody else executes it at this moment.
    place = int(ctx.run_id[-15:], 16)
    with open({journal!r} + "-locks", "r+b") as locks:
        try:
            fcntl.fcntl(locks, fcntl.F_OFD_SETLK, LOCK.pack(fcntl.F_WRLCK, 0, place, 1, 0))
        except OSError:
            note(event="overlap", run=ctx.run_id, at=time.monotonic(), chain=chain())
        note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic(), chain=chain(), **fields)
        yield
        note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())


@app.job(retry=Retry(attempts=1))
def in_thread(ctx: RunContext, seconds: float) -> None:
    with witnessed(ctx, executor="thread"):
        ctx.sleep(seconds)


@app.job(retry=Retry(attempts=1), executor="process")
def in_child(ctx: RunContext, seconds: float) -> None:
    with witnessed(ctx, executor="process"):
        ctx.sleep(seconds)


@app.job(retry=Retry(attempts=1))
async def in_loop(ctx: RunContext, seconds: float) -> None:
    with witnessed(ctx, executor="asyncio"):
        await ctx.asleep(seconds)


@app.job(schedule=every(2).seconds, per_tenant=True, retry=Retry(attempts=1), catch_up=CatchUp.all(),
         overlap=Overlap.ALLOW)
def tick(ctx: RunContext) -> None:
    with witnessed(ctx, executor="thread", slot=ctx.slot.timestamp(), tenant=ctx.tenant.id):
        ctx.sleep(0.01)
"""
SLOTS_EVERY_S = 2
TENANTS = 3


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was done, from when to when by the monotonic clock, and to whom."""

    what: str
    began_at: float
    ended_at: float
    pids: frozenset[int] | None
    """The processes that were hit, with all below them; None: everybody, since the store was."""
    is_freeze: bool = False


class Verdict(msgspec.Struct, kw_only=True):
    """What the journal says."""

    runs: int = 0
    starts: int = 0
    repeated: int = 0
    overlaps: int = 0
    excused_overlaps: int = 0
    slots: int = 0
    problems: list[str] = []


def judge(journal: Path, *, acknowledged: Iterable[str], faults: Sequence[Fault]) -> Verdict:
    """Return what went right and wrong, by the lines of the jobs alone."""
    verdict = Verdict()
    starts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    ended: set[str] = set()
    overlaps = []
    with journal.open() as lines:
        for line in map(json.loads, lines):
            match line["event"]:
                case "start":
                    starts[line["run"]].append(line)
                case "end":
                    ended.add(line["run"])
                case "overlap":
                    overlaps.append(line)
    verdict.runs, verdict.starts = len(starts), sum(map(len, starts.values()))
    lost = [run for run in acknowledged if run not in ended]
    if lost:
        verdict.problems.append(f"{len(lost)} runs that were asked for never ended: {lost[:3]}")
    if unfinished := set(starts) - ended - set(lost):
        verdict.problems.append(f"{len(unfinished)} runs began and never ended: {sorted(unfinished)[:3]}")
    _judge_repeats(verdict, starts, faults)
    for line in overlaps:
        earlier = [start for start in starts[line["run"]] if start["at"] < line["at"]]
        if any(_is_frozen(start, line["at"], faults) for start in earlier):
            verdict.excused_overlaps += 1
        else:
            verdict.problems.append(f"run {line['run']} was executed twice at once")
        verdict.overlaps += 1
    _judge_slots(verdict, starts)
    return verdict


def _judge_repeats(verdict: Verdict, starts: Mapping[str, Sequence[dict[str, Any]]], faults: Sequence[Fault]) -> None:
    for run, lines in starts.items():
        for first, second in pairwise(lines):
            verdict.repeated += 1
            if not any(_excuses(fault, first, second) for fault in faults):
                verdict.problems.append(f"run {run} ({first['executor']}) began again, and nothing had happened to it")


def _excuses(fault: Fault, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    # A run that ended just before the fault may not have been recorded.
    if fault.began_at > second["at"] or fault.ended_at < first["at"]:
        return False
    return fault.pids is None or not fault.pids.isdisjoint(first["chain"])


def _is_frozen(start: Mapping[str, Any], at: float, faults: Sequence[Fault]) -> bool:
    return any(
        fault.is_freeze
        and fault.pids is not None
        and not fault.pids.isdisjoint(start["chain"])
        # On waking it has a moment to see what has become of it.
        and fault.began_at <= at <= fault.ended_at + 2.0
        for fault in faults
    )


def _judge_slots(verdict: Verdict, starts: Mapping[str, Sequence[dict[str, Any]]]) -> None:
    runs: dict[tuple[float, str], set[str]] = defaultdict(set)
    for run, lines in starts.items():
        if "slot" in lines[0]:
            runs[lines[0]["slot"], lines[0]["tenant"]].add(run)
    verdict.slots = len(runs)
    doubled = [key for key, ids in runs.items() if len(ids) > 1]
    if doubled:
        verdict.problems.append(f"{len(doubled)} slots ran as more than one run: {doubled[:3]}")
    slots = {slot for slot, _ in runs}
    if slots:
        expected = (int(max(slots) - min(slots)) // SLOTS_EVERY_S + 1) * TENANTS
        if len(runs) != expected:
            verdict.problems.append(f"{expected - len(runs)} slots of {expected} did not run")
