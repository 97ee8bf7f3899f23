"""A tenant whose database cannot be reached is parked, tried, and made up when it is back (R25)."""

import itertools
import threading
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from rota import CatchUp, Retry, Rota, RunContext, State
from rota.core.controls import Circuit, ControlKind
from rota.core.events import TenantParked, TenantRecovered
from rota.core.gates import parked_gate
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome, Tenant
from rota.engine.circuits import make_due, write
from rota.errors import StoreUnavailable, TenantUnavailable
from rota.ports import Store
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import READS, crash_points
from tests.engine.circuits import RETRIES, Databases, Guarded, circuit, guarded, hourly_reads
from tests.engine.house import runs_of
from tests.values import HOUR, MINUTE, a_run

SECOND = timedelta(seconds=1)
UNREACHABLE = Ending(
    outcome=Outcome.FAILED, error=ErrorReport(type="TenantUnavailable", message="refused"), reached=False
)
REACHED = Ending(outcome=Outcome.SUCCEEDED, reached=True)


class Away:
    """A store that cannot be reached."""

    def __getattr__(self, verb: str):
        raise StoreUnavailable(verb)


def parked(databases: Databases, seen: list[str], *, attempts: int = 4, **policy) -> Guarded:
    """Return a process that has found out that acme's database is gone, and parked it."""
    process = guarded(databases, hourly_reads(seen, retry=replace(RETRIES, attempts=attempts), **policy))
    databases.take_away("acme")
    process.advance(HOUR)
    process.advance(MINUTE)
    process.advance(MINUTE)
    process.settle_down()
    return process


@pytest.fixture
def databases(tmp_path):
    return Databases(tmp_path, "acme", "globex")


def report_runs(process: Guarded, tenant: str):
    return [run for run in runs_of(process.app, jobs=("report",)) if run.tenant == tenant]


def test_three_failures_in_a_row_park_the_tenant_once_and_the_others_go_on(databases):  # R25, R21
    seen: list[str] = []
    process = parked(databases, seen)

    for _ in range(3):
        process.advance(HOUR)

    known = circuit(process.app.store, "acme")
    assert known is not None and known.is_open and known.failures >= 3
    assert "no such file" in known.reason
    assert [event.tenant for event in process.events(TenantParked)] == ["acme"]
    assert seen == ["globex 13", "globex 14", "globex 15", "globex 16"]


def test_the_run_that_finds_out_waits_with_the_rest_and_uses_up_no_attempt(databases):  # R25
    # It has three attempts, and the third one parks the tenant: it would have failed for good.
    process = parked(databases, [], attempts=3)
    for _ in range(3):
        process.advance(MINUTE)

    [first] = report_runs(process, "acme")

    assert (first.state, first.held_by, first.attempt) == (State.SCHEDULED, parked_gate("acme"), 2)
    history = process.app.store.run(first.id)
    assert history is not None
    assert [one.outcome for one in history.attempts][:3] == [Outcome.FAILED, Outcome.FAILED, Outcome.INTERRUPTED]


@pytest.mark.parametrize(
    ("policy", "made_up"),
    [(CatchUp.latest(), ["13", "16"]), (CatchUp.all(), ["13", "14", "15", "16"])],
)
def test_when_it_is_back_what_had_begun_goes_on_and_its_slots_are_made_up(databases, policy, made_up):  # R25, R8
    seen: list[str] = []
    process = parked(databases, seen, catch_up=policy)
    for _ in range(3):
        process.advance(HOUR)

    databases.bring_back("acme")
    for _ in range(16):
        process.advance(MINUTE)

    assert [one for one in seen if one.startswith("acme")] == [f"acme {hour}" for hour in made_up]
    [back] = process.events(TenantRecovered)
    assert back.tenant == "acme" and back.parked_for > 3 * HOUR
    assert process.app.store.controls(ControlKind.CIRCUIT) == []
    assert process.app.store.gates() == []


