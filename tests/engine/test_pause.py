"""Paused jobs, tenants and queues: nothing of theirs begins, nothing fails, nothing is made up (R12)."""

import pytest
from msgspec.structs import replace

from rota import CatchUp, Overlap, Retry, Rota, RunContext, State, every
from rota.core.controls import Control, ControlKind, Pause, Paused
from rota.core.gates import job_gate, tenant_gate
from rota.core.model import RoundState, RunKind
from rota.engine.standing import Standing
from rota.errors import StoreUnavailable
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment
from tests.contract.flaky import flaky as cuttable
from tests.engine.house import Driven, an_app, driven, hourly, noon_plus, rounds_of, runs_of, states_by_tenant
from tests.engine.test_worker import counting
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND


def pause(process, kind, name, **fields):
    return process.app.pauses.pause(kind, name, **{"reason": "migration", "actor": "ana"} | fields)


# --- jobs ---


def test_a_paused_jobs_schedules_fire_nothing_and_nothing_is_made_up_after():  # R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen, catch_up=CatchUp.all()))
    pause(process, "job", "report")

    process.advance(3 * HOUR)
    assert (seen, rounds_of(process.app)) == ([], [])
    process.app.pauses.resume("job", "report")
    process.advance(HOUR)

    assert [window for _, window in seen] == [(None, noon_plus(hours=4))]


def test_other_jobs_go_on():  # R12, R21
    seen: list[str] = []

    def declare(app: Rota) -> None:
        for name in ("first", "second"):
            app.job(name=name, schedule=every().hour.at(":00"))(lambda name=name: seen.append(name))

    process = driven()(declare)
    pause(process, "job", "first")
    process.advance(HOUR)

    assert seen == ["second"]


def test_what_is_queued_of_a_paused_job_waits_aside_and_runs_on_resume():  # R12
    clock = FakeClock()
    app = an_app(clock=clock)
    ran = counting(app)
    process = Driven(app, clock)
    app.jobs["count"].enqueue_many([(number,) for number in range(5)])
    pause(process, "job", "count")

    process.settle_down()
    assert (ran, app.store.gates()) == ([], [job_gate("count")])
    assert {run.state for run in runs_of(app)} == {State.SCHEDULED}
    app.pauses.resume("job", "count")
    process.settle_down()

    assert ran == list(range(5))


def test_an_expansion_of_a_paused_job_waits_as_well():  # R12
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    process.clock.tick(HOUR)
    process.crew.services["scheduler"].tick(process.clock.now())
    pause(process, "job", "report")

    process.settle_down()
    [expansion] = process.app.store.runs(RunQuery(kind=RunKind.EXPANSION))
    assert (expansion.state, expansion.held_by) == (State.SCHEDULED, job_gate("report"))
    process.app.pauses.resume("job", "report")
    process.settle_down()

    assert len(seen) == 2


def test_what_runs_when_its_job_is_paused_goes_on_to_its_end():  # R12
    done: list[bool] = []

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"))
        def report() -> None:
            app.pauses.pause("job", "report", reason="migration")
            done.append(True)

    process = driven()(declare)
    process.advance(HOUR)

    assert done == [True]
    assert [run.state for run in runs_of(process.app)] == [State.SUCCEEDED]


def test_a_paused_job_with_a_thousand_schedules_does_not_keep_others_from_firing():  # R12, R21
    seen: list[str] = []

    def declare(app: Rota) -> None:
        app.job(name="paused")(lambda: seen.append("paused"))
        app.job(name="other", schedule=every().hour.at(":30"))(lambda: seen.append("other"))

    process = driven()(declare)
    process.crew.scheduler._batch = 3  # a small batch stands for a thousand
    for number in range(9):
        process.app.schedules.put(f"s{number}", job="paused", when=every().hour.at(":10"))
    pause(process, "job", "paused")

    process.clock.tick(30 * MINUTE)
    for _ in range(6):
        process.once()

    assert seen == ["other"]


# --- tenants ---


def test_a_paused_tenants_slots_are_skipped_with_the_reason_and_missing_for_a_backfill():  # R12, R13
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    pause(process, "tenant", "acme")
    process.advance(HOUR)
    process.advance(HOUR)

    assert [tenant for tenant, _ in seen] == ["globex", "globex"]
    skipped = [run for run in runs_of(process.app) if run.tenant == "acme"]
    assert {(run.state, run.reason) for run in skipped} == {(State.SKIPPED, "tenant paused by ana: migration")}
    assert {round_.state for round_ in rounds_of(process.app)} == {RoundState.PARTIAL}

    process.app.pauses.resume("tenant", "acme")
    process.settle_down()
    assert len(seen) == 2
    states = process.app.store.slot_states("report", since=NOON, until=NOON + DAY)
    assert [entry.slot for entry in states if entry.tenant == "acme" and entry.state is State.SKIPPED] == [
        noon_plus(hours=1), noon_plus(hours=2)
    ]  # fmt: skip


