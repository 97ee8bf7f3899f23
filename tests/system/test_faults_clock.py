"""Processes whose wall clock is wrong, in front of a store whose clock is right: rows D1 and D4."""

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rota import Rota, every
from rota.core.model import Outcome
from rota.queries import RoundQuery
from rota.settings import Migrate, Settings
from rota.settings.values import StoreSettings
from tests.clocks import FakeClock
from tests.system.faults import SERVERS, WORK, Ground, events, no_overlap, now, on, worker_pid
from tests.system.processes import Site, wait_until

HOUR_S = 3600
AUTO = Settings(store=StoreSettings(migrate=Migrate.AUTO))

# On SQLite the process's clock is the store's: there is no second one to be right.
EACH_SECOND = (
    WORK
    + """

@app.job(schedule=every(1).seconds)
def tick(ctx: RunContext) -> None:
    note(event="tick", slot=ctx.slot.isoformat(), at=time.monotonic())
"""
)


@pytest.fixture(params=SERVERS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shim(tmp_path_factory) -> Path:
    """A library that shifts the wall clock of the process it is loaded into."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to build the shim for the wall clock with")
    made = tmp_path_factory.mktemp("shim") / "wall.so"
    source = Path(__file__).with_name("wall.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(made), str(source), "-ldl"], check=True)
    return made


def shifted(site: Site, shim: Path, seconds: int):
    return site.started(env={**site.environment(), "LD_PRELOAD": str(shim), "WALL_SHIFT_S": str(seconds)})


def wall_of(monotonic: float) -> float:
    """Return the right time at which the monotonic clock, which all processes share, showed this."""
    return time.time() - (time.monotonic() - monotonic)


def test_a_new_schedule_is_written_by_the_clock_of_the_store(tmp_path):  # D1, D4
    app = Rota(f"sqlite:///{tmp_path / 'rota.db'}", settings=AUTO, clock=FakeClock(now() + timedelta(days=365)))

    @app.job(schedule=every(1).seconds)
    def report() -> None: ...

    app.crew(inline=True)

    [schedule] = app.store.schedules()
    app.store.close()
    assert schedule.cursor <= now() + timedelta(seconds=5)


@pytest.mark.parametrize("shift", [HOUR_S, -HOUR_S, 365 * 24 * HOUR_S])
def test_a_worker_with_a_wrong_clock_loses_no_lease_and_fires_no_slot_twice(ground, shim, shift):  # D1, G4
    site = ground.site(jobs=EACH_SECOND)
    [run] = ground.enqueue(beats=40)

    with ExitStack() as held:
        held.enter_context(shifted(site, shim, shift))
        worker_pid(site, run)
        held.enter_context(ground.site("right", jobs=EACH_SECOND).started())
        ground.wait_for_success(run)
        wait_until(lambda: len(events(site, "tick")) >= 4, what="some slots")

    assert len(events(site, "start")) == 1
    assert ground.outcomes(run) == [Outcome.SUCCEEDED]
    no_overlap(site)
    assert set(Counter(line["slot"] for line in events(site, "tick")).values()) == {1}


def test_schedulers_five_minutes_apart_fire_each_slot_once_and_at_the_stores_time(ground, shim):  # D4, G4
    site = ground.site(jobs=EACH_SECOND)

    with shifted(site, shim, 300), shifted(ground.site("behind", jobs=EACH_SECOND), shim, -300):
        # Who fires a slot claims it before the other hears of it: one of them may do all the work.
        wait_until(lambda: len(ground.store.workers()) == 2, what="two processes")
        seen = len(events(site, "tick"))
        wait_until(lambda: len(events(site, "tick")) >= seen + 5, what="five more slots")

    lines = events(site, "tick")
    slots = [round_.slot for round_ in ground.store.rounds(RoundQuery(limit=1000))]
    assert len(slots) == len(set(slots))
    assert set(Counter(line["slot"] for line in lines).values()) == {1}
    late = [wall_of(line["at"]) - datetime.fromisoformat(line["slot"]).timestamp() for line in lines]
    # A tenth: how exactly a process may know the store's time.
    assert all(-0.1 < seconds < 10 for seconds in late), late
