"""Schedules as Sentry Crons knows them (R54)."""

from datetime import timedelta

import pytest

from rota.core.policy import Job
from rota.core.words import parse
from rota.integrations.sentry_monitor import monitor_of, slug_of
from tests.values import NOON


def monitor(text, **fields):
    return monitor_of(parse(text), Job(name="nightly", **fields), zone="Europe/Paris", now=NOON)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("0 2 * * *", {"type": "crontab", "value": "0 2 * * *"}),
        ("*/15 * * * *", {"type": "crontab", "value": "*/15 * * * *"}),
        ("every day at 02:00", {"type": "crontab", "value": "0 2 * * *"}),
        ("every monday at 06:00", {"type": "crontab", "value": "0 6 * * 1"}),
        ("every 90 minutes", {"type": "interval", "value": 90, "unit": "minute"}),
        ("every 6 hours", None),
        ("every 2 days at 02:00", {"type": "interval", "value": 2, "unit": "day"}),
    ],
)
def test_a_schedule_has_the_form_of_sentry(text, schedule):
    made = monitor(text)["schedule"]

    if schedule is not None:
        assert made == schedule
    # Of a number as text Sentry makes no monitor, and says nothing (sentry-python#6386).
    assert made["type"] == "crontab" or type(made["value"]) is int


@pytest.mark.parametrize("text", ["every 30 seconds", "H 2 * * *", "once at 2026-12-01T02:00Z", "0 2 * * * tenant"])
def test_what_sentry_cannot_express_is_no_monitor(text):
    assert monitor(text) is None


@pytest.mark.parametrize(("text", "zone"), [("0 2 * * *", "Europe/Paris"), ("0 2 * * * Asia/Tokyo", "Asia/Tokyo")])
def test_the_zone_goes_along(text, zone):
    assert monitor(text)["timezone"] == zone


@pytest.mark.parametrize(
    ("timeout", "margin"), [(timedelta(seconds=20), 1), (timedelta(minutes=5), 5), (timedelta(hours=2), 15), (None, 15)]
)
def test_a_slot_is_missed_when_rota_calls_it_late(timeout, margin):  # R51
    assert monitor("0 2 * * *", timeout=timeout)["checkin_margin"] == margin


@pytest.mark.parametrize(
    ("said", "minutes"), [(None, 2 * 24 * 60 + 15), (timedelta(hours=26), 26 * 60), (timedelta(days=90), 40_320)]
)
def test_a_slot_hangs_when_rota_calls_it_stale(said, minutes):  # R51
    assert monitor("0 2 * * *", fresh_within=said)["max_runtime"] == minutes


def test_a_slot_hangs_by_what_the_schedule_says_before_the_job():  # R51
    found = monitor_of(
        parse("0 2 * * *"),
        Job(name="report", fresh_within=timedelta(hours=3)),
        now=NOON,
        zone="UTC",
        fresh_within=timedelta(hours=26),
    )

    assert found["max_runtime"] == 26 * 60


@pytest.mark.parametrize(
    "name", ["nightly", "nightly_report", "Nightly", "a/b", "nächtlich", "a" * 80, "..", "nightly "]
)
def test_a_slug_is_what_sentry_takes(name):
    assert len(slug_of(name)) <= 50
    assert set(slug_of(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")


def test_two_schedules_have_two_slugs():
    names = ["nightly", "Nightly", "nightly ", "nightly/", "a" * 80, "a" * 81]

    assert len({slug_of(name) for name in names}) == len(names)