def test_the_longer_it_is_away_the_more_rarely_it_is_tried(databases):  # R25
    process = parked(databases, [])
    tried: list[int] = []

    for _ in range(120):
        before = circuit(process.app.store, "acme")
        process.advance(MINUTE)
        after = circuit(process.app.store, "acme")
        assert before is not None and after is not None
        tried.append(after.probes - before.probes)

    at = [minute for minute, count in enumerate(tried) if count]
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert max(tried) == 1
    assert gaps == sorted(gaps) and gaps[0] <= 2 and 7 <= gaps[-1] <= 15


def test_a_success_in_between_begins_the_count_anew(databases):  # R25
    seen: list[str] = []
    process = guarded(databases, hourly_reads(seen, retry=Retry(attempts=1)))
    databases.take_away("acme")
    process.advance(HOUR)
    process.advance(HOUR)
    databases.bring_back("acme")
    process.advance(HOUR)
    databases.take_away("acme")
    process.advance(HOUR)
    process.advance(HOUR)

    known = circuit(process.app.store, "acme")
    assert known is not None and (known.failures, known.is_open) == (2, False)
    assert process.events(TenantParked) == []


def test_a_job_that_does_not_use_the_database_says_nothing_of_it(databases):  # R25
    # `chat` succeeds for acme each half hour.
    process = guarded(databases, hourly_reads([], retry=Retry(attempts=1)))
    databases.take_away("acme")

    for _ in range(6):
        process.advance(30 * MINUTE)

    assert [event.tenant for event in process.events(TenantParked)] == ["acme"]


def failing_job(error: Exception | None, app: Rota) -> None:
    @app.job(schedule="0 * * * *", per_tenant=True, retry=Retry(attempts=1))
    def report(ctx: RunContext) -> None:
        try:
            with ctx.tenant.begin() as db:
                db.execute(text("SELECT 1"))
        except TenantUnavailable:
            if error is not None:
                raise error from None


@pytest.mark.parametrize("error", [None, ValueError("bad row")])
def test_what_a_job_makes_of_it_itself_parks_nobody(databases, error):  # R25
    process = guarded(databases, lambda app: failing_job(error, app))
    databases.take_away("acme")

    for _ in range(5):
        process.advance(HOUR)

    assert process.app.store.controls(ControlKind.CIRCUIT) == []


def test_an_error_of_a_statement_parks_nobody(databases):  # R25
    def declare(app: Rota) -> None:
        @app.job(schedule="0 * * * *", per_tenant=True, retry=Retry(attempts=1))
        def report(ctx: RunContext) -> None:
            with ctx.tenant.begin() as db:
                db.execute(text("SELECT * FROM nothing"))

    process = guarded(databases, declare)

    for _ in range(5):
        process.advance(HOUR)

    assert process.app.store.controls(ControlKind.CIRCUIT) == []


def test_of_two_processes_one_tries_and_one_tells(databases):  # R25
    first = parked(databases, [])
    store, clock = first.app.store, first.clock
    second = guarded(databases, hourly_reads([]), store=store, clock=clock)
    tried: list[str] = []
    for process in (first, second):
        probes = process.crew.prober._probes
        probes._connect = lambda tenant: tried.append(tenant.id)  # type: ignore[attr-defined]
        process.crew.standing.tick(clock.now())
    clock.tick(HOUR)

    for process in (first, second):
        process.crew.prober.tick(clock.now())
    for process in (second, first):
        process.crew.prober.tick(clock.now())

    assert tried == ["acme"]
    assert len(first.events(TenantRecovered)) + len(second.events(TenantRecovered)) == 1
    assert store.controls(ControlKind.CIRCUIT) == []


