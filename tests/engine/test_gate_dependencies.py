"""Runs that wait for the jobs that theirs depends on (R11)."""

import pytest

from rota import Rota, RunContext, State, every
from rota.core.gates import DEPENDS
from rota.core.model import RoundState
from rota.engine.blockers import Blockers
from rota.errors import DependencyCycle, UnknownDependency
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.gates import import_and_report
from tests.engine.house import Driven, an_app, driven, rounds_of, runs_of, states_by_tenant
from tests.values import DAY, HOUR, MINUTE, SECOND, a_slot_run

HALF = 30 * MINUTE


def reports(process):
    return [run for run in runs_of(process.app) if run.job == "report"]


def said(process, run):
    jobs = {name: function.registered for name, function in process.app.jobs.items()}
    return [found.said for found in Blockers(process.app.store, jobs=jobs, zone_of=lambda tenant: "UTC").of(run)]


def test_a_run_waits_while_its_tenants_import_has_failed_and_other_tenants_go_on():  # R11, R21
    seen: list[tuple[str, str | None]] = []
    failing = {"acme"}
    process = driven()(import_and_report(seen, failing))

    process.advance(HOUR)
    process.advance(HALF)

    assert seen == [("import", "globex"), ("report", "globex")]
    [held] = process.app.store.held(DEPENDS)
    assert (held.tenant, held.state) == ("acme", State.SCHEDULED)
    assert said(process, held) == ["import has not succeeded for acme in its slot 2026-06-01 13:00 UTC (failed)"]


def test_it_goes_on_when_the_import_has_succeeded_at_last():  # R11
    seen: list[tuple[str, str | None]] = []
    failing = {"acme", "globex"}
    process = driven()(import_and_report(seen, failing))
    process.advance(HOUR)
    process.advance(HALF)
    assert seen == []

    failing.clear()
    failed = [run.id for run in runs_of(process.app) if run.state is State.FAILED]
    process.app.store.requeue(failed, now=process.clock.now(), reason="again")
    process.settle_down()

    assert sorted(seen) == [(job, tenant) for job in ("import", "report") for tenant in ("acme", "globex")]
    assert {round_.state for round_ in rounds_of(process.app, jobs=("report",))} == {RoundState.SUCCEEDED}


def test_it_goes_on_when_somebody_marks_the_import_as_done():  # R11, R14
    seen: list[tuple[str, str | None]] = []
    process = driven(tenants=["acme"])(import_and_report(seen, {"acme"}))
    process.advance(HOUR)
    process.advance(HALF)

    process.app.mark_success("import", tenants=["acme"])
    process.settle_down()

    assert seen == [("report", "acme")]


def test_a_success_of_the_day_before_is_not_enough():  # R11
    seen: list[tuple[str, str | None]] = []
    failing: set[str] = set()
    process = driven(tenants=["acme"])(import_and_report(seen, failing))
    process.advance(HOUR)
    process.advance(HALF)
    assert len(seen) == 2

    failing.add("acme")
    process.advance(DAY)

    assert len(seen) == 2
    assert [run.state for run in reports(process)] == [State.SUCCEEDED, State.SCHEDULED]


def test_a_job_without_tenants_waits_for_every_tenant_of_the_round():  # R11
    seen: list[tuple[str, str | None]] = []
    failing = {"acme"}
    process = driven()(import_and_report(seen, failing, per_tenant=False))
    process.advance(HOUR)
    process.advance(HALF)
    assert seen == [("import", "globex")]
    [held] = process.app.store.held(DEPENDS)
    assert "not for every tenant" in said(process, held)[0]

    failing.clear()
    failed = [run.id for run in runs_of(process.app) if run.state is State.FAILED]
    process.app.store.requeue(failed, now=process.clock.now(), reason="again")
    process.settle_down()

    assert seen[-2:] == [("import", "acme"), ("report", None)]


def test_each_tenant_waits_for_a_job_that_has_no_tenants():  # R11
    seen: list[str] = []
    is_failing = [True]

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), retry=None)
        def rates() -> None:
            if is_failing[0]:
                raise ValueError("no rates")

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, depends_on=["rates"])
        def price(ctx: RunContext) -> None:
            seen.append(ctx.tenant.id)

    process = driven()(declare)
    process.advance(HOUR)
    assert seen == []

    is_failing[0] = False
    process.advance(MINUTE)

    assert seen == ["acme", "globex"]


def test_what_people_start_does_not_wait():  # R11, R12
    seen: list[tuple[str, str | None]] = []
    process = driven(tenants=["acme"])(import_and_report(seen, {"acme"}))
    process.advance(HOUR)

    process.app.start_run("report")
    process.settle_down()

    assert seen == [("report", "acme")]


