"""A worker that is killed again and again loses nothing and does nothing twice, on real databases."""

import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from examples.flights import data, databases, totals
from examples.flights.places import database_of
from rota.core.model import State
from rota.queries import RunQuery
from rota.stores import open_store
from tests.examples.small import departures, lines
from tests.system.processes import kill_tree, wait_until

REPOSITORY = Path(__file__).parents[2]
CARRIERS = ["QA", "QB", "QC", "QD", "QE", "QF"]
DAYS = 50
KILLS = 6
pytestmark = pytest.mark.timeout(300)  # Seven processes one after the other, each with something to do.
ROTA = [sys.executable, "-m", "rota", "--app", "examples.flights.app:rota"]
SETTINGS = {"ROTA_STORE__MIGRATE": "auto"}


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_a_backfill_killed_at_random_moments_ends_with_one_success_per_airline_and_day(kind, tmp_path, request):
    # R13, R30, R43; G1, G2: an accepted run is attempted until it is final, whatever process dies wherever.
    store = f"sqlite:///{tmp_path / 'rota.db'}" if kind == "sqlite" else request.getfixturevalue(f"{kind}_database")
    airlines = make_url(f"sqlite:///{tmp_path / 'airlines'}")
    table = lines(departures(CARRIERS, first=date(2013, 2, 20), days=DAYS))
    databases.build(data.flights(table), airlines)
    environment = {**os.environ, **SETTINGS, "FLIGHTS_WORK": str(tmp_path), "FLIGHTS_STORE": store}

    killed = work_through_kills(environment, random=Random(20130310))

    # A fast machine may be done before the last kill.
    assert killed >= 3
    assert runs_of(store) == Counter({(carrier, State.SUCCEEDED): DAYS for carrier in CARRIERS})
    assert slots_of(store) == dict.fromkeys(CARRIERS, DAYS)
    assert totals.found(CARRIERS, airlines) == totals.counted(table)
    for carrier in CARRIERS:
        assert days_of(carrier, airlines) == days_in(table, carrier)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_rota_start_killed_at_random_moments_ends_with_one_success_per_airline_and_day(kind, tmp_path, request):
    # R30; G1, G2, G4: the same, with the command that people start, and the work asked for by another.
    store = f"sqlite:///{tmp_path / 'rota.db'}" if kind == "sqlite" else request.getfixturevalue(f"{kind}_database")
    airlines = make_url(f"sqlite:///{tmp_path / 'airlines'}")
    table = lines(departures(CARRIERS, first=date(2013, 2, 20), days=DAYS))
    databases.build(data.flights(table), airlines)
    environment = {**os.environ, **SETTINGS, "FLIGHTS_WORK": str(tmp_path), "FLIGHTS_STORE": store}
    span = ("--since", "2013-02-21", "--until", "2013-04-12")
    asked = subprocess.run(
        [*ROTA, "backfill", "daily_delays", *span, "--detach", "--yes"], cwd=REPOSITORY, env=environment, check=False
    )
    assert asked.returncode == 0

    with closing(open_store(store)) as ledger:
        start_and_kill(environment, ledger, random=Random(20131103))
        lost = sum(run.lost_count for run in ledger.runs(RunQuery(limit=10_000)))

    assert lost > 0, "no kill hit a run: the test proves nothing"
    assert runs_of(store) == Counter({(carrier, State.SUCCEEDED): DAYS for carrier in CARRIERS})
    assert slots_of(store) == dict.fromkeys(CARRIERS, DAYS)
    assert totals.found(CARRIERS, airlines) == totals.counted(table)


def start_and_kill(environment, ledger, *, random):
    """Start `rota start` and kill it while it is at some run, each time after some more have succeeded; then let one
    finish."""
    for _ in range(KILLS):
        wanted = done(ledger) + random.randint(1, DAYS * len(CARRIERS) // (3 * KILLS))
        # Slow enough to be met at work: by themselves these jobs are over before a signal arrives.
        with started(environment, app="tests.system.slow_flights:rota") as process:
            wait_until(lambda: done(ledger) >= wanted and at_work(ledger), what=f"{wanted} successes")  # noqa: B023
            kill_tree(process)
    with started(environment) as process:
        wait_until(lambda: done(ledger) == DAYS * len(CARRIERS), what="the end of the work")
        process.terminate()
        assert process.wait(timeout=60) == 0


@contextmanager
def started(environment, *, app="examples.flights.app:rota"):
    command = [sys.executable, "-m", "rota", "--app", app, "start"]
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        kill_tree(process)


def at_work(ledger):
    return bool(ledger.runs(RunQuery(states=(State.RUNNING,), limit=1)))


def done(ledger):
    return len(ledger.runs(RunQuery(states=(State.SUCCEEDED,), limit=10_000)))


def work_through_kills(environment, *, random):
    """Start the work and kill it, until it ends by itself; return how often it was killed."""
    for kills in range(KILLS + 1):
        worker = Worker(environment)
        if kills == KILLS:
            assert worker.wait(60), worker.said
            assert worker.process.returncode == 0, worker.said
        elif random.random() < 0.25:
            # While it starts, opens the store or asks for the runs.
            worker.wait(random.uniform(0.2, 1.5))
        else:
            # In the midst of the work. After two rounds of all airlines: what the last kill hit is done by then, and
            # no run is hit three times in a row, which would rightly make it poison (R30).
            worker.has_ended(random.randint(2, 6) * len(CARRIERS))
            worker.wait(random.uniform(0, 0.2))
        if worker.process.poll() is not None:
            worker.close()
            return kills
        worker.process.kill()
        worker.close()
    raise AssertionError("the last one was not killed")


class Worker:
    """A process that works, and what it says."""

    def __init__(self, environment):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "examples.flights.work", "2013-02-21", "2013-04-12"],
            cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.said = ""
        self._watchdog = threading.Timer(60, self.process.kill)
        self._watchdog.start()

    def has_ended(self, count):
        """Read what it says until so many runs have ended in it, or it is over."""
        for line in self.process.stdout:
            self.said += line
            number, _, rest = line.partition(" ")
            if rest.startswith("ended here") and int(number) >= count:
                return

    def wait(self, seconds):
        """Return whether it is over within this time."""
        try:
            rest, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        self.said += rest
        return True

    def close(self):
        self._watchdog.cancel()
        self.process.communicate()


def runs_of(url):
    """Return how many runs of each airline are in each state, retries and doubles included."""
    store = open_store(url)
    runs = store.runs(RunQuery(limit=10_000))
    store.close()
    return Counter((run.tenant, run.state) for run in runs)


def slots_of(url):
    """Return for how many different slots each airline has a success."""
    store = open_store(url)
    since = datetime(2013, 2, 1, tzinfo=UTC)
    states = store.slot_states("daily_delays", since=since, until=since + timedelta(days=120))
    store.close()
    return Counter(tenant for slot, tenant in {(entry.slot, entry.tenant) for entry in states})


def days_of(carrier, at):
    """Return the days in an airline's table with their flights."""
    with create_engine(database_of(carrier, at), poolclass=NullPool).connect() as connection:
        return dict(connection.execute(text("SELECT day, flights FROM daily_delays")).all())


def days_in(table, carrier):
    """Return the same from the raw table; no departure in it is at night."""
    own = [line.split(",") for line in table[1:] if line.split(",")[9] == carrier]
    return Counter(f"{row[0]}-{int(row[1]):02}-{int(row[2]):02}" for row in own)
