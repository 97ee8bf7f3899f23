"""APScheduler's jobs: triggers, what is made up, what overlaps."""

from datetime import timedelta

import pytest

from rota.core.policy import CatchUp, Overlap
from rota.importers import apscheduler
from rota.importers.apscheduler import AT_ONCE, GRACE, INSTANCES, MISSED, PAUSED
from rota.importers.apscheduler_times import END, JITTER, MONDAY, OWN_ZONE, START
from rota.importers.found import LOCAL, PERIOD

HEAD = """
from datetime import date, datetime, timezone
from apscheduler.triggers.cron import CronTrigger as Cron
"""
ZONED = "s = BackgroundScheduler(timezone='Europe/Paris')\n"


def one(call, *, head=ZONED, **options):
    [found] = apscheduler.read(f"{HEAD}{head}s.add_job({call})\n", **options)
    return found


@pytest.mark.parametrize(
    ("call", "timing"),
    [
        ("f, 'cron', hour=3", "0 3 * * * Europe/Paris"),
        ("f, 'cron', minute='*/5'", "*/5 * * * * Europe/Paris"),
        ("f, 'cron', second='*/10'", "*/10 * * * * * Europe/Paris"),
        ("f, 'cron', day=1, minute=20", "20 * 1 * * Europe/Paris"),
        ("f, 'cron', month='6-8,11-12'", "0 0 1 6-8,11,12 * Europe/Paris"),
        ("f, 'cron'", "* * * * * * Europe/Paris"),
        ("f, 'cron', day_of_week=0, hour=3", "0 3 * * 1 Europe/Paris"),
        ("f, 'cron', day_of_week='6', hour=3", "0 3 * * 0 Europe/Paris"),
        ("f, 'cron', day_of_week='mon-fri', hour=5, minute=30", "30 5 * * 1-5 Europe/Paris"),
        ("f, 'cron', day_of_week='sat,sun', hour='9-17/4'", "0 9,13,17 * * 0,6 Europe/Paris"),
        ("f, 'cron', day='last', hour=3", "0 3 L * * Europe/Paris"),
        ("f, 'cron', day='2nd tue, last fri', hour=3", "0 3 * * 2#2,5L Europe/Paris"),
        ("f, 'cron', day='1-7', day_of_week='mon', hour=3", "0 3 * * 1#1 Europe/Paris"),
        ("f, 'cron', year='*', hour=3, timezone='Asia/Tokyo'", "0 3 * * * Asia/Tokyo"),
        ("f, Cron.from_crontab('0 9 * * 0-4', timezone='UTC')", "0 9 * * 1-5 UTC"),
        ("f, Cron(hour=3, timezone=pytz.timezone('Asia/Tokyo'))", "0 3 * * * Asia/Tokyo"),
        ("f, 'interval', hours=1, minutes=30", "every 90 minutes"),
        ("f, 'interval', days=1, start_date='2026-01-01 03:00:00'", "every 24 hours from 2026-01-01T02:00Z"),
        ("f, IntervalTrigger(seconds=10)", "every 10 seconds"),
        ("f, 'date', run_date=datetime(2027, 1, 1, 9)", "at 2027-01-01T09:00 Europe/Paris"),
        ("f, 'date', run_date=date(2027, 1, 1)", "at 2027-01-01T00:00 Europe/Paris"),
        ("f, 'date', run_date='2027-01-01 09:00:00+02:00'", "at 2027-01-01T07:00 UTC"),
        ("f, DateTrigger(datetime(2027, 1, 1, tzinfo=timezone.utc))", "at 2027-01-01T00:00 UTC"),
    ],
)
def test_a_trigger_is_read_with_its_meaning(call, timing):  # R2, R4
    found = one(call)

    assert (found.job, found.timing, found.problem) == ("f", timing, None)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("f", "runs at once, and once"),
        ("f, 'date'", "runs at once, and once"),
        ("f, 'cron', week='*/2'", "week has no equal"),
        ("f, 'cron', year=2027", "year has no equal"),
        ("f, 'cron', day='1,15', day_of_week='mon'", "must both match there"),
        ("f, 'cron', day='last', day_of_week='mon'", "must both match there"),
        ("f, 'cron', day='1, 2nd mon'", "cannot be said"),
        ("f, 'cron', hour=HOUR", "hour is not written out"),
        ("f, 'cron', hour='25'", "APScheduler has no '25'"),
        ("f, 'cron', hours=3", "has no hours"),
        ("f, 'cron', **when", "not written out"),
        ("f, TRIGGER", "the trigger is not written out"),
        ("f, OrTrigger([Cron(hour=1)])", "the trigger is not written out"),
        ("f, 'calendarinterval', days=1", "has no equal here"),
        ("f, Cron.from_crontab('0 9 * *')", "five fields"),
        ("f, 'interval', seconds=0.5", "whole seconds"),
        ("f, 'interval', seconds='5'", "not written out in numbers"),
        ("f, 'cron', hour=3, timezone='Mars/Base'", "no time zone"),
        ("f, 'cron', hour=3, timezone=get_zone()", "the zone is not written out"),
        ("f, 'date', run_date=datetime(2027, 13, 1)", "not written out"),
        ("lambda: 1, 'cron', hour=3", "the function has no name"),
        ("f, 'cron', args=ARGS, hour=3", "args is not written out"),
        ("f, 'cron', hour=3, coalesce=False, misfire_grace_time='x'", "a number of seconds"),
    ],
)
def test_what_has_no_equal_is_a_problem(call, problem):  # R64
    found = one(call)

    assert problem in found.problem
    assert found.timing == ""


