"""A crontabber's list of jobs."""

import pytest

from rota.core.policy import CatchUp
from rota.importers import crontabber
from rota.importers.crontabber import BACKFILL, COUNTED, LAST_SUCCESS, PARSED, RETRIED
from rota.importers.found import PERIOD


def one(item):
    [found] = crontabber.read(f"JOBS = [\n    {item},\n]\n")
    return found


@pytest.mark.parametrize(
    ("item", "timing"),
    [
        ('{"cmd": "sync"}', "every 24 hours"),
        ('{"cmd": "sync", "frequency": "5m"}', "every 5 minutes"),
        ('{"cmd": "sync", "frequency": "12h"}', "every 12 hours"),
        ('{"cmd": "sync", "time": "03:00"}', "daily at 03:00 UTC"),
        ('{"command": "sync", "frequency": "7d", "time": "05:00"}', "every 7 days at 05:00 UTC"),
    ],
)
def test_frequency_and_time_are_read(item, timing):  # R4
    found = one(item)

    assert (found.line, found.job, found.timing, found.problem) == (2, "sync", timing, None)
    assert RETRIED in found.differences


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ('{"cmd": "sync", "frequency": "1h", "time": "03:00"}', "goes with whole days"),
        ('{"cmd": "sync", "frequency": "3w"}', "frequency '3w'"),
        ('{"cmd": "sync", "frequency": 3}', "frequency '3'"),
        ('{"cmd": "sync", "frequency": FREQUENCY}', "not written out (line 2)"),
        ('{"cmd": "sync", "time": "3:00"}', "time '3:00'"),
        ('{"cmd": "sync", "time": "24:00"}', "time '24:00'"),
        ('{"cmd": "sync", "frequency": "0d"}', "whole seconds, at least one"),
        ('{"cmd": "sync", "frequency": "999999999d"}', "too long"),
        ('{"cmd": "sync", "args": 3}', "args is a list"),
        ('{"cmd": ""}', "it names no command"),
    ],
)
def test_what_has_no_equal_is_a_problem(item, problem):  # R64
    assert problem in one(item).problem


@pytest.mark.parametrize(
    ("more", "catch_up", "difference"),
    [
        ("", CatchUp.latest(), PERIOD),
        ('"backfill": True', CatchUp.all(), BACKFILL),
        ('"last_success": True', CatchUp.latest(), LAST_SUCCESS),
        ('"cmd_args": ["--persist"]', CatchUp.latest(), PARSED),
        ('"frequency": "7d", "time": "05:00"', CatchUp.latest(), COUNTED),
        ('"only_in": ["production"]', CatchUp.latest(), "only_in has no equal here"),
    ],
)
def test_backfill_is_a_policy_and_what_differs_is_said(more, catch_up, difference):  # R8, R9
    found = one(f'{{"cmd": "sync", {more}}}')

    assert found.catch_up == catch_up
    assert difference in found.differences


def test_arguments_are_passed_as_they_are():
    assert one('{"cmd": "sync", "args": "--a 1"}').args == ("--a", "1")
    assert one('{"cmd": "sync", "args": {"a": 1}}').kwargs == {"a": 1}
    assert one('{"cmd": "sync", "cmd_args": [1], "kwargs": {"a": 1}}').args == (1,)


def test_a_list_may_be_json_with_the_line_of_each_job():
    first, second, third = crontabber.read('[{"cmd": "a"},\n\n {"cmd": "a", "name": "b"},\n 3]')

    assert [(one.line, one.name) for one in (first, second)] == [(1, "a"), (3, "b")]
    assert (third.line, third.problem) == (4, "it is no object with a command: 3")


def test_lists_of_other_things_are_not_read():
    assert crontabber.read('APPS = ["a", "b"]\nOTHERS = [{"name": "x"}]') == []
