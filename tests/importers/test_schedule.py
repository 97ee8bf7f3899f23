"""The library `schedule`."""

import pytest

from rota.importers import schedule
from rota.importers.found import LOCAL, LOST, PERIOD
from rota.importers.schedule import COUNTED, NO_TIME, ONE_BY_ONE, TAGS, UNTIL


def one(statement, **options):
    [found] = schedule.read(f"import schedule\nfrom schedule import every, repeat\n{statement}\n", **options)
    return found


@pytest.mark.parametrize(
    ("chain", "timing"),
    [
        ("every(10).seconds", "every 10 seconds"),
        ("every(10).minutes", "every 10 minutes"),
        ("every().hour", "every hour"),
        ("every().day", "every 24 hours"),
        ("every(2).weeks", "every 336 hours"),
        ("every().day.at('10:30')", "daily at 10:30"),
        ("every().day.at('10:30:42', 'Europe/Paris')", "daily at 10:30:42 Europe/Paris"),
        ("every(3).days.at('10:30')", "every 3 days at 10:30"),
        ("every().monday", "every monday at 00:00"),
        ("every().wednesday.at('13:15', tz=pytz.timezone('Asia/Tokyo'))", "every wednesday at 13:15 Asia/Tokyo"),
        ("every().hour.at(':30')", "every hour at :30"),
        ("every(6).hours.at('15:30')", "every 6 hours at :15:30"),
        ("every().minute.at(':17')", "17 * * * * *"),
        ("every(5).minutes.at(':17')", "17 */5 * * * *"),
    ],
)
def test_a_chain_is_read_with_its_meaning(chain, timing):  # R4
    found = one(f"schedule.{chain}.do(jobs.sync)")

    assert (found.name, found.job, found.timing, found.problem) == ("sync", "sync", timing, None)
    assert {LOST, ONE_BY_ONE} <= set(found.differences)


@pytest.mark.parametrize(
    ("chain", "problem"),
    [
        ("every(5).to(10).seconds", "drawn anew"),
        ("every(2).monday", "the library refuses that, too"),
        ("every(N).minutes", "every is not written out"),
        ("every(1.5).minutes", "every is not written out"),
        ("every().day.at(clock)", "the time is not written out"),
        ("every().day.at('25:00')", "not between 00:00"),
        ("every().day.at(':30')", "is no time for every day"),
        ("every().hour.at('10:30:00')", "is no time for every hour"),
        ("every(5).hours.at(':15')", "hours at a minute are"),
        ("every(7).minutes.at(':15')", "does not go with every 7 minutes"),
        ("every(2).weeks.at('10:00')", "does not go with"),
        ("every()", "names no unit"),
        ("every().day.at('10:30', zone)", "the zone is not written out"),
        ("every().fortnight", "the schedule is not written out"),
        ("every(99999).weeks", "too long"),
        ("every(10**400).weeks", "not written out"),
        ("every(999999999999).weeks", "too long"),
    ],
)
def test_what_has_no_equal_is_a_problem(chain, problem):  # R64
    assert problem in one(f"schedule.{chain}.do(sync)").problem


@pytest.mark.parametrize(
    ("chain", "difference"),
    [
        ("every(10).minutes", PERIOD),
        ("every().day.at('10:30')", LOCAL),
        ("every(3).days.at('10:30')", COUNTED),
        ("every().monday", NO_TIME),
        ("every().hour.until('18:30')", UNTIL),
        ("every().hour.tag('a')", TAGS),
    ],
)
def test_what_differs_is_said(chain, difference):
    assert difference in one(f"{chain}.do(sync)").differences


def test_arguments_of_the_function_are_read():
    assert one("every().hour.do(sync, 1, a=[2])").args == (1,)
    assert one("every().hour.do(sync, 1, a=[2])").kwargs == {"a": [2]}


def test_a_decorated_function_is_read():
    found = one("@repeat(every().day.at('03:00'), 5)\ndef nightly(n): pass", zone="Asia/Tokyo")

    assert (found.job, found.timing, found.args) == ("nightly", "daily at 03:00 Asia/Tokyo", (5,))
    assert LOCAL not in found.differences


@pytest.mark.parametrize("function", ["lambda: sync(1)", "partial(sync, 1)", ""])
def test_a_function_without_a_name_is_a_problem(function):
    assert "the function has no name" in one(f"every().hour.do({function})").problem


def test_other_things_that_are_done_are_no_schedules():
    assert schedule.read("thing.do(1)\nevery = 3\nevery(2)\n") == []