def test_what_is_queued_of_a_paused_tenant_waits_and_others_go_on():  # R12, R21
    seen: list[str] = []

    def declare(app: Rota) -> None:
        @app.job(per_tenant=True)
        def greet(ctx: RunContext) -> None:
            seen.append(ctx.tenant.id)

    process = driven()(declare)
    for tenant in ("acme", "globex", "acme"):
        process.app.jobs["greet"].using(tenant=tenant).enqueue()
    pause(process, "tenant", "acme")

    process.settle_down()
    assert (seen, process.app.store.gates()) == (["globex"], [tenant_gate("acme")])
    process.app.pauses.resume("tenant", "acme")
    process.settle_down()

    assert seen == ["globex", "acme", "acme"]


def test_a_slot_that_was_queued_before_its_tenant_was_paused_waits_whatever_the_catch_up():  # R12, R8
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen, catch_up=CatchUp.none()))
    process.clock.tick(HOUR)
    for name in ("scheduler", "promoter"):
        process.crew.services[name].tick(process.clock.now())
    # The expansion has queued a run for each tenant, and none has begun.
    process.crew.worker.tick(process.clock.now())
    queued = {run.tenant for run in runs_of(process.app, states=(State.QUEUED,))}
    pause(process, "tenant", "acme")
    process.advance(HOUR / 2)
    assert [tenant for tenant, _ in seen] == ["globex"]

    process.app.pauses.resume("tenant", "acme")
    process.settle_down()

    assert queued == {"acme", "globex"}
    assert [tenant for tenant, _ in seen] == ["globex", "acme"]


def test_what_people_start_for_a_paused_tenant_is_kept_for_its_return():  # R12
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    pause(process, "tenant", "acme")

    process.app.start_run("report", tenants=["acme"])
    process.settle_down()
    assert states_by_tenant(runs_of(process.app)) == {"acme": State.SCHEDULED}
    process.app.pauses.resume("tenant", "acme")
    process.settle_down()

    assert [tenant for tenant, _ in seen] == ["acme"]


def test_a_retry_of_a_paused_tenant_waits_and_goes_on():  # R12
    attempts: list[int] = []

    def declare(app: Rota) -> None:
        retry = Retry(attempts=2, base=MINUTE, jitter=False)

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=retry, catch_up=CatchUp.none())
        def report(ctx: RunContext) -> None:
            attempts.append(ctx.attempt)
            if ctx.attempt == 1:
                raise ValueError("again")

    process = driven(tenants=["acme"])(declare)
    process.advance(HOUR)
    pause(process, "tenant", "acme")
    process.advance(10 * MINUTE)
    assert attempts == [1]

    process.app.pauses.resume("tenant", "acme")
    process.settle_down()

    assert attempts == [1, 2]


@pytest.mark.parametrize(("kind", "name"), [("job", "greet"), ("tenant", "acme")])
def test_a_claim_leaves_out_what_is_paused_also_before_it_is_put_aside(kind, name):  # R12
    ran: list[str] = []

    def declare(app: Rota) -> None:
        @app.job(per_tenant=True)
        def greet(ctx: RunContext) -> None:
            ran.append(ctx.tenant.id)

        @app.job()
        def other() -> None:
            ran.append("other")

    process = driven()(declare)
    process.app.jobs["greet"].using(tenant="acme").enqueue()
    pause(process, kind, name)
    process.crew.standing.tick(process.clock.now())

    for _ in range(3):
        # What ended is settled with the next claim.
        process.app.jobs["other"].enqueue()
        process.crew.worker.tick(process.clock.now())

    assert set(ran) == {"other"}
    assert [run.state for run in runs_of(process.app, jobs=("greet",))] == [State.QUEUED]


def test_a_slot_that_is_expanded_right_after_a_pause_knows_of_it():  # R12
    process = driven()(hourly([]))
    process.clock.tick(HOUR)
    process.crew.services["scheduler"].tick(process.clock.now())
    pause(process, "tenant", "acme")

    # No other look at what is paused in between.
    process.crew.worker.tick(process.clock.now())

    assert states_by_tenant(runs_of(process.app)) == {"acme": State.SKIPPED, "globex": State.QUEUED}


