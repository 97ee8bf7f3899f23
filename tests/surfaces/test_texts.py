"""Text in and out: durations and times that are typed, text that is shown."""

from datetime import UTC, datetime, timedelta
from time import thread_time
from unicodedata import category
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rota.core.duration import duration_text, parse_duration, rough_duration
from rota.core.safe import safe_text
from rota.core.secret_shape import without_shapes
from rota.core.times import parse_time

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10m", 600),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("1W", 604800),
    ],
)
def test_durations_are_read_with_their_units(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "90", "-5s", "soon", "5 parsecs", "9" * 500 + "s", "99999999d", "1h-30m", "١h x"])
def test_what_is_no_duration_is_refused(text):  # R64
    with pytest.raises(ValueError, match=r"no duration|century"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**11))
def test_a_duration_survives_being_written_and_read(milliseconds):
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.1204, "120ms"), (4.02, "4.0s"), (41, "41s"), (372, "6m12s"), (277200, "3d5h"), (3600, "1h")],
)
def test_durations_in_tables_have_two_units(seconds, text):
    assert rough_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-11-20T02:00+01:00", "2026-11-20T01:00"),
        ("2026-11-20T02:00", "2026-11-20T01:00"),
        ("2026-11-20 02:00:30", "2026-11-20T01:00:30"),
        ("2026-01-01", "2025-12-31T23:00"),
        ("02:00", "2026-11-20T01:00"),
        ("-3h", "2026-11-20T09:00"),
        ("2d", "2026-11-18T12:00"),
        ("+10m", "2026-11-20T12:10"),
        ("now", "2026-11-20T12:00"),
        ("yesterday 02:00", "2026-11-19T01:00"),
        ("tomorrow", "2026-11-20T23:00"),
    ],
)
def test_times_are_read_as_people_type_them(text, utc):
    assert parse_time(text, now=NOW, zone=PARIS) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "2026-13-01", "2026-02-30", "yesterday 99:99", "20261120", "0001-01-01", "x" * 9000]
)
def test_what_is_no_time_is_refused_with_examples(text):  # R64
    with pytest.raises(ValueError, match=r"no time|too far"):
        parse_time(text, now=NOW, zone=PARIS)


@given(st.text())
def test_shown_text_has_no_character_that_a_terminal_obeys(text):  # R65
    shown = safe_text(text)

    assert all(char.isprintable() or category(char) == "Zs" for char in shown)


def test_tracebacks_keep_their_lines_and_nothing_else():
    assert safe_text("a\n\tb\x1b[31m\u202ec", lines=True) == "a\n\tb\\x1b[31m\\u202ec"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://rota:hunter2@db/rota", "postgresql://rota:***@db/rota"),
        ("mysql+pymysql://ops:p@ss:w0rd@db1", "mysql+pymysql://ops:***@db1"),
        ("at redis://:secret@h and smtp://a:b@c", "at redis://:***@h and smtp://a:***@c"),
        ("postgresql://db/rota?user=a&password=hunter2&x=1", "postgresql://db/rota?user=a&password=***&x=1"),
        ("sqlite:///rota.db", "sqlite:///rota.db"),
        ("https://example.org:8080/a@b", "https://example.org:8080/a@b"),
    ],
)
def test_passwords_in_urls_are_masked(text, shown):  # R65
    assert without_shapes(text) == shown


@pytest.mark.parametrize("text", ["y" * 200_000, "a.b-c+" * 40_000, "x://" * 50_000, "x://a:" + "b" * 200_000])
def test_a_long_word_is_looked_through_once(text):  # F9, F21
    # From each of its letters anew, this would take minutes: a job that prints it would stop its whole worker.
    began = thread_time()

    without_shapes(text)

    assert thread_time() - began < 2


def test_whatever_the_word_begins_with_its_password_is_masked():  # R65
    text = "(postgresql+psycopg://u:p@ss@h/db) 9mysql://u:secret@h _x://a:b@c"

    assert without_shapes(text) == "(postgresql+psycopg://u:***@h/db) 9mysql://u:***@h _x://a:***@c"
