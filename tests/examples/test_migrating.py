"""The pages on moving to Rota: both sides of each are run, the one before with the real library, and say the same."""

import datetime as datetimes
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import ModuleType
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from rota import Rota
from rota.core.agenda import agenda
from rota.core.words import parse
from rota.operations.importing import System, findings_in, planned
from tests.house.source import ROOT

FOLDER = ROOT / "docs/migrate"
SINCE = datetime(2026, 6, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=14)
BLOCK = re.compile(r"^## (Before|After)$.*?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

Times = Mapping[str, list[datetime]]
"""When each job runs, from SINCE on and before UNTIL."""


def sides(page: str) -> dict[str, str]:
    """Return what stands on a page before and after."""
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    return {side: block for side, _, block in BLOCK.findall(text)}


def module_of(text: str, name: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def within(times: Iterator[datetime]) -> list[datetime]:
    found = []
    for at in times:
        if at >= UNTIL:
            break
        if at >= SINCE:
            found.append(at.astimezone(UTC))
    return found


def slots(timing: str, zone: str = "UTC") -> list[datetime]:
    return list(
        agenda(parse(timing, tz=zone), ()).slots(after=SINCE - timedelta(seconds=1), until=UNTIL - timedelta(seconds=1))
    )


# --- before, by the libraries themselves ---


def of_crontab(text: str) -> Times:
    zone = "UTC"
    times = {}
    for line in text.splitlines():
        if line.startswith("CRON_TZ="):
            zone = line.partition("=")[2]
        elif line[0] in "*0123456789":
            *fields, command = line.split(None, 5)
            name = re.findall(r"/([\w-]+)\.py", command)[0].replace("-", "_")
            start = (SINCE - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
            times[name] = within(CronSim(" ".join(fields), start))
    return times


def of_schedule(text: str) -> Times:
    import schedule  # each of these libraries is loaded by its own case alone

    clock = [SINCE]

    class Clock(datetimes.datetime):
        @classmethod
        def now(cls, tz=None):
            return clock[0].astimezone(tz) if tz else clock[0].replace(tzinfo=None)

    with pytest.MonkeyPatch.context() as patch:
        # It reads the time of the machine, in the zone of the machine.
        patch.setenv("TZ", "UTC")
        time.tzset()
        patch.setattr("schedule.datetime.datetime", Clock)
        module_of(text, "worker")
        times = {}
        for job in schedule.jobs:
            # The first of a period is one period after the start.
            times[job.job_func.__name__] = [SINCE] if job.start_day is None and job.at_time is None else []
            clock[0] = SINCE
            while (at := job.next_run.replace(tzinfo=UTC)) < UNTIL:
                clock[0] = at
                times[job.job_func.__name__].append(at)
                job.run()
        schedule.clear()
    time.tzset()
    return times


def of_apscheduler(text: str) -> Times:
    def fires(trigger) -> Iterator[datetime]:
        before, now = None, SINCE
        while (at := trigger.get_next_fire_time(before, now)) is not None:
            yield at
            before, now = at, at

    jobs = module_of(text, "worker").scheduler.get_jobs()
    return {job.id: within(fires(job.trigger)) for job in jobs}


def of_huey(text: str) -> Times:
    tasks = module_of(text, "tasks").huey._registry.periodic_tasks
    minutes = [SINCE + timedelta(minutes=number) for number in range(14 * 24 * 60)]
    # It asks each minute, by a naive time in UTC.
    return {task.name: [at for at in minutes if task.validate_datetime(at.replace(tzinfo=None))] for task in tasks}


def of_celery_beat(text: str) -> Times:
    app = module_of(text, "tasks").app

    def fires(schedule) -> Iterator[datetime]:
        last = SINCE - timedelta(seconds=1)
        while True:
            schedule.nowfun = lambda: last.astimezone(app.timezone)  # noqa: B023  # used at once
            last += schedule.remaining_estimate(last.astimezone(app.timezone))
            yield last

    found = {}
    for name, entry in app.conf.beat_schedule.items():
        entry["schedule"].app = app
        found[name] = within(fires(entry["schedule"]))
    return found


ROWS = """
import json, sys
from datetime import datetime, timedelta
from django.conf import settings
settings.configure(INSTALLED_APPS=["django_celery_beat"], USE_TZ=True)
import django
django.setup()
from django.core import serializers
rows = [one.object for one in serializers.deserialize("json", sys.stdin.read())]
crontabs = {one.pk: one for one in rows if type(one).__name__ == "CrontabSchedule"}
since, until = map(datetime.fromisoformat, sys.argv[1:])
found = {}
for task in rows:
    if type(task).__name__ == "PeriodicTask":
        schedule = crontabs[task.crontab_id].schedule
        last, times = since - timedelta(seconds=1), []
        while True:
            schedule.nowfun = lambda: last.astimezone(schedule.tz)
            last += schedule.remaining_estimate(last.astimezone(schedule.tz))
            if last >= until:
                break
            times.append(last.isoformat())
        found[task.name] = times
print(json.dumps(found))
"""


def of_rows(text: str) -> Times:
    # In a process of its own: another test's Django has other apps.
    done = subprocess.run(
        [sys.executable, "-c", ROWS, SINCE.isoformat(), UNTIL.isoformat()],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {
        name: [datetime.fromisoformat(at).astimezone(UTC) for at in times]
        for name, times in json.loads(done.stdout).items()
    }


def of_crontabber(text: str) -> Times:
    """There is no library to ask: as its documentation has it, by frequency and time."""
    found = {}
    for entry in module_of(text, "jobs").JOBS:
        hour, minute = map(int, entry.get("time", "00:00").split(":"))
        step = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}[entry["frequency"]]
        first = SINCE.replace(hour=hour, minute=minute)
        found[entry["cmd"]] = within(first + number * step for number in range(10_000))
    return found


BEFORE: Mapping[str, tuple[System, Callable[[str], Times], str]] = {
    "crontab": (System.CRONTAB, of_crontab, "UTC"),
    "schedule": (System.SCHEDULE, of_schedule, "UTC"),
    "apscheduler": (System.APSCHEDULER, of_apscheduler, "Europe/Paris"),
    "huey": (System.HUEY, of_huey, "UTC"),
    "celery-beat": (System.CELERY_BEAT, of_celery_beat, "UTC"),
    "django-celery-beat": (System.CELERY_BEAT, of_rows, "UTC"),
    "crontabber": (System.CRONTABBER, of_crontabber, "UTC"),
}


@pytest.fixture
def after(request, tmp_path, monkeypatch) -> Iterator[ModuleType]:
    monkeypatch.chdir(tmp_path)
    module = module_of(sides(request.param)["After"], "jobs")
    yield module
    module.rota.close()


def by_code(app: Rota) -> Times:
    return {name: slots(str(function.timing)) for name, function in app.jobs.items() if function.timing is not None}


def test_each_page_is_one_of_a_system():
    assert {path.stem for path in FOLDER.glob("*.md")} - {"README"} == BEFORE.keys()


@pytest.mark.parametrize(("page", "after"), [(page, page) for page in BEFORE], indirect=["after"], ids=list(BEFORE))
def test_both_sides_run_at_the_same_times(page, after):
    _, times_of, _ = BEFORE[page]

    assert by_code(after.rota) == times_of(sides(page)["Before"])


@pytest.mark.parametrize(("page", "after"), [(page, page) for page in BEFORE], indirect=["after"], ids=list(BEFORE))
def test_what_is_imported_is_what_the_page_has_after(page, after):
    system, _, zone = BEFORE[page]
    findings = findings_in(sides(page)["Before"], system, zone=zone, is_system=False)
    lines = planned(after.rota, findings, jobs={}, prefix="", replaces=True, zone=zone)

    assert [line.reason for line in lines] == [None] * len(lines)
    assert {line.job: slots(line.timing) for line in lines} == by_code(after.rota)


@pytest.mark.parametrize(
    ("page", "after", "call"),
    [("huey", "huey", "welcome"), ("celery-beat", "celery-beat", "order")],
    indirect=["after"],
)
def test_both_sides_of_a_queue_have_the_same_result(page, after, call):
    before = module_of(sides(page)["Before"], "tasks")
    after.rota.start_background()

    assert getattr(after, call)() == getattr(before, call)()