@pytest.mark.parametrize(
    ("options", "catch_up", "overlap", "difference"),
    [
        ("", None, None, MISSED),
        ("misfire_grace_time=None", None, None, None),
        ("coalesce=True, misfire_grace_time=None", CatchUp.latest(), None, None),
        ("coalesce=True, misfire_grace_time=60", CatchUp.latest(), None, GRACE),
        ("coalesce=False, misfire_grace_time=None", CatchUp.all(), None, None),
        ("coalesce=False, misfire_grace_time=3600", CatchUp.all(within=timedelta(hours=1)), None, None),
        ("max_instances=1, misfire_grace_time=None", None, Overlap.SKIP, None),
        ("max_instances=3, misfire_grace_time=None", None, Overlap.ALLOW, INSTANCES),
    ],
)
def test_policies_with_an_equal_are_kept(options, catch_up, overlap, difference):  # R8, R10
    found = one(f"f, 'cron', hour=3, {options}")

    assert (found.catch_up, found.overlap) == (catch_up, overlap)
    assert found.differences == ((difference,) if difference else ())


@pytest.mark.parametrize(
    ("call", "difference"),
    [
        ("f, 'cron', hour=3, jitter=60", JITTER),
        ("f, 'cron', hour=3, end_date='2027-01-01'", END),
        ("f, 'cron', hour=3, start_date='2027-01-01'", START),
        ("f, 'cron', hour=3, day_of_week=0", MONDAY),
        ("f, Cron.from_crontab('0 3 * * 0')", MONDAY),
        ("f, Cron(hour=3)", OWN_ZONE),
        ("f, Cron(hour=3)", LOCAL),
        ("f, 'interval', hours=1", PERIOD),
        ("f, 'cron', hour=3, next_run_time=datetime.now()", None),
        ("f, 'cron', hour=3, executor='pool'", "executor is the job's own setting here"),
    ],
)
def test_what_differs_is_said(call, difference):
    found = one(call)

    assert difference in found.differences if difference else AT_ONCE in found.differences or found.problem


def test_names_of_days_are_the_same_everywhere():
    assert MONDAY not in one("f, 'cron', hour=3, day_of_week='mon'").differences


def test_a_job_that_was_added_as_paused_is_left_out():
    assert one("f, 'cron', hour=3, next_run_time=None").left_out == PAUSED


def test_without_a_zone_it_is_the_machine_s():
    found = one("f, 'cron', hour=3", head="")

    assert (found.timing, found.zone) == ("0 3 * * *", None)
    assert LOCAL in found.differences
    assert one("f, 'cron', hour=3", head="", zone="Asia/Tokyo").timing == "0 3 * * * Asia/Tokyo"


def test_a_scheduler_s_zone_that_is_a_variable_is_a_problem_until_it_is_told():  # R64
    head = "s = BackgroundScheduler(timezone=ZONE)\n"

    assert "the zone is not written out" in one("f, 'cron', hour=3", head=head).problem
    assert one("f, 'cron', hour=3", head=head, zone="Asia/Tokyo").timing == "0 3 * * * Asia/Tokyo"


def test_a_job_is_called_by_its_id_its_name_or_its_function():
    text = """
s.add_job("shop.jobs:sync", "interval", [1], {"a": 2}, hours=1)
s.add_job(jobs.sync, "interval", id="by-id", name="by-name", hours=1)
s.add_job(jobs.sync, "interval", name="by-name", hours=1)
@s.scheduled_job("cron", hour=3)
def nightly(): pass
s.add_schedule(sync, IntervalTrigger(hours=1))
"""
    found = apscheduler.read(text)

    assert [(one.name, one.job) for one in found] == [
        ("sync", "sync"),
        ("by-id", "sync"),
        ("by-name", "sync"),
        ("nightly", "nightly"),
        ("?", ""),
    ]
    assert (found[0].args, found[0].kwargs) == ((1,), {"a": 2})
    assert "APScheduler 4 is not" in found[-1].problem
