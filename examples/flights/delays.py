"""What the job computes: the delays of an airline, day by day."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from statistics import median
from typing import NamedTuple
from zoneinfo import ZoneInfo

from examples.flights.data import ZONE

TURN = timedelta(hours=3)
"""A day of operation ends at 03:00 in New York, when nothing is due to leave."""

SECOND = timedelta(seconds=1)
"""Departures are known to the minute; a second after the end of a day is in the next one."""

HOUR_S = 3600
LATE_MINUTES = 15


class Day(NamedTuple):
    """The departures of one day of operation."""

    day: str
    flights: int
    cancelled: int
    delay_minutes: int
    mean_delay: float | None
    median_delay: float | None
    max_delay: int | None
    late: int
    """How many left more than 15 minutes late."""


def day_of(instant: datetime) -> date:
    """Return the day of operation of an instant: (03:00, 03:00 of the next day] on New York's clocks.

    The clocks change before 03:00, so the days of the change have 23 and 25 hours and no instant is in two of them.
    """
    on_the_wall = instant.astimezone(ZoneInfo(ZONE)).replace(tzinfo=None)
    return (on_the_wall - TURN - SECOND).date()


def days(departures: Iterable[tuple[int, int | None]]) -> list[Day]:
    """Return the days of (scheduled departure, delay) pairs, in order; days without any are left out."""
    delays: dict[date, list[int | None]] = {}
    for departs_at, delay in departures:
        # The turn of the day is on the hour, and belongs to the day that ends.
        delays.setdefault(_day_of_hour((departs_at - 1) // HOUR_S), []).append(delay)
    return [_sum_up(day, delays[day]) for day in sorted(delays)]


@cache
def _day_of_hour(hour: int) -> date:
    return day_of(datetime.fromtimestamp((hour + 1) * HOUR_S, UTC))


def _sum_up(day: date, delays: list[int | None]) -> Day:
    left = [delay for delay in delays if delay is not None]
    return Day(
        day=day.isoformat(),
        flights=len(delays),
        cancelled=len(delays) - len(left),
        delay_minutes=sum(left),
        mean_delay=sum(left) / len(left) if left else None,
        median_delay=median(left) if left else None,
        max_delay=max(left, default=None),
        late=sum(delay > LATE_MINUTES for delay in left),
    )
