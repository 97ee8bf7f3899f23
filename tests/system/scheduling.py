"""Applications with schedules: short ticks, a schedule that woke up late, and an operator who changes it meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota import Rota
from rota.core.model import OPEN, Run, Schedule, ScheduleState
from rota.queries import RunQuery
from tests.system.faults import SETTINGS, USUAL, Ground
from tests.system.processes import Site, end, wait_until

SCHEDULER = """
[scheduler]
tick = "200ms"
rows = "{rows}"
"""
EARLIER = timedelta(minutes=20)
"""How long ago the newest slot of an hourly job was: neither on time any more, nor soon due again."""


def planned(ground: Ground, jobs: str, *, name: str = "site", rows: str = "1s", **settings: str) -> Site:
    """Return an application whose scheduler looks often."""
    return Site(
        ground.folder / name,
        url=ground.url,
        jobs=jobs,
        settings=SETTINGS.format(**USUAL | settings) + SCHEDULER.format(rows=rows),
        journal_file=ground.journal_file,
    )


def hourly_minute(ground: Ground) -> str:
    """Return the minute of an hourly schedule whose newest slot was `EARLIER`."""
    return f":{(ground.store.now() - EARLIER).minute:02}"


def fall_asleep(ground: Ground, site: Site, *names: str, since: datetime) -> None:
    """Have the schedules of the code stored by a process that ends, and say that nothing was decided since then."""
    with site.started("--only", "scheduler") as process:
        wait_until(lambda: all(ground.store.schedule(name) for name in names), what="the rows of the schedules")
        assert end(process) == 0, site.logs()
    for name in names:
        known = stored(ground, name)
        asleep = replace(known, cursor=since, next_at=since, version=known.version + 1)
        assert ground.store.put_schedule(asleep, expected_version=known.version)


def stored(ground: Ground, name: str) -> Schedule:
    known = ground.store.schedule(name)
    assert known is not None
    return known


def is_awake(ground: Ground, *names: str) -> bool:
    """Whether all that was missed of these schedules is decided on."""
    now = ground.store.now()
    return all((schedule := stored(ground, name)).next_at and schedule.next_at > now for name in names)


def open_runs(ground: Ground) -> list[Run]:
    return ground.store.runs(RunQuery(kind=None, states=tuple(OPEN), limit=10_000))


def come_to_rest(ground: Ground, *names: str) -> None:
    """Stop these schedules, and wait until nothing is left to do."""
    for name in names:
        while True:
            known = stored(ground, name)
            paused = replace(known, state=ScheduleState.PAUSED, reason="enough", version=known.version + 1)
            if ground.store.put_schedule(paused, expected_version=known.version):
                break
    wait_until(lambda: not open_runs(ground), what="the end of all runs")


@contextmanager
def operator(ground: Ground, *jobs: str) -> Iterator[Rota]:
    """Yield an application of this process that knows these jobs by name, each with an argument `said`."""
    app = Rota(ground.url, tenants=["acme", "globex", "initech"])
    for name in jobs:
        app.job(name=name)(_takes)
    try:
        yield app
    finally:
        app.close()


def _takes(said: int = 0) -> None: ...
