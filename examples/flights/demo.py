"""The whole example from nothing: `make demo`.

Ends with 1 when one number differs from a direct count, or a run did not end as it should.
"""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from examples.flights import data, databases, totals, year
from examples.flights.app import daily_delays, rota
from examples.flights.bar import bar
from examples.flights.places import DATABASES, STORE, WORK, clear, environment
from examples.flights.work import work_off
from rota import Mode, State
from rota.redaction import redacted
from rota.settings import load

# A place for each airline, and a store on a server may be set up by whoever comes first.
DEFAULTS = {"ROTA_WORKER__CONCURRENCY": "16", "ROTA_STORE__MIGRATE": "auto"}


def main() -> int:
    """Fetch, build, make up the year, compare; then break one airline and mend it."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    rota.configure(load(env=environment(**DEFAULTS)))
    # The store goes with the databases: what it remembers is about them.
    clear()
    with timed("1. The flights of 2013"):
        archive = data.fetch()
        with data.opened(archive, data.AIRLINES) as lines:
            names = data.airlines(lines)
        with data.opened(archive, data.FLIGHTS) as lines:
            flights = list(data.flights(lines))
        print(f"  {len(flights):,} flights of {len(names)} airlines left New York")
    with timed("2. One database per airline"):
        built = databases.build(flights)
        print(f"  {len(built)} databases at {DATABASES.render_as_string()}, {min(built.values())} to "
              f"{max(built.values()):,} flights each")  # fmt: skip
    succeeded = backfill()
    with timed("4. What the job found, beside a direct count of the raw table"):
        with data.opened(archive, data.FLIGHTS) as lines:
            direct = totals.counted(lines)
        agree = totals.show(totals.found(direct), direct, names)
        print("  Every number is equal." if agree else "  SOME NUMBERS DIFFER.")
    print("\n5. One airline is broken, and mended", flush=True)
    # In a process of its own: it has a store and databases of its own, always files.
    without = {name: value for name, value in environment().items() if not name.startswith("FLIGHTS_")}
    mended = subprocess.run(
        [sys.executable, "-m", "examples.flights.broken"],
        env={**without, "FLIGHTS_WORK": str(WORK / "broken")},
        check=False,
    )
    return 0 if succeeded and agree and mended.returncode == 0 else 1


def backfill() -> bool:
    """Make up the year; return whether every run succeeded."""
    with timed("3. The job, for every airline and every day of the year"):
        started = rota.clock.monotonic()
        # `all`: the databases are new, whatever a store on a server remembers of earlier ones.
        asked = rota.backfill(daily_delays.name, since=year.SINCE, until=year.UNTIL, mode=Mode.ALL)
        total = asked.preview.total
        took = rota.clock.monotonic() - started
        print(f"  rota.backfill({daily_delays.name!r}, since={year.SINCE:%Y-%m-%d}, until={year.UNTIL:%Y-%m-%d})")
        print(f"  {asked.preview.slots} slots x {len(asked.preview.tenants)} airlines: asked for in {took:.1f} s")
        with bar(total, monotonic=rota.clock.monotonic) as show:
            standing = work_off(show)
        states = rota.store.slot_states(daily_delays.name, since=year.SINCE, until=year.UNTIL)
        succeeded = sum(entry.state is State.SUCCEEDED for entry in states)
        print(f"  {succeeded:,} of {len(states):,} runs succeeded, {standing.failed} failed; kept in {redacted(STORE)}")
        return succeeded == len(states) == total


@contextmanager
def timed(title: str) -> Iterator[None]:
    """Name a step and say how long it took."""
    print(f"\n{title}", flush=True)
    started = rota.clock.monotonic()
    yield
    print(f"  took {rota.clock.monotonic() - started:.1f} s", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
