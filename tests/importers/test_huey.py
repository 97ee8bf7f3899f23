"""Huey's periodic tasks."""

import pytest

from rota.importers import huey
from rota.importers.found import LOST, OVERLAPS


def one(call, *, head="", function="def sync(): pass", **options):
    text = f"from huey import RedisHuey, crontab\n{head}\n@huey.periodic_task({call})\n{function}\n"
    [found] = huey.read(text, **options)
    return found


@pytest.mark.parametrize(
    ("call", "timing"),
    [
        ("crontab(minute='*/15', hour='3')", "*/15 3 * * * UTC"),
        ("crontab(minute=0, hour='9-11,16-18')", "0 9-11,16-18 * * * UTC"),
        ("crontab('0', '0', '1', '1,7')", "0 0 1 1,7 * UTC"),
        ("crontab(minute='0', day_of_week='7')", "0 * * * 0 UTC"),
        ("crontab(minute='0', hour='0', day_of_week='1-5', strict=True)", "0 0 * * 1-5 UTC"),
        ("crontab(minute='0', hour='0', day='1-7', day_of_week='1')", "0 0 * * 1#1 UTC"),
    ],
)
def test_a_crontab_is_read_with_its_meaning(call, timing):  # R2
    found = one(call)

    assert (found.name, found.job, found.timing, found.problem) == ("sync", "sync", timing, None)
    assert {huey.UTC, LOST, OVERLAPS} <= set(found.differences)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("lambda now: now.hour == 3", "a function that looks at each minute has no equal"),
        ("business_hours", "a function that looks at each minute has no equal"),
        ("", "a function that looks at each minute has no equal: nothing"),
        ("crontab(minute='0', day='1', day_of_week='1')", "must both match there"),
        ("crontab(minute='0', day_of_week='5-7')", "as no day at all"),
        ("crontab(minute='0', day_of_week='*/2')", "as an error"),
        ("crontab(minute='1-9/2')", "Huey has no '1-9/2'"),
        ("crontab(minute='0', day_of_week='mon')", "Huey has no 'mon'"),
        ("crontab(minute='0', hour='22-2')", "lies before its start"),
        ("crontab(minute=M)", "minute is not written out"),
        ("crontab(**when)", "not written out"),
    ],
)
def test_what_has_no_equal_is_a_problem(call, problem):  # R64
    assert problem in one(call).problem


def test_an_hour_alone_is_each_minute_of_it_there_and_here():
    found = one("crontab(hour='3')")

    assert found.timing == "* 3 * * * UTC"
    assert huey.EACH_MINUTE in found.differences


def test_a_consumer_in_local_time_has_the_zone_of_the_machine():
    found = one("crontab(minute='0')", head="huey = RedisHuey('x', utc=False)")

    assert (found.timing, found.zone) == ("0 * * * *", None)
    assert huey.LOCALTIME in found.differences
    assert one("crontab(minute='0')", zone="Asia/Tokyo").timing == "0 * * * * Asia/Tokyo"


def test_options_are_the_job_s_own_here():
    found = one("crontab(minute='0'), retries=2, expires=60, name='hourly'", function="async def sync(): pass")

    assert found.name == "hourly"
    assert "option retries is the job's own setting here" in found.differences
    assert "option expires is without an equal here" in found.differences


def test_a_task_that_is_made_by_a_call_is_a_problem():
    [found] = huey.read("tick = huey.periodic_task(crontab(minute='0'))(make_tick())")

    assert "not by a decorator" in found.problem
