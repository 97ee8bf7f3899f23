"""A small table of flights in the form of the real one, and what the job must make of it."""

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

HEAD = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,"
    "origin,dest,air_time,distance,hour,minute,time_hour"
)


class Departure(NamedTuple):
    """What tests say of a flight; `clock` is the scheduled time on New York's clocks."""

    carrier: str
    day: date
    clock: str
    delay: int | None = 0


def lines(departures: Sequence[Departure]) -> list[str]:
    """Return the table of these departures, with its head."""
    written = io.StringIO()
    table = csv.writer(written)
    for number, departure in enumerate(departures):
        hour, minute = (int(part) for part in departure.clock.split(":"))
        known = departure.delay is not None
        table.writerow(
            [
                departure.day.year, departure.day.month, departure.day.day, 1 if known else "NA", hour * 100 + minute,
                departure.delay if known else "NA", "NA", 1200, "NA", departure.carrier, number, "NA",
                "EWR", "IAH", "NA", 1400, hour, minute, "unread",
            ]
        )  # fmt: skip
    return [HEAD, *written.getvalue().splitlines()]


def departures(carriers: Sequence[str], *, first: date, days: int, seed: int = 13) -> list[Departure]:
    """Return a few departures a day for each airline, none of them at night."""
    random = Random(seed)
    return [
        Departure(
            carrier,
            first + timedelta(days=day),
            f"{random.randint(5, 23)}:{random.randint(0, 59):02}",
            random.choice([None, -5, 0, 3, 16, 240]),
        )
        for day in range(days)
        for carrier in carriers
        for _ in range(random.randint(1, 6))
    ]
