"""Runs of many tenants that alternate in every executor, fail, hang and are cancelled, each of which looks whose world
it is in (R21, R37, G11, T20).

An application that child processes import, and what drives it: a test with thousands of switches, and the whole with
`python -m bench.switches`.
"""

import asyncio
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import text

from rota import JobContext, Retry, Rota, RunContext, Tenant
from rota.clock import SystemClock, sleep
from rota.core.model import OPEN, Outcome, Run, State
from rota.errors import NoJobContext
from rota.queries import RunQuery
from rota.settings import Settings, TenantSettings, WorkerSettings

TENANTS: list[Tenant] = []
"""Those of the scenario that runs now."""

SETTINGS = Settings(
    worker=WorkerSettings(
        concurrency=6,
        coroutines=20,
        heartbeat=timedelta(milliseconds=500),
        lease=timedelta(seconds=15),
        margin=timedelta(seconds=5),
        grace=timedelta(milliseconds=50),
    ),
    # Fewer than there are tenants in use.
    tenants=TenantSettings(max_open_engines=3),
)
app = Rota("memory://", tenants=lambda: TENANTS, settings=SETTINGS)

who: ContextVar[str] = ContextVar("who", default="nobody")
left_behind: ContextVar[str] = ContextVar("left_behind", default="nothing")

OFTEN = {"thread": 60, "loop": 35, "child": 3, "bare": 2}
"""Shares of the runs: a child process costs a hundred times as much as a thread."""
HOW = {"well": 900, "raise": 40, "exit": 30, "cancel": 20, "hang": 5}
TWICE = Retry(attempts=2, base=timedelta(0))
SHORT = timedelta(milliseconds=400)


@contextmanager
def being(name: str) -> Iterator[None]:
    token = who.set(name)
    try:
        yield
    finally:
        who.reset(token)


app.carry("who", get=lambda: None if who.get() == "nobody" else who.get(), enter=being)
app.carry_job_context()


class Failed(Exception):
    """A job's own failure."""


def look(ctx: RunContext, tenant: str, journal: str) -> None:
    """Write down every world that is not that of this tenant."""
    with ctx.tenant.begin() as connection:
        stored = connection.execute(text("SELECT name FROM whoami")).scalar_one()
        # It shows if the session reaches somebody else.
        connection.execute(text("CREATE TEMPORARY TABLE whoami AS SELECT 'spoiled' AS name"))
    seen = {
        "database": stored,
        "tenant": ctx.tenant.id,
        "context": JobContext.current().tenant,
        "carried": ctx.carried["who"],
        "entered": who.get(),
    }
    _note(journal, [f"{tenant} saw {name} {value}" for name, value in seen.items() if value != tenant])
    _leave_something(journal, tenant)


def _leave_something(journal: str, tenant: str) -> None:
    if left_behind.get() != "nothing":
        _note(journal, [f"{tenant} found what {left_behind.get()} left"])
    left_behind.set(tenant)
    who.set(f"spoiled by {tenant}")


def _note(journal: str, lines: Sequence[str]) -> None:
    if lines:
        with open(journal, "a") as file:
            file.writelines(f"{line}\n" for line in lines)


def end(ctx: RunContext, how: str) -> None:
    """End as this run is to end."""
    match how:
        case "raise":
            raise Failed(ctx.run_id)
        case "exit":
            raise SystemExit(3)
        case "cancel" | "hang":
            ctx.sleep(5 if how == "hang" else 0.02)


@app.job(per_tenant=True, retry=TWICE, timeout=SHORT)
def thread(ctx: RunContext, tenant: str, how: str, journal: str) -> None:
    look(ctx, tenant, journal)
    end(ctx, how)


@app.job(per_tenant=True, retry=TWICE, timeout=SHORT)
async def loop(ctx: RunContext, tenant: str, how: str, journal: str) -> None:
    await asyncio.sleep(0)
    look(ctx, tenant, journal)
    await asyncio.sleep(0)
    if how == "hang":
        await asyncio.sleep(5)
    end(ctx, how)


@app.job(per_tenant=True, retry=TWICE, timeout=timedelta(seconds=2), executor="process")
def child(ctx: RunContext, tenant: str, how: str, journal: str) -> None:
    look(ctx, tenant, journal)
    if how == "exit":
        os._exit(3)
    end(ctx, how)


