"""From due to recorded: what a schedule's slot becomes, for each tenant."""

from contextlib import contextmanager

import pytest

from rota import Retry, Rota, RunContext, State, every
from rota.core.events import AttemptEnded, RoundEnded, TenantsDropped
from rota.core.model import RoundState, RunKind
from rota.errors import TenantListFailed
from rota.queries import RunQuery
from tests.engine.house import driven, hourly, noon_plus, rounds_of, runs_of, states_by_tenant
from tests.values import HOUR, MINUTE, SECOND

ONCE = Retry(attempts=1)


def test_a_slot_becomes_one_run_for_each_tenant():  # R20, G4
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))

    process.advance(HOUR)

    assert [tenant for tenant, _ in seen] == ["acme", "globex"]
    [round_] = rounds_of(process.app)
    assert (round_.state, round_.expected, dict(round_.counts)) == (RoundState.SUCCEEDED, 2, {"succeeded": 2})
    assert round_.slot == noon_plus(hours=1)


def test_a_slot_is_not_fired_twice():  # G4
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))

    process.advance(HOUR)
    process.advance(MINUTE)

    assert len(seen) == 2


def test_the_window_runs_from_the_last_success_to_the_slot():  # R9
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))

    process.advance(HOUR)
    process.advance(HOUR)

    one, two = noon_plus(hours=1), noon_plus(hours=2)
    assert [window for _, window in seen] == [(None, one), (one, two)]


def test_one_tenant_that_fails_leaves_the_others_alone_and_the_round_partial():  # R21, R23
    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            if ctx.tenant.id == "acme":
                raise ValueError("no such table: orders")

    process = driven(tenants=["acme", "globex", "initech"])(declare)
    process.advance(HOUR)

    runs = runs_of(process.app)
    assert states_by_tenant(runs) == {
        "acme": State.FAILED, "globex": State.SUCCEEDED, "initech": State.SUCCEEDED
    }  # fmt: skip
    failed = next(run for run in runs if run.tenant == "acme")
    assert failed.error is not None and failed.error.first_line == "ValueError: no such table: orders"
    assert "report" in failed.error.traceback and "rota/engine" not in failed.error.traceback
    [round_] = rounds_of(process.app)
    assert (round_.state, dict(round_.counts)) == (RoundState.PARTIAL, {"succeeded": 2, "failed": 1})


