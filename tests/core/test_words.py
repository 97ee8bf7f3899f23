"""Schedules as text, R4: what is read, what is printed, what is said about daylight saving, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.kind import WEEKDAYS, Calendar, Cron, Interval, Once, Unit
from rota.core.timing import next_slot, slots
from rota.core.words import describe, notes, parse, text_of
from rota.errors import BadSchedule

NOON = datetime(2026, 5, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "every 15 minutes",
        "every minute",
        "every 30 seconds",
        "every hour",
        "every 2 hours",
        "every 90 minutes from 2026-01-05",
        "every 90 minutes from 2026-01-05T10:07Z",
        "every 90 minutes from 2026-01-05T10:07:30Z",
        "every hour at :17",
        "every 6 hours at :05:30 Asia/Kolkata",
        "daily at 03:00",
        "daily at 02:30 Europe/Paris",
        "daily at 02:30:15 UTC",
        "daily at 02:30 tenant",
        "every 3 days at 02:30 from 2026-01-05 America/Argentina/Buenos_Aires",
        "every monday at 02:00",
        "every monday and thursday at 02:00",
        "every monday, wednesday and friday at 02:00 Europe/Paris",
        "every weekday at 02:00",
        "every weekend at 10:00",
        "every monday at 02:00 from 2026-01-05",
        "every 2 weeks on monday at 03:30 from 2026-01-05",
        "every 2 weeks on weekday at 03:30 Etc/GMT+3",
        "at 2026-12-01T09:00 Europe/Berlin",
        "at 2026-12-01T09:00:30",
        "30 2 * * * Europe/Paris",
        "30 2 * * *",
        "15 30 2 * * *",
        "15 30 2 * * * UTC",
        "H 2 * * MON-FRI tenant",
        "0 0 * * 5#2 EST5EDT",
        "0 0 L * THU GMT",
    ],
)
def test_a_canonical_text_is_read_and_printed_as_itself(text):
    # R4
    timing = parse(text)

    assert str(timing) == text
    assert text_of(timing) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("hourly", "every hour"),
        ("hourly at :17", "every hour at :17"),
        ("every 1 hour", "every hour"),
        ("every 15 min", "every 15 minutes"),
        ("every 15m", "every 15 minutes"),
        ("every 60 minutes", "every hour"),
        ("every 90s", "every 90 seconds"),
        ("  Every   15  MINUTES ", "every 15 minutes"),
        ("daily", "daily at 00:00"),
        ("every day", "daily at 00:00"),
        ("every day at 3am", "daily at 03:00"),
        ("daily at 3:30 pm in Europe/Paris", "daily at 15:30 Europe/Paris"),
        ("daily at 12am", "daily at 00:00"),
        ("daily at noon", "daily at 12:00"),
        ("daily at midnight UTC", "daily at 00:00 UTC"),
        ("mondays at 02:00", "every monday at 02:00"),
        ("on Mondays at 2:00", "every monday at 02:00"),
        ("weekdays at 09:00", "every weekday at 09:00"),
        ("every sat, sun at 10:00", "every weekend at 10:00"),
        ("every fri and mon at 10:00", "every monday and friday at 10:00"),
        ("weekly on monday at 02:00", "every monday at 02:00"),
        ("every week on tues", "every tuesday at 00:00"),
        ("every 2 weeks on mon,thu", "every 2 weeks on monday and thursday at 00:00"),
        ("monthly", "0 0 1 * *"),
        ("yearly Europe/Paris", "0 0 1 1 * Europe/Paris"),
        ("@daily Europe/Paris", "0 0 * * * Europe/Paris"),
        ("0 9 * * mon-fri", "0 9 * * MON-FRI"),
        ("at 2026-12-01 09:00", "at 2026-12-01T09:00"),
        ("once at 2026-12-01T09:00", "at 2026-12-01T09:00"),
        ("at 2026-12-01T09:00Z", "at 2026-12-01T09:00 UTC"),
        ("at 2026-12-01T09:00+01:00", "at 2026-12-01T08:00 UTC"),
    ],
)
def test_other_ways_to_say_it_are_read_as_the_same(text, canonical):
    # R4
    assert str(parse(text)) == canonical


TIMES = st.times().map(lambda moment: moment.replace(microsecond=0))
ZONES = st.sampled_from([None, "UTC", "tenant", "Europe/Paris", "America/Argentina/Ushuaia", "Etc/GMT-14", "EST5EDT"])
DATES = st.dates(min_value=NOON.date().replace(year=1950), max_value=NOON.date().replace(year=2150))
MOMENTS = st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2150, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
ANCHORS = st.one_of(st.none(), DATES)
TIMINGS = st.one_of(
    st.builds(
        Interval,
        every=st.integers(1, 3660 * 86400).map(lambda seconds: timedelta(seconds=seconds)),
        anchor=st.one_of(st.none(), MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC))),
    ),
    st.builds(Calendar, unit=st.just(Unit.DAY), at=TIMES, n=st.integers(1, 400), anchor=ANCHORS, tz=ZONES),
    st.builds(
        Calendar,
        unit=st.just(Unit.WEEK),
        at=TIMES,
        n=st.integers(1, 60),
        weekdays=st.sets(st.integers(0, 6), min_size=1).map(lambda days: tuple(sorted(days))),
        anchor=ANCHORS,
        tz=ZONES,
    ),
    st.builds(
        Calendar,
        unit=st.just(Unit.HOUR),
        at=TIMES.map(lambda moment: moment.replace(hour=0)),
        n=st.sampled_from([1, 2, 3, 4, 6, 8, 12]),
        tz=ZONES,
    ),
    st.builds(Once, at=MOMENTS, tz=ZONES),
    st.builds(Cron, expression=st.sampled_from(["*/5 * * * *", "H H 1-7 * SUN", "0 30 2 L * *"]), tz=ZONES),
)


@given(TIMINGS)
def test_every_timing_prints_a_text_that_is_read_as_the_same_timing(timing):
    # R4
    assert parse(str(timing)) == timing


def test_the_default_zone_holds_only_where_the_text_names_none():
    # R4
    assert parse("daily at 02:00", tz="Europe/Paris").tz == "Europe/Paris"
    assert parse("daily at 02:00 Asia/Tokyo", tz="Europe/Paris").tz == "Asia/Tokyo"
    assert parse("daily at 02:00 UTC", tz="Europe/Paris").tz == "UTC"
    assert parse("daily at 02:00").tz is None
    assert parse("every 15 minutes", tz="Europe/Paris") == parse("every 15 minutes")


def test_a_timing_without_a_zone_is_computed_in_utc():
    # R1
    assert next_slot(parse("daily at 02:30"), after=NOON) == datetime(2026, 5, 6, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "field", "hint"),
    [
        ("", "text", "every 15 minutes"),
        ("   ", "text", "every 15 minutes"),
        ("blurb", "weekday", "every 15 minutes"),
        ("every", "weekday", "every 15 minutes"),
        ("every blurb", "weekday", "every 15 minutes"),
        ("every 5 blurbs", "unit", "every 2 weeks on monday"),
        ("every 0 minutes", "interval", "0 is not between"),
        ("every 99999999999 minutes", "interval", "is not between"),
        ("every 99999 days", "interval", "3660"),
        ("every -5 minutes", "weekday", "every 15 minutes"),
        ("every 1.5 hours", "weekday", "every 15 minutes"),
        ("every 15 minutes at 02:00", "time", "leave it out"),
        ("every 15 minutes Europe/Paris", "zone", "leave it out"),
        ("every 15 minutes on monday", "weekday", "every week on monday"),
        ("every 15 minutes from soon", "date", "2026-12-01T09:00"),
        ("every 5 hours at :10", "interval", "every 5 hours"),
        ("every hour at 17", "time", ":17"),
        ("every hour at :60", "time", ":17"),
        ("every day on monday", "weekday", "every week on monday"),
        ("every 2 days at 02:00 from yesterday", "anchor", "2026-01-05"),
        ("daily at 9", "time", "02:30"),
        ("daily at 24:00", "time", "23:59:59"),
        ("daily at 02:60", "time", "23:59:59"),
        ("daily at 13pm", "time", "no 13 pm"),
        ("daily at", "weekday", "every 15 minutes"),
        ("daily at 02:30 Europe/Pariss", "zone", "IANA"),
        ("daily at 02:30 europe/paris", "zone", "IANA"),
        ("daily at 02:30 Europe/", "zone", "IANA"),
        ("daily at 02:30 Europe/../UTC", "zone", "IANA"),
        ("daily at 02:30 right/Europe/Paris", "zone", "IANA"),
        ("daily at 02:30 America", "time", "zone"),
        ("daily at 02:30 localtime", "time", "zone"),
        ("weekly", "weekday", "every week on monday"),
        ("every 2 weeks", "weekday", "every week on monday"),
        ("every 2 mondays", "unit", "every 2 weeks on monday"),
        ("every monday and blurbday at 02:00", "weekday", "blurbday"),
        ("at 09:00", "date", "daily at 09:00"),
        ("at 2026-12-01", "time", "2026-12-01T09:00"),
        ("at 2026-02-30T09:00", "date", "2026-12-01T09:00"),
        ("at 2026-12-01T09:00+01:00 Europe/Paris", "zone", "leave one of the two out"),
        ("at 2026-12-01T09:00:00.5", "time", "whole seconds"),
        ("at 0001-01-01T00:00+14:00", "date", "the year"),
        ("every 2 hours from 9999-12-31T23:00-14:00", "date", "the year"),
        ("15m", "text", "5, or 6"),
        ("30 2 * * * Europe/Pariss", "zone", "IANA"),
        ("@daily Europe/Pariss", "zone", "IANA"),
        ("every ٣ minutes", "weekday", "every 15 minutes"),
    ],
)
def test_nonsense_is_refused_with_the_field_and_the_way_out(text, field, hint):
    # R2, R64
    with pytest.raises(BadSchedule) as refused:
        parse(text)

    assert refused.value.field == field
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("daily at 02:30 Europe/Paris", "daily at 02:30 Europe/Paris"),
        ("30 2 * * * Europe/Paris", "daily at 02:30 Europe/Paris"),
        ("@daily", "daily at 00:00"),
        ("0 2 * * 1-5", "every weekday at 02:00"),
        ("0 2 * * 7", "every sunday at 02:00"),
        ("0 2 * * 1", "every monday at 02:00"),
        ("17 * * * *", "every hour at :17"),
        ("every 15 minutes", "every 15 minutes"),
        ("daily at 02:30 tenant", "daily at 02:30, in the zone of the tenant"),
        ("at 2026-12-01T09:00 Europe/Berlin", "once at 2026-12-01 09:00 Europe/Berlin"),
        ("*/15 9-17 * * MON-FRI", "every 15th minute from 09:00 through 17:59 on Monday through Friday"),
        ("0 0 13 * 5 UTC", "at 00:00 on the 13th day of month or on Friday UTC"),
        ("0 0 */2 * 5", "at 00:00 on every second day of month if it's on Friday"),
        ("0 9 22 * *", "at 09:00 on the 22nd day of every month"),
        ("0 9 12 * *", "at 09:00 on the 12th day of every month"),
        ("H 2 * * *", "cron H 2 * * * (each H stays the same for a schedule and tenant)"),
        ("0 2 1 * THU", "at 02:00 on the first day of month or on Thursday"),
    ],
)
def test_a_timing_is_said_in_words(text, words):
    # R16
    assert describe(parse(text)) == words


def notes_of(text: str, *, after: datetime, hours: int = 12) -> dict[str, str | None]:
    timing = parse(text, tz="Europe/Paris")
    found = slots(timing, after=after, until=after + timedelta(hours=hours))
    return {f"{slot:%H:%M}": notes(timing, slot) for slot in found}


SPRING = datetime(2026, 3, 29, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 23, tzinfo=UTC)


def test_a_slot_whose_time_does_not_exist_has_a_note():
    # R3, `rota explain`
    note = "02:30 does not exist: runs at the first minute after the gap"

    assert notes_of("daily at 02:30", after=SPRING) == {"01:00": note}
    assert notes_of("30 2 * * *", after=SPRING) == {"01:00": note}
    assert notes_of("at 2026-03-29T02:30", after=SPRING) == {"01:00": note}


def test_several_times_in_one_gap_share_a_note():
    # R3
    assert notes_of("0,20,40 2 * * *", after=SPRING) == {
        "01:00": "02:00, 02:20, 02:40 do not exist: runs once, at the first minute after the gap"
    }
    assert "02:20 and others do not exist" in notes_of("0-59/10 2 * * *", after=SPRING)["01:00"]


def test_a_slot_whose_time_comes_twice_has_a_note():
    # R3
    assert notes_of("daily at 02:30", after=AUTUMN) == {"00:30": "02:30 happens twice: runs at the first"}
    assert notes_of("at 2026-10-25T02:30", after=AUTUMN) == {"00:30": "02:30 happens twice: runs at the first"}
    assert notes_of("*/30 2 * * *", after=AUTUMN) == {
        "00:00": "02:00 happens twice: runs both times",
        "00:30": "02:30 happens twice: runs both times",
        "01:00": "02:00 happens twice: runs both times",
        "01:30": "02:30 happens twice: runs both times",
    }


@pytest.mark.parametrize("text", ["every 30 minutes", "*/30 3,4 * * *", "daily at 03:00", "daily at 04:30"])
def test_a_slot_that_the_change_leaves_alone_has_no_note(text):
    assert set(notes_of(text, after=SPRING).values()) == {None}
    assert notes(parse("daily at 02:30 Europe/Paris"), datetime(2026, 3, 28, 1, 30, tzinfo=UTC)) is None


def test_a_note_on_a_naive_slot_is_refused():
    with pytest.raises(ValueError, match="naive"):
        notes(parse("every 15 minutes"), NOON.replace(tzinfo=None))


def test_the_days_of_the_week_are_those_of_the_calendar():
    # R4
    for at, name in enumerate(WEEKDAYS):
        for text in (name, name[:3], f"{name}s"):
            slot = next_slot(parse(f"every {text} at 02:00"), after=NOON)
            assert slot.weekday() == at