@app.job(retry=TWICE)
def bare(how: str, journal: str) -> None:
    """Run for nobody, carrying nothing."""
    with_context = True
    try:
        JobContext.current()
    except NoJobContext:
        with_context = False
    if with_context or who.get() != "nobody":
        _note(journal, [f"nobody saw {who.get()}, with a context: {with_context}"])
    _leave_something(journal, "nobody")


class Sum(Struct, frozen=True, kw_only=True):
    """What became of the switches."""

    switches: int
    """Attempts that were begun."""
    states: Counter[State]
    outcomes: Counter[Outcome | None]
    by_job: Counter[str]
    foreign: list[str]
    """Every foreign name that was read, and everything that was found of another run."""
    seconds: float


def switch(
    directory: Path, runs: int, *, seed: int = 1, tenants: int = 7, timeout: float = 100, wave: int = 1000
) -> Sum:
    """Have so many runs alternate, and return what they saw. A `wave` is enqueued together, and waited for."""
    choice, journal = random.Random(seed), directory / "journal"
    journal.touch()
    TENANTS[:] = [_a_tenant(directory, f"agency_{number}") for number in range(tenants)]
    began = SystemClock().monotonic()
    told: list[Run] = []
    app.start_background()
    try:
        for start in range(0, runs, wave):
            _enqueue(choice, min(wave, runs - start), str(journal))
            _wait_until_over(choice, until=began + timeout)
            told += _taken_away(limit=2 * wave)
    finally:
        app.stop()
    return _sum(told, journal.read_text().splitlines(), SystemClock().monotonic() - began)


def _a_tenant(directory: Path, name: str) -> Tenant:
    path = directory / f"{name}.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE whoami AS SELECT ? AS name", [name])
    connection.close()
    return Tenant(id=name, url=f"sqlite:///{path}")


def _enqueue(choice: random.Random, runs: int, journal: str) -> None:
    calls: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for _ in range(runs):
        [job] = choice.choices(list(OFTEN), weights=list(OFTEN.values()))
        [how] = choice.choices(list(HOW), weights=list(HOW.values()))
        tenant = choice.choice(TENANTS).id
        if job == "bare":
            calls.setdefault((job, ""), []).append((how, journal))
        else:
            calls.setdefault((job, tenant), []).append((tenant, how, journal))
    for (job, tenant), arguments in calls.items():
        if job == "bare":
            app.jobs[job].enqueue_many(arguments)
            continue
        with being(tenant), JobContext(tenant=tenant).entered():
            app.jobs[job].using(tenant=tenant).enqueue_many(arguments)


def _cancel_some(choice: random.Random) -> None:
    found = app.store.runs(RunQuery(states=(State.QUEUED, State.RUNNING), limit=200))
    # Not the last of a wave: those are the ones that hang, and are to run out of time.
    if len(found) > 50:
        app.cancel([run.id for run in choice.sample(found, k=min(len(found), 3))])


def _wait_until_over(choice: random.Random, *, until: float) -> None:
    while app.store.runs(RunQuery(states=tuple(OPEN), limit=1)):
        assert SystemClock().monotonic() < until, "they do not come to an end"
        _cancel_some(choice)
        sleep(timedelta(milliseconds=100))


def _sum(runs: list[Run], foreign: list[str], seconds: float) -> Sum:
    return Sum(
        switches=sum(run.attempt + run.lost_count for run in runs),
        states=Counter(run.state for run in runs),
        outcomes=Counter(run.outcome for run in runs),
        by_job=Counter(run.job for run in runs),
        foreign=foreign,
        seconds=seconds,
    )


def _taken_away(*, limit: int) -> list[Run]:
    """Return the runs, all over, and delete them: a memory store reads over all that it has."""
    found = app.store.runs(RunQuery(limit=limit))
    after = app.clock.now() + timedelta(days=1)
    app.store.prune(
        succeeded_before=after, failed_before=after, slots_before=after, logs_before=after, limit=limit
    )  # fmt: skip
    return [replace(run, args="", result=None, error=None) for run in found]
