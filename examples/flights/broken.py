"""One airline's database is damaged for ten days, then mended, and what it missed is made up by one command."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from examples.flights import data, databases
from examples.flights.app import daily_delays, rota
from examples.flights.places import clear, database_of, environment
from rota import Run, State
from rota.queries import RoundQuery, RunQuery
from rota.settings import load

SINCE, UNTIL = "2013-06-02", "2013-06-12"
BROKEN = "HA"
HEADER = b"SQLite format 3\x00"
# A damaged file stays damaged: one attempt is enough to see it. Parked after three, the airline would keep its other
# days until it can be reached, and the first command would wait for that.
ENVIRONMENT = environment() | {
    "ROTA_APP": "examples.flights.app:rota",
    "ROTA_RETRY__ATTEMPTS": "1",
    "ROTA_TENANTS__PARK_AFTER": "0",
}
COMMAND = ["rota", "backfill", daily_delays.name, "--since", SINCE, "--until", UNTIL]


def main() -> int:
    """Build, damage, run, mend, make up; return 0 if exactly the damaged airline failed, and nothing at the end."""
    rota.configure(load(env=ENVIRONMENT))
    clear()
    with data.opened(data.fetch(), data.FLIGHTS) as lines:
        databases.build(flight for flight in data.flights(lines) if in_range(flight))
    file = Path(str(database_of(BROKEN).database))
    whole = file.read_bytes()
    file.write_bytes(b"\x00" * len(HEADER) + whole[len(HEADER) :])
    print(f"\n  The first bytes of {file.name} are overwritten.", flush=True)
    with rota.working():
        first = command(*COMMAND, "--yes")
        alone = {run.tenant for run in found(State.FAILED)} == {BROKEN}
        report()
        file.write_bytes(whole)
        print(f"\n  {file.name} is mended.", flush=True)
        second = command(*COMMAND, "--mode", "failed", "--yes")
        report()
    return 0 if alone and (first, second, found(State.FAILED)) == (6, 0, []) else 1


def in_range(flight: data.Flight) -> bool:
    """Tell whether a flight is of June: the ten days are in it."""
    return 1370000000 < flight.departs_at < 1372600000


def command(*words: str) -> int:
    """Run a command as a person would, and show it; return its exit code."""
    print(f"\n  $ {' '.join(words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", *words], env=ENVIRONMENT, check=False)
    print(f"  exit code {done.returncode}", flush=True)
    return done.returncode


def report() -> None:
    """Say how the rounds ended, and whose runs did not."""
    rounds = Counter(str(round_.state) for round_ in rota.store.rounds(RoundQuery(jobs=(daily_delays.name,))))
    runs = Counter(str(run.state) for run in found())
    failed = {f"{run.tenant} ({run.error.first_line})" for run in found(State.FAILED) if run.error}
    print(f"  rounds: {_counts(rounds)}; runs: {_counts(runs)}; failed: {', '.join(sorted(failed)) or 'nobody'}")


def found(*states: State) -> list[Run]:
    """Return the runs in these states, or all."""
    return rota.store.runs(RunQuery(jobs=(daily_delays.name,), states=states, limit=1000))


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(counter.items()))


if __name__ == "__main__":
    sys.exit(main())