@pytest.mark.parametrize("ending", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_whatever_a_job_raises_ends_its_attempt_and_not_the_worker(ending):  # R21
    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            if ctx.tenant.id == "acme":
                raise ending

    process = driven()(declare)
    process.advance(HOUR)

    assert states_by_tenant(runs_of(process.app)) == {"acme": State.FAILED, "globex": State.SUCCEEDED}


def test_a_tenant_that_is_added_is_in_the_next_round():  # R20
    tenants = ["acme"]
    seen: list[tuple[str, object]] = []
    process = driven(tenants=lambda: tenants)(hourly(seen))

    process.advance(HOUR)
    tenants.append("globex")
    process.advance(HOUR)

    assert [tenant for tenant, _ in seen] == ["acme", "acme", "globex"]


@pytest.mark.parametrize("listing", [list, lambda: 1 / 0])
def test_a_round_whose_tenants_cannot_be_listed_fails_and_says_so(listing):  # R20
    process = driven(tenants=listing)(hourly([], retry=ONCE))

    process.advance(HOUR)

    [round_] = rounds_of(process.app)
    assert round_.state is RoundState.FAILED
    assert round_.reason is not None and round_.reason.startswith(TenantListFailed.__name__)
    assert runs_of(process.app) == []


def test_a_listing_that_comes_back_is_made_up_by_the_retry():  # R20
    answers = iter([RuntimeError("away"), ["acme"], ["acme"]])

    def listing() -> list[str]:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    seen: list[tuple[str, object]] = []
    process = driven(tenants=listing)(hourly(seen, retry=Retry(attempts=2, jitter=False)))
    process.advance(HOUR)
    assert seen == []

    process.advance(MINUTE)

    assert [tenant for tenant, _ in seen] == ["acme"]
    assert rounds_of(process.app)[0].state is RoundState.SUCCEEDED


def test_a_drop_of_more_than_a_third_of_the_tenants_is_told():  # R20
    tenants = [f"t{number}" for number in range(9)]
    told: list[TenantsDropped] = []
    process = driven(tenants=lambda: tenants)(hourly([]))
    process.app.on(TenantsDropped)(told.append)

    process.advance(HOUR)
    del tenants[6:]
    process.advance(HOUR)
    assert told == []

    del tenants[3:]
    process.advance(HOUR)
    assert [(event.before, event.now) for event in told] == [(6, 3)]


def test_a_tenant_that_is_gone_when_its_run_comes_up_is_cancelled():  # fault row G6
    tenants = ["acme", "globex"]
    process = driven(tenants=lambda: tenants)(hourly([]))
    process.clock.tick(HOUR)
    process.crew.services["scheduler"].tick(process.clock.now())
    # One pass expands, and the runs are claimed only by the next.
    process.crew.worker.tick(process.clock.now())
    tenants.remove("globex")
    process.clock.tick(2 * MINUTE)
    process.settle_down()

    runs = {run.tenant: run for run in runs_of(process.app)}
    assert runs["acme"].state is State.SUCCEEDED
    assert runs["globex"].state is State.CANCELLED
    assert "gone" in (runs["globex"].reason or "")


def test_a_failed_attempt_is_repeated_after_its_wait_and_counts():
    attempts: list[int] = []

    def declare(app: Rota) -> None:
        @app.job(schedule=every().day.at("13:00"), retry=Retry(attempts=3, base=MINUTE, jitter=False))
        def flaky(ctx: RunContext) -> None:
            attempts.append(ctx.attempt)
            if len(attempts) < 3:
                raise ConnectionError("again")

    process = driven()(declare)
    process.advance(HOUR)
    assert attempts == [1]
    process.advance(MINUTE)
    assert attempts == [1, 2]
    process.advance(MINUTE)
    assert attempts == [1, 2]
    process.advance(MINUTE)

    assert attempts == [1, 2, 3]
    [run] = runs_of(process.app)
    assert run.state is State.SUCCEEDED
    history = process.app.store.run(run.id)
    assert history is not None and len(history.attempts) == 3


def test_a_run_of_a_job_that_this_worker_does_not_know_is_left_for_one_that_does():  # R36
    seen: list[tuple[str, object]] = []
    ignorant = driven()(lambda app: None)
    knows = driven(store=ignorant.app.store, clock=ignorant.clock)(hourly(seen))
    knows.clock.tick(HOUR)
    knows.crew.services["scheduler"].tick(knows.clock.now())

    for _ in range(3):
        ignorant.crew.worker.tick(knows.clock.now())
    [expansion] = knows.app.store.runs(RunQuery(kind=RunKind.EXPANSION))
    assert (expansion.state, expansion.attempt) == (State.QUEUED, 0)

    knows.settle_down()
    assert len(seen) == 2


def test_an_ended_attempt_and_an_ended_round_are_told_once():
    told: list[object] = []
    process = driven(tenants=["acme"])(hourly([]))
    process.app.on(RoundEnded)(told.append)
    process.app.on(AttemptEnded)(lambda event: told.append(event) if event.settlement.run.tenant else None)

    process.advance(HOUR)
    process.advance(SECOND)

    assert [type(event) for event in told] == [AttemptEnded, RoundEnded]


def test_around_wraps_every_run_and_sees_its_failure():
    seen: list[str] = []

    def declare(app: Rota) -> None:
        @app.around
        @contextmanager
        def traced(ctx: RunContext):
            seen.append(f"open {ctx.tenant.id}")
            try:
                yield
            finally:
                seen.append(f"close {ctx.tenant.id}")

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            raise ValueError

    process = driven(tenants=["acme"])(declare)
    process.advance(HOUR)

    assert seen == ["open acme", "close acme"]