def test_two_gatekeepers_that_look_at_once_let_each_run_go_once():  # R11, E1
    seen: list[tuple[str, str | None]] = []
    failing = {"acme", "globex"}
    process = driven()(import_and_report(seen, failing))
    other = Driven(process.app, process.clock)
    process.advance(HOUR)
    process.advance(HALF)
    for tenant in failing:
        process.app.mark_success("import", tenants=[tenant])

    moved = [one.crew.gatekeeper.open_gates(process.clock.now()) for one in (process, other)]
    process.settle_down()

    assert moved == [2, 0]
    assert seen == [("report", "acme"), ("report", "globex")]


def test_a_run_of_a_job_that_is_not_known_here_is_left_to_a_process_that_knows_it():  # R11, R36
    store = MemoryStore(clock=FakeClock())
    clock = FakeClock()
    ignorant = Driven(an_app(store=store, clock=clock), clock)
    store.enqueue([a_slot_run(held_by=DEPENDS)], now=clock.now())

    ignorant.settle_down()

    assert len(store.held(DEPENDS)) == 1


def test_a_pass_over_2000_tenants_reads_progress_once_for_a_schedule():  # R11
    tenants = [f"t{number:04}" for number in range(2000)]
    process = driven(tenants=tenants)(import_and_report([], set()))
    now = process.clock.tick(HOUR + HALF)
    runs = [
        a_slot_run(job="report", schedule="report", slot=now, tenant=name, due_at=now, held_by=DEPENDS)
        for name in tenants
    ]
    process.app.store.enqueue(runs, now=now)
    asked: list[str] = []
    store = process.app.store
    read = store.progress
    store.progress = lambda **fields: asked.append(fields["schedule"]) or read(**fields)

    moved = process.crew.gatekeeper.open_gates(now)

    assert (moved, asked) == (0, ["import"])


def test_every_page_of_what_is_held_is_looked_at_in_turn():  # R11
    tenants = [f"t{number:03}" for number in range(30)]
    process = driven(tenants=tenants)(import_and_report([], set()))
    gatekeeper = process.crew.gatekeeper
    gatekeeper._batch = 4  # small pages: five of them are a pass
    now = process.clock.tick(HOUR + HALF)
    runs = [
        a_slot_run(job="report", schedule="report", slot=now, tenant=name, due_at=now, held_by=DEPENDS)
        for name in tenants
    ]
    process.app.store.enqueue(runs, now=now)
    process.app.mark_success("import", tenants=["t029"])

    moved = [gatekeeper.open_gates(now) for _ in range(3)]

    assert sum(moved) == 1
    assert states_by_tenant(reports(process))["t029"] is State.QUEUED


def test_many_blocked_runs_are_not_looked_at_in_every_pass():
    tenants = [f"t{number:03}" for number in range(500)]
    process = driven(tenants=tenants)(import_and_report([], set()))
    now = process.clock.tick(HOUR + HALF)
    runs = [
        a_slot_run(job="report", schedule="report", slot=now, tenant=name, due_at=now, held_by=DEPENDS)
        for name in tenants
    ]
    process.app.store.enqueue(runs, now=now)
    gatekeeper = process.crew.gatekeeper
    gatekeeper.tick(now)
    process.app.mark_success("import", tenants=tenants[:1])

    left = [
        len(process.app.store.held(DEPENDS)) for at in (now + SECOND / 8, now + SECOND / 2) if gatekeeper.tick(at)
    ]  # fmt: skip
    # Set back by a day, the clock does not keep it from looking.
    process.app.mark_success("import", tenants=tenants[1:2])
    gatekeeper.tick(now - DAY)

    assert left == [500, 499]
    assert len(process.app.store.held(DEPENDS)) == 498


@pytest.mark.parametrize(
    ("needs", "error"), [("report", DependencyCycle), ("imprt", UnknownDependency)], ids=["a circle", "an unknown job"]
)
def test_a_process_with_dependencies_that_are_never_met_does_not_start(needs, error):  # R11
    app = an_app()

    @app.job(depends_on=["report"])
    def first() -> None: ...

    @app.job(depends_on=[needs, first])
    def report() -> None: ...

    with pytest.raises(error):
        app.crew()
    with pytest.raises(error):
        app.tick()


def test_one_tick_of_an_outside_cron_works_off_what_waits_for_one_another():  # R11, R60
    seen: list[tuple[str, str | None]] = []
    process = driven(tenants=["acme", "globex", "initech"])(import_and_report(seen, set(), max_parallel=1))
    process.clock.tick(HOUR + HALF)

    report = process.app.tick()

    assert report.is_good and report.open == 0
    assert sorted(seen) == [(job, tenant) for job in ("import", "report") for tenant in ("acme", "globex", "initech")]
