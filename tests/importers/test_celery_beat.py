"""Celery's periodic tasks, in Python and as rows of django-celery-beat."""

import json

import pytest

from rota.importers import celery_beat
from rota.importers.celery_beat import NO_ZONE, NOT_UTC
from rota.importers.celery_rows import DISABLED, HOUSEKEEPING
from rota.importers.celery_times import EACH_MINUTE
from rota.importers.found import OVERLAPS, PERIOD, RAN_LATE


def entry(schedule, more="", *, head="", **options):
    text = f"""
from celery.schedules import crontab, schedule, solar
from datetime import timedelta
import datetime as dt
{head}
app.conf.beat_schedule = {{
    "one": {{"task": "shop.tasks.sync", "schedule": {schedule}, {more}}},
}}
"""
    [found] = celery_beat.read(text, **options)
    return found


@pytest.mark.parametrize(
    ("schedule", "timing"),
    [
        ("30.0", "every 30 seconds"),
        ("60 * 5", "every 5 minutes"),
        ("timedelta(minutes=90)", "every 90 minutes"),
        ("dt.timedelta(1)", "every 24 hours"),
        ("schedule(run_every=timedelta(hours=1))", "every hour"),
        ("schedule(10)", "every 10 seconds"),
        ("crontab()", "* * * * * UTC"),
        ("crontab(minute=0, hour='*/3')", "0 */3 * * * UTC"),
        ("crontab('0', '7', 'mon,wed')", "0 7 * * 1,3 UTC"),
        ("crontab(minute=0, hour=[8, 18], day_of_week=0)", "0 8,18 * * 0 UTC"),
        ("crontab(minute=0, hour=0, day_of_month='2-30/2', month_of_year={1, 7})",
         "0 0 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30 1,7 * UTC"),
        ("crontab(minute=30, hour=1, day_of_week='fri', day_of_month='1-7')", "30 1 * * 5#1 UTC"),
    ],
)  # fmt: skip
def test_a_schedule_is_read_with_its_meaning(schedule, timing):  # R2, R4
    found = entry(schedule)

    assert (found.name, found.job, found.timing, found.problem) == ("one", "sync", timing, None)


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("solar('sunset', -37.8, 144.9)", "no sunrise"),
        ("crontab(minute=MINUTE)", "minute is not written out (line 7): MINUTE"),
        ("crontab(minute=f'*/{n}')", "minute is not written out"),
        ("crontab(**options)", "crontab is not written out"),
        ("crontab(minute=0, nowfun=now)", "nowfun is not written out"),
        ("crontab(minute=0, nowfun=1)", "nowfun, which has no equal"),
        ("crontab(minute=0, hour=0, day_of_month='1,15', day_of_week=1)", "must both match there"),
        ("crontab(minute=61)", "Celery has no '61'"),
        ("crontab(minute=None)", "Celery has no 'None'"),
        ("crontab(minute=0, hour=0, day_of_month=31, month_of_year=2)", "never matches"),
        ("0.5", "periods here are whole seconds"),
        ("PERIOD", "schedule is not written out"),
        ("timedelta(seconds=get())", "schedule is not written out"),
        ("timedelta(days=10**400)", "not written out"),
        ("timedelta(days=99999)", "99999 days is too long"),
        ("1 / 0", "not written out"),
        ("True", "not written out"),
        ("my_schedule(3)", "not written out"),
    ],
)
def test_what_would_have_to_be_run_is_a_problem_and_no_guess(schedule, problem):  # R64
    found = entry(schedule)

    assert problem in found.problem
    assert found.timing == ""


@pytest.mark.parametrize(
    ("schedule", "difference"),
    [
        ("30", PERIOD),
        ("crontab(minute=0)", RAN_LATE),
        ("crontab(minute=0)", OVERLAPS),
        ("crontab(minute=0)", NO_ZONE),
        ("crontab(hour=7)", EACH_MINUTE),
    ],
)
def test_what_differs_is_said(schedule, difference):
    assert difference in entry(schedule).differences


def test_arguments_options_and_the_tenant_are_read():
    found = entry(
        "30",
        "'args': (1, [2]), 'kwargs': {'a': None}, 'relative': True, 'own': 1,"
        " 'options': {'queue': 'mail', 'expires': 60, 'headers': {'_schema_name': 'acme'}}",
    )

    assert (found.args, found.kwargs, found.tenant) == ((1, [2]), {"a": None}, "acme")
    said = "\n".join(found.differences)
    assert "option queue is the job's own setting" in said
    assert "option expires is without an equal" in said
    assert "relative" in said
    assert "own has no equal" in said
    assert "headers" not in said


@pytest.mark.parametrize(
    ("head", "zone", "difference"),
    [
        ("app.conf.timezone = 'Europe/London'", "Europe/London", None),
        ("CELERY_TIMEZONE = 'Europe/London'", "Europe/London", None),
        ("app.conf.update(timezone='Europe/London')", "Europe/London", None),
        ("app.conf.update({'timezone': 'Europe/London'})", "Europe/London", None),
        ("timezone = ZoneInfo('Europe/London')", "Europe/London", None),
        ("app.conf.timezone = None", "UTC", NO_ZONE),
        ("enable_utc = False", None, NOT_UTC),
    ],
)
def test_the_zone_is_celery_s(head, zone, difference):
    found = entry("crontab(minute=0, hour=7)", head=head)

    assert found.zone == zone
    assert found.timing == "0 7 * * *" + (f" {zone}" if zone else "")
    assert difference is None or difference in found.differences


