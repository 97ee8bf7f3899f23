"""Schedules said in code, R4: the same words, the same values."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rota.core.builder import as_timing, at, cron, every, next_slots
from rota.core.kind import Cron
from rota.core.words import parse
from rota.errors import BadSchedule

NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("builder", "text"),
    [
        (every(15).minutes, "every 15 minutes"),
        (every().minute, "every minute"),
        (every(30).seconds, "every 30 seconds"),
        (every(2).hours, "every 2 hours"),
        (every().hour, "every hour"),
        (every().hour.at(":17"), "every hour at :17"),
        (every(6).hours.at(":05", tz="Asia/Kolkata"), "every 6 hours at :05 Asia/Kolkata"),
        (every(90).minutes.anchored("2026-01-05T10:07"), "every 90 minutes from 2026-01-05T10:07Z"),
        (every().day, "daily at 00:00"),
        (every().day.at("03:00"), "daily at 03:00"),
        (every().day.at("03:00", tz="tenant"), "daily at 03:00 tenant"),
        (every(3).days.at("03:00").anchored("2026-01-05"), "every 3 days at 03:00 from 2026-01-05"),
        (every().monday.at("02:00", tz="Europe/Paris"), "every monday at 02:00 Europe/Paris"),
        (every().tuesday, "every tuesday at 00:00"),
        (every().wednesday, "every wednesday at 00:00"),
        (every().thursday, "every thursday at 00:00"),
        (every().friday, "every friday at 00:00"),
        (every().saturday, "every saturday at 00:00"),
        (every().sunday, "every sunday at 00:00"),
        (every().weekday.at("02:00"), "every weekday at 02:00"),
        (every().weekend.at("10:00"), "every weekend at 10:00"),
        (every().week.on("monday", "thursday").at("10:00"), "every monday and thursday at 10:00"),
        (
            every(2).weeks.on("monday").at("03:30").anchored("2026-01-05"),
            "every 2 weeks on monday at 03:30 from 2026-01-05",
        ),
        (
            every(2).weeks.anchored("2026-01-05").at("03:30").on("monday"),
            "every 2 weeks on monday at 03:30 from 2026-01-05",
        ),
    ],
)
def test_a_builder_and_its_text_are_the_same_timing(builder, text):
    # R4
    assert as_timing(builder) == parse(text)
    assert str(builder.timing) == text


def test_one_time_and_cron_are_timings_at_once():
    # R4
    assert at("2026-12-01T09:00", tz="Europe/Berlin") == parse("at 2026-12-01T09:00 Europe/Berlin")
    assert at(datetime(2026, 12, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))) == parse("at 2026-12-01T08:00 UTC")
    assert cron("H 2 * * *", tz="tenant") == Cron(expression="H 2 * * *", tz="tenant")


@pytest.mark.parametrize(
    ("say", "hint"),
    [
        (lambda: every(0), "at least 1"),
        (lambda: every(15).minutes.at("02:00"), "leave it out"),
        (lambda: every(15).minutes.on("monday"), "weeks"),
        (lambda: every(2).monday, r"every\(2\).weeks.on"),
        (lambda: every().day.week, "one of them"),
        (lambda: every().day.on("monday"), "weeks"),
        (lambda: every().at("02:00"), "before the time"),
        (lambda: every().anchored("2026-01-05"), "before the anchor"),
        (lambda: every().day.at("25:00"), "23:59:59"),
        (lambda: every().day.at("02:00", tz="Mars/Base"), "Mars/Base"),
        (lambda: every().day.anchored("soon"), "2026-01-05"),
        (lambda: every().week.on("blurbday"), "blurbday"),
        (lambda: every(5).hours.at(":10"), "every 5 hours"),
        (lambda: at("09:00"), "daily at 09:00"),
        (lambda: at("2026-12-01T09:00+01:00", tz="Europe/Berlin"), "leave one of the two out"),
        (lambda: cron("61 * * * *"), "0-59"),
        (lambda: cron("0 2 * * *", tz="Mars/Base"), "Mars/Base"),
    ],
)
def test_what_does_not_fit_is_refused_on_its_own_line_with_the_way_out(say, hint):
    # R2, R64
    with pytest.raises(BadSchedule, match=hint):
        say()


@pytest.mark.parametrize(
    ("builder", "hint"),
    [
        (every(), "every().day"),
        (every(5), "every().day"),
        (every().week, "on('monday')"),
        (every(2).weeks, "on('monday')"),
    ],
)
def test_a_builder_that_is_not_complete_is_refused_where_it_is_used(builder, hint):
    # R4
    for use in (as_timing, lambda when: when.timing, lambda when: next_slots(when, after=NOON, count=1)):
        with pytest.raises(BadSchedule) as refused:
            use(builder)
        assert hint in str(refused.value)


def test_a_default_zone_is_given_to_whatever_names_none():
    # R4
    for when in ("daily at 02:00", every().day.at("02:00"), parse("daily at 02:00")):
        assert str(as_timing(when, tz="Europe/Paris")) == "daily at 02:00 Europe/Paris"
    for when in ("daily at 02:00 UTC", every().day.at("02:00", tz="UTC"), parse("daily at 02:00 UTC")):
        assert str(as_timing(when, tz="Europe/Paris")) == "daily at 02:00 UTC"


@pytest.mark.parametrize("when", [5, None, b"daily", timedelta(hours=1)])
def test_anything_else_is_no_schedule(when):
    # R64
    with pytest.raises(BadSchedule, match="is no schedule"):
        as_timing(when)


def test_next_slots_are_the_next_ones_in_utc():
    # R3, R4
    night = datetime(2026, 3, 28, tzinfo=UTC)

    found = next_slots("daily at 02:30", after=night, count=3, tz="Europe/Paris")

    assert [f"{slot:%d %H:%M %Z}" for slot in found] == ["28 01:30 UTC", "29 01:00 UTC", "30 00:30 UTC"]
    assert next_slots(every().hour, after=NOON, count=2) == [NOON + timedelta(hours=1), NOON + timedelta(hours=2)]


def test_next_slots_of_one_time_are_one_or_none():
    # R4
    once = at("2026-12-01T09:00", tz="UTC")

    assert next_slots(once, after=NOON, count=5) == [datetime(2026, 12, 1, 9, tzinfo=UTC)]
    assert next_slots(once, after=datetime(2026, 12, 1, 9, tzinfo=UTC), count=5) == []


@pytest.mark.parametrize("count", [0, -1])
def test_next_slots_counts_from_one(count):
    with pytest.raises(ValueError, match="count"):
        next_slots("hourly", after=NOON, count=count)


def test_next_slots_of_a_naive_time_are_refused():
    # R1
    with pytest.raises(ValueError, match="naive"):
        next_slots("hourly", after=NOON.replace(tzinfo=None), count=1)