def test_failures_that_several_processes_see_are_counted_together(databases):  # R25
    store, clock = MemoryStore(), FakeClock()
    processes = [guarded(databases, hourly_reads([]), store=store, clock=clock) for _ in range(3)]
    databases.take_away("acme")
    run = a_run(tenant="acme")

    for process in processes:
        process.crew._guard.circuits.hear(run, UNREACHABLE)
        process.crew.services["circuits"].tick(clock.now())

    assert [len(process.events(TenantParked)) for process in processes] == [0, 0, 1]


def test_three_failures_within_the_second_before_they_are_written_keep_the_third_run(databases):  # R25
    process = guarded(databases, hourly_reads([]))
    circuits = process.crew._guard.circuits
    run = a_run(tenant="acme")

    outcomes = [circuits.hear(run, UNREACHABLE).outcome for _ in range(3)]

    assert outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.INTERRUPTED]
    circuits.tick(process.clock.now())
    assert [event.tenant for event in process.events(TenantParked)] == ["acme"]


def test_a_success_within_that_second_begins_the_count_anew(databases):  # R25
    process = guarded(databases, hourly_reads([]))
    circuits = process.crew._guard.circuits
    run = a_run(tenant="acme")

    endings = (UNREACHABLE, UNREACHABLE, REACHED, UNREACHABLE, UNREACHABLE)
    outcomes = [circuits.hear(run, ending).outcome for ending in endings]

    assert Outcome.INTERRUPTED not in outcomes
    circuits.tick(process.clock.now())
    known = circuit(process.app.store, "acme")
    assert known is not None and (known.failures, known.is_open) == (2, False)


def test_failures_that_are_written_are_not_counted_twice(databases):  # R25
    process = guarded(databases, hourly_reads([]))
    circuits = process.crew._guard.circuits
    run = a_run(tenant="acme")
    outcomes = []

    for _ in range(3):
        outcomes.append(circuits.hear(run, UNREACHABLE).outcome)
        circuits.tick(process.clock.now())

    assert outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.INTERRUPTED]


def test_a_store_that_is_away_loses_no_failure(databases):  # R25
    process = guarded(databases, hourly_reads([]))
    circuits = process.crew._guard.circuits
    circuits.hear(a_run(tenant="acme"), UNREACHABLE)
    circuits._store = Away()  # type: ignore[assignment]
    with pytest.raises(StoreUnavailable):
        circuits.tick(process.clock.now())
    circuits._store = process.app.store

    circuits.tick(process.clock.now())

    assert circuit(process.app.store, "acme") is not None


def test_a_success_of_a_tenant_without_failures_asks_the_store_nothing(databases):  # R25
    process = guarded(databases, hourly_reads([]))
    circuits = process.crew._guard.circuits
    circuits._store = Away()  # type: ignore[assignment]

    circuits.hear(a_run(tenant="acme"), REACHED)

    circuits.tick(process.clock.now())


def test_a_tenant_that_left_takes_its_circuit_with_it(databases):  # R25
    process = parked(databases, [])
    databases.names.remove("acme")

    process.advance(2 * MINUTE)
    process.advance(2 * MINUTE)

    assert process.app.store.controls(ControlKind.CIRCUIT) == []
    assert process.events(TenantRecovered) == []


def test_a_tenant_that_moved_is_tried_at_once(databases, tmp_path):  # R25
    process = parked(databases, [])
    for _ in range(60):
        process.advance(MINUTE)
    known = circuit(process.app.store, "acme")
    assert known is not None and known.probe_at is not None and known.probe_at > process.clock.now() + 2 * MINUTE
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = Databases(elsewhere, "acme", "globex")
    databases._path = moved._path

    process.advance(61 * SECOND)
    process.advance(61 * SECOND)

    assert [event.tenant for event in process.events(TenantRecovered)] == ["acme"]


def test_a_circuit_that_cannot_be_read_stops_nobody(databases):  # R25
    process = parked(databases, [])
    store = process.app.store
    [control] = store.controls(ControlKind.CIRCUIT)
    broken = replace(control, body='{"failures": "many"}', version=control.version + 1)
    assert store.put_control(broken, expected_version=control.version)

    for _ in range(6):
        process.advance(HOUR)

    known = circuit(store, "acme")
    assert known is not None and known.is_open


