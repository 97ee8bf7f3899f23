"""What the job found for each airline, beside a count of the raw table; ends with 1 when they differ."""

import csv
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import URL, NullPool, create_engine, text

from examples.flights import data
from examples.flights.places import DATABASES, database_of

FOUND = text("SELECT SUM(flights), SUM(cancelled), SUM(delay_minutes) FROM daily_delays")


NAME = 20
WIDTHS = ((7, 7), (9, 6), (9, 9))


class Total(NamedTuple):
    """What is compared."""

    flights: int = 0
    cancelled: int = 0
    delay_minutes: int = 0


def counted(lines: Iterable[str]) -> dict[str, Total]:
    """Return the totals of the raw table. Shares no code with the job: it is the judge."""
    totals: dict[str, list[int]] = {}
    rows = csv.reader(lines)
    head = next(rows)
    carrier, delay = head.index("carrier"), head.index("dep_delay")
    for row in rows:
        total = totals.setdefault(row[carrier], [0, 0, 0])
        total[0] += 1
        if row[delay] == data.UNKNOWN:
            total[1] += 1
        else:
            total[2] += int(row[delay])
    return {carrier: Total(*totals[carrier]) for carrier in sorted(totals)}


def found(carriers: Iterable[str], at: URL = DATABASES) -> dict[str, Total]:
    """Return the totals of the tables that the job wrote."""
    totals = {}
    for carrier in carriers:
        engine = create_engine(database_of(carrier, at), poolclass=NullPool)
        with engine.connect() as connection:
            totals[carrier] = Total(*(int(value or 0) for value in connection.execute(FOUND).one()))
    return totals


def show(found: Mapping[str, Total], counted: Mapping[str, Total], names: Mapping[str, str]) -> bool:
    """Print both side by side; return whether all of them agree."""
    print(
        f"  {'':{NAME}} {'flights':>7}  {'direct':>7}  {'cancelled':>9}  {'direct':>6}  {'delay min':>9}  {'direct':>9}"
    )
    for carrier in counted:
        _line(f"{carrier} {names.get(carrier, '')}", found[carrier], counted[carrier])
    _line("all", _sum(found), _sum(counted))
    return found == counted


def _line(name: str, ours: Total, theirs: Total) -> None:
    numbers = zip(ours, theirs, WIDTHS, strict=True)
    columns = "  ".join(f"{mine:>{width[0]},}  {other:>{width[1]},}" for mine, other, width in numbers)
    print(f"  {name[:NAME]:{NAME}} {columns}  {'=' if ours == theirs else 'DIFFERENT'}")


def _sum(totals: Mapping[str, Total]) -> Total:
    return Total(*(sum(column) for column in zip(*totals.values(), strict=True)))


def main() -> int:
    """Compare what is there."""
    archive = data.fetch()
    with data.opened(archive, data.AIRLINES) as lines:
        names = data.airlines(lines)
    with data.opened(archive, data.FLIGHTS) as lines:
        direct = counted(lines)
    return 0 if show(found(direct), direct, names) else 1


if __name__ == "__main__":
    sys.exit(main())