# --- queues ---


def test_a_paused_queue_is_not_worked_and_the_others_are():  # R12
    ran: list[str] = []
    clock = FakeClock()
    app = an_app(clock=clock)
    app.job(name="mail", queue="mail")(lambda: ran.append("mail"))
    app.job(name="sums")(lambda: ran.append("sums"))
    process = Driven(app, clock)
    app.jobs["mail"].enqueue()
    app.jobs["sums"].enqueue()
    pause(process, "queue", "mail")

    process.settle_down()
    assert ran == ["sums"]
    app.pauses.resume("queue", "mail")
    process.settle_down()

    assert ran == ["sums", "mail"]


def test_when_every_queue_is_paused_what_ran_is_settled_all_the_same():  # R12
    clock = FakeClock()
    app = an_app(clock=clock)

    @app.job()
    def last() -> None:
        app.pauses.pause("queue", "default", reason="migration")

    last.enqueue()
    last.enqueue()
    process = Driven(app, clock)
    process.crew.worker._holdings.pools[0].places = 1
    process.settle_down()

    assert State.SUCCEEDED in {run.state for run in runs_of(app)}
    assert State.RUNNING not in {run.state for run in runs_of(app)}


# --- how long ---


def test_a_pause_ends_by_itself_and_its_control_goes():  # R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    pause(process, "tenant", "acme", until=NOON + 90 * MINUTE)

    process.advance(HOUR)
    assert seen == []
    process.advance(HOUR)

    assert len(seen) == 1
    assert process.app.store.controls() == []


def test_a_pause_that_was_made_longer_meanwhile_is_not_ended():  # R12
    store = MemoryStore(clock=FakeClock())
    ending = Pause(kind=Paused.JOB, name="report", reason="x", since=NOON, until=NOON + HOUR)
    control = Control(kind=ControlKind.PAUSE, name="job/report", body=ending.body(), changed_at=NOON)
    store.put_control(control, expected_version=None)

    class Late:
        """Another one makes it longer between the look and the end."""

        def controls(self):
            found = store.controls()
            longer = replace(control, body=replace(ending, until=NOON + DAY).body(), version=2)
            store.put_control(longer, expected_version=1)
            return found

        def drop_control(self, *args, **fields):
            return store.drop_control(*args, **fields)

    Standing(Late()).tick(NOON + 2 * HOUR)
    again = Standing(store)
    again.tick(NOON + 2 * HOUR)

    assert again.paused_jobs == {"report"}


def test_a_pause_survives_a_restart():  # R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    pause(process, "job", "report")

    again = Driven(process.app, process.clock)
    again.advance(HOUR)

    assert seen == []


def test_while_the_store_is_away_what_was_paused_stays_paused():  # R12, fault rows of C
    clock = FakeClock()
    store, flaky = cuttable(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    app.job(name="report")(lambda: None)
    app.pauses.pause("job", "report", reason="x")
    standing = Standing(store)
    standing.tick(clock.now())
    flaky.cut("controls", Moment.BEFORE)

    with pytest.raises(StoreUnavailable):
        standing.tick(clock.now())

    assert standing.paused_jobs == {"report"}


def test_a_control_that_cannot_be_read_leaves_the_others_in_force(caplog):  # R21
    store = MemoryStore(clock=FakeClock())
    good = Pause(kind=Paused.QUEUE, name="mail", reason="x", since=NOON)
    for name, body in (("job/bad", '{"kind": "moon"}'), ("queue/mail", good.body())):
        store.put_control(Control(kind=ControlKind.PAUSE, name=name, body=body, changed_at=NOON), expected_version=None)
    standing = Standing(store)

    standing.tick(NOON)

    assert (standing.paused_queues, standing.paused_jobs) == ({"mail"}, frozenset())
    assert "job/bad" in caplog.text


def test_a_tick_of_an_outside_cron_does_not_fire_a_paused_job():  # R12
    process = driven(tenants=["acme"])(hourly([], overlap=Overlap.ALLOW))
    pause(process, "job", "report")
    process.clock.tick(HOUR + SECOND)

    report = process.app.tick(works=False)

    assert report.rounds == ()


def test_a_process_knows_what_is_paused_before_its_first_loop_comes_round():  # R12
    process = driven(tenants=["acme"])(hourly([]))
    pause(process, "job", "report")
    crew = process.app.crew()
    crew._keep, crew._work = [], []  # as if each of them were slow to begin

    crew.start()
    known = crew.standing.paused_jobs
    crew.stop()

    assert known == {"report"}