def test_a_zone_that_is_a_variable_makes_each_entry_a_problem_until_it_is_told():  # R64
    head = "app.conf.timezone = settings.TIME_ZONE"

    assert "the zone is not written out (line 5): settings.TIME_ZONE" in entry("crontab(minute=0)", head=head).problem
    assert entry("crontab(minute=0)", head=head, zone="Asia/Tokyo").timing == "0 * * * * Asia/Tokyo"


def test_entries_are_found_wherever_they_are_put():
    text = """
class Config:
    beat_schedule: dict = {"a": {"task": "t.a", "schedule": 1}}
app.conf.update(beat_schedule={"b": {"task": "t.b", "schedule": 2}})
app.conf.beat_schedule.update({"c": {"task": "t.c", "schedule": 3}})
app.conf.beat_schedule["d"] = {"task": "t.d", "schedule": 4}
CELERYBEAT_SCHEDULE = {"e": {"task": "t.e", "schedule": 5}}
@app.on_after_configure.connect
def setup(sender, **kwargs):
    sender.add_periodic_task(6.0, f.s("hello", n=2), name="every six")
    sender.add_periodic_task(7.0, g.si(), expires=10)
    sender.add_periodic_task(8.0, signature("x"))
app.conf.beat_schedule = load()
"""
    found = celery_beat.read(text)

    assert [(one.name, one.timing) for one in found if not one.problem] == [
        ("a", "every second"),
        ("e", "every 5 seconds"),
        ("b", "every 2 seconds"),
        ("c", "every 3 seconds"),
        ("d", "every 4 seconds"),
        ("every six", "every 6 seconds"),
        ("g", "every 7 seconds"),
    ]
    assert [(one.args, one.kwargs) for one in found if one.name == "every six"] == [(("hello",), {"n": 2})]
    assert ["not written out" in one.problem for one in found if one.problem] == [True, True]


def test_of_a_key_that_stands_twice_python_takes_the_later_one():
    text = 'beat_schedule = {"a": {"task": "t.x", "schedule": 1},\n "a": {"task": "t.y", "schedule": 2}}'

    first, second = celery_beat.read(text)

    assert first.left_out == "the key stands again in line 2, and Python takes that"
    assert (second.name, second.job, second.left_out) == ("a", "y", None)


def rows(**fields):
    def row(model, fields):
        return {"model": f"django_celery_beat.{model}", "pk": 1, "fields": fields}

    zoned = {"minute": "0", "hour": "4", "day_of_week": "mon", "timezone": "Europe/Paris"}
    return json.dumps(
        [
            row("crontabschedule", zoned),
            row("intervalschedule", {"every": 10, "period": "minutes"}),
            row("clockedschedule", {"clocked_time": "2026-12-01T09:00:00Z"}),
            row("solarschedule", {"event": "sunset"}),
            row("periodictask", {"name": "One", "task": "shop.tasks.sync", "args": "[]", "kwargs": "{}"} | fields),
            {"model": "auth.user", "pk": 1, "fields": {}},
        ],
        indent=1,
    )


@pytest.mark.parametrize(
    ("fields", "timing"),
    [
        ({"crontab": 1}, "0 4 * * 1 Europe/Paris"),
        ({"interval": 1}, "every 10 minutes"),
        ({"clocked": 1, "one_off": True}, "at 2026-12-01T09:00 UTC"),
    ],
)
def test_a_row_is_read_with_its_schedule(fields, timing):
    [found] = celery_beat.read(rows(**fields))

    assert (found.name, found.job, found.timing, found.problem) == ("One", "sync", timing, None)
    assert found.line > 20


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"solar": 1}, "no sunrise"),
        ({"interval": 1, "one_off": True}, "one_off"),
        ({"interval": 7}, "is not in this file"),
        ({}, "it names no schedule"),
        ({"interval": 1, "crontab": 1}, "it names interval and crontab"),
        ({"interval": [1]}, "is not in this file"),
        ({"interval": 1, "args": "[1"}, "args is no JSON"),
        ({"interval": 1, "kwargs": "[]"}, "kwargs is no JSON object"),
    ],
)
def test_a_row_without_an_equal_is_a_problem(fields, problem):  # R64
    [found] = celery_beat.read(rows(**fields))

    assert problem in found.problem


def test_a_row_s_options_differ_and_its_tenant_is_known():
    [found] = celery_beat.read(
        rows(interval=1, queue="mail", expire_seconds=3, start_time="2027-01-01T00:00:00Z", args="[1]",
             headers='{"_schema_name": "acme"}')
    )  # fmt: skip

    assert (found.args, found.tenant) == ((1,), "acme")
    assert len(found.differences) == 3 + 3


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [
        ({"interval": 1, "enabled": False}, DISABLED),
        ({"solar": 1, "enabled": False}, DISABLED),
        ({"crontab": 1, "task": "celery.backend_cleanup"}, HOUSEKEEPING),
    ],
)
def test_what_does_not_run_there_is_left_out(fields, left_out):
    [found] = celery_beat.read(rows(**fields))

    assert (found.left_out, found.problem) == (left_out, None)