class Return:
    """A tenant comes back after two slots; the process that finds out dies anywhere."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store: Store = MemoryStore(clock=self.clock)
        self.tried: list[str] = []
        self.is_away = True
        self.seen: list[str] = []
        process = self._process(self.store)
        for _ in range(3):
            process.crew._guard.circuits.hear(a_run(tenant="acme"), UNREACHABLE)
        process.advance(SECOND)
        for _ in range(2):
            process.advance(HOUR)
        self.is_away = False
        self.clock.tick(HOUR - 2 * MINUTE)

    def _process(self, store: Store) -> Guarded:
        def declare(app: Rota) -> None:
            @app.job(schedule="0 * * * *", per_tenant=True, catch_up=CatchUp.all())
            def report(ctx: RunContext) -> None:
                assert ctx.slot is not None
                self.seen.append(f"{ctx.tenant.id} {ctx.slot:%H}")

        process = guarded(lambda: [Tenant(id="acme")], declare, store=store, clock=self.clock)
        process.crew.prober._probes._connect = self._connect  # type: ignore[attr-defined]
        return process

    def _connect(self, tenant: Tenant) -> None:
        if self.is_away:
            raise TenantUnavailable("still away")

    def run(self, store: Store) -> None:
        process = self._process(store)
        for _ in range(3):
            process.once()
        process.settle_down()

    def restart(self, store: Store) -> None:
        process = self._process(store)
        for _ in range(4):
            # Longer than the time between two probes.
            process.advance(15 * MINUTE)
            process.crew.services["rescuer"].tick(self.clock.now())

    def check(self) -> None:
        assert self.store.controls(ControlKind.CIRCUIT) == []
        assert {"acme 13", "acme 14"} <= set(self.seen)
        runs = self.store.runs(RunQuery(tenants=("acme",), limit=100))
        assert {run.state for run in runs} == {State.SUCCEEDED}


def test_whatever_call_the_process_dies_at_the_tenant_comes_back_and_is_made_up():  # R25, R30
    # Who dies at a read leaves what the write before it has left: test_crash.py sees that, call by call.
    points = crash_points(Return, spared=READS)

    assert {point.verb for point in points} >= {"put_control", "drop_control", "admit"}


def test_without_parking_every_run_fails_by_itself(databases):  # R25
    process = guarded(databases, hourly_reads([], retry=Retry(attempts=1)), park_after=0)
    databases.take_away("acme")

    for _ in range(5):
        process.advance(HOUR)

    assert {run.state for run in report_runs(process, "acme")} == {State.FAILED}
    assert process.app.store.controls(ControlKind.CIRCUIT) == []


def test_a_pass_that_an_outside_cron_drives_tries_who_is_parked_and_lets_it_go_on(databases):  # R25, R60
    seen: list[str] = []
    app = Rota(MemoryStore(), tenants=databases)

    @app.job(per_tenant=True)
    def work(ctx: RunContext) -> None:
        with ctx.tenant.begin():
            seen.append(ctx.tenant.id)

    now = app.clock.now()
    gone = Circuit(failures=3, reason="gone", parked_at=now, probe_at=now + HOUR)
    assert write(app.store, "acme", gone, None, now=now)
    app.start_run("work")
    app.tick()
    assert seen == ["globex"]
    make_due(app.store, "acme", now=app.clock.now(), audit=None)
    # A server that takes its time to answer, longer than a pass with nothing to do.
    app._tenancy.probe = lambda tenant: threading.Event().wait(0.7)  # type: ignore[method-assign,assignment]

    app.tick()

    assert sorted(seen) == ["acme", "globex"]
    assert app.store.controls(ControlKind.CIRCUIT) == []
