"""The example on real data: every flight is in one day, and the job's sums are those of the raw table."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import make_url

from examples.flights import data, databases, totals
from examples.flights.data import ZONE
from examples.flights.delays import day_of, days
from rota import every, next_slots
from rota.core.model import State
from rota.stores import open_store
from tests.examples.small import Departure, departures, lines

REPOSITORY = Path(__file__).parents[2]
NEW_YORK = ZoneInfo(ZONE)


@pytest.mark.parametrize(
    ("clock", "day"),
    [
        ("2013-03-10T01:59-05:00", "2013-03-09"),
        ("2013-03-10T03:00-04:00", "2013-03-09"),
        ("2013-03-10T03:01-04:00", "2013-03-10"),
        ("2013-11-03T01:30-04:00", "2013-11-02"),
        ("2013-11-03T01:30-05:00", "2013-11-02"),
        ("2013-11-03T03:00-05:00", "2013-11-02"),
        ("2013-11-03T03:01-05:00", "2013-11-03"),
        ("2013-07-27T01:06-04:00", "2013-07-26"),
    ],
)
def test_a_day_of_operation_ends_at_three_also_when_the_clocks_change(clock, day):
    assert day_of(datetime.fromisoformat(clock)).isoformat() == day


@pytest.mark.parametrize(("first", "hours"), [(date(2013, 3, 9), [23, 24]), (date(2013, 11, 2), [25, 24])])
def test_each_minute_around_a_change_of_the_clocks_is_in_the_window_of_its_day_only(first, hours):  # R3
    start = datetime(first.year, first.month, first.day, 3, tzinfo=NEW_YORK).astimezone(UTC)
    slots = [start, *next_slots(every().day.at("03:00", tz=ZONE), after=start, count=2)]
    windows = list(pairwise(slots))
    minutes = [start + timedelta(minutes=minute) for minute in range(1, 60 * sum(hours) + 1)]

    found = [[index for index, (since, until) in enumerate(windows) if since < at <= until] for at in minutes]

    assert [(until - since) / timedelta(hours=1) for since, until in windows] == hours
    assert found == [[(day_of(at) - first).days] for at in minutes]


def test_the_rows_of_the_table_become_flights_with_their_departure_in_utc():
    table = lines([Departure("AA", date(2013, 1, 1), "5:15", 2), Departure("UA", date(2013, 7, 1), "23:59", None)])

    first, second = data.flights(table)

    assert first[:2] == ("AA", datetime(2013, 1, 1, 10, 15, tzinfo=UTC).timestamp())
    assert second[:2] == ("UA", datetime(2013, 7, 2, 3, 59, tzinfo=UTC).timestamp())
    assert (first.delay, second.delay) == (2, None)


def test_a_day_counts_what_left_late_and_what_did_not_leave():
    noon = int(datetime(2013, 6, 1, 16, tzinfo=UTC).timestamp())

    [day] = days([(noon, 20), (noon + 60, -2), (noon + 120, None), (noon, 15)])

    assert day == ("2013-06-01", 4, 1, 33, 11.0, 15, 20, 1)


def test_a_day_on_which_nothing_left_has_no_mean():
    [day] = days([(0, None)])

    assert (day.flights, day.cancelled, day.mean_delay, day.max_delay) == (1, 1, None, None)


def test_a_download_that_is_not_what_was_published_is_refused(tmp_path):
    (tmp_path / f"{data.RELEASE}.tar.gz").write_bytes(b"something else")

    with pytest.raises(SystemExit, match="as it was published"):
        data.fetch(tmp_path)


def test_the_comparison_fails_on_a_single_minute(capsys):
    right = {"AA": totals.Total(3, 1, 20)}

    assert totals.show(right, right, {})
    assert not totals.show({"AA": totals.Total(3, 1, 21)}, right, {})
    assert "DIFFERENT" in capsys.readouterr().out


def test_a_backfill_of_three_airlines_finds_what_a_direct_count_finds(tmp_path):  # R9, R13
    environment = {"FLIGHTS_WORK": str(tmp_path)}

    work_and_compare(environment, at=f"sqlite:///{tmp_path / 'airlines'}", store=f"sqlite:///{tmp_path / 'rota.db'}")


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_with_one_changed_url_the_airlines_are_on_a_server(kind, tmp_path, request):  # R20, R22
    server = request.getfixturevalue(f"{kind}_server")
    at = server.url("")
    environment = {"FLIGHTS_WORK": str(tmp_path), "FLIGHTS_DATABASES": at}

    try:
        work_and_compare(environment, at=at, store=f"sqlite:///{tmp_path / 'rota.db'}")
    finally:
        for carrier in ("xx", "yy", "zz"):
            server.drop_database(f"flights_{carrier}")


def work_and_compare(environment, *, at, store):
    # One at the very turn of the day, on the day of 23 hours; one in the night, which belongs to the day before.
    at_the_turn = [Departure("XX", date(2013, 3, 10), "3:00", 7), Departure("YY", date(2013, 3, 11), "1:06", None)]
    table = lines([*at_the_turn, *departures(["XX", "YY", "ZZ"], first=date(2013, 3, 8), days=5)])
    databases.build(data.flights(table), make_url(at))
    command = [sys.executable, "-m", "examples.flights.work", "2013-03-09", "2013-03-14"]

    for _ in range(2):
        done = subprocess.run(
            command, cwd=REPOSITORY, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # The second time there was nothing left to do.
    assert "0 runs to add" in done.stdout
    assert totals.found(["XX", "YY", "ZZ"], make_url(at)) == totals.counted(table)
    assert states(store) == [State.SUCCEEDED] * 15


def states(url):
    store = open_store(url)
    since = datetime(2013, 3, 1, tzinfo=UTC)
    found = store.slot_states("daily_delays", since=since, until=since + timedelta(days=300))
    store.close()
    return [entry.state for entry in found]
