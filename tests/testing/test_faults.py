"""Workers that die, databases that are gone: what users try their jobs with."""

import pytest

from rota import Retry, Rota, RunContext, State, Tenant
from rota.core.model import Outcome
from rota.errors import TenantUnavailable
from rota.testing import capture
from tests.testing.shop import Shop


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def jobs(shop):
    with capture(shop.app) as jobs:
        yield jobs


@pytest.mark.parametrize(("after", "times"), [("claim", 1), ("start", 1), ("effect", 2), ("settle", 1)])
def test_a_killed_workers_run_is_begun_again_unless_its_end_was_recorded(shop, jobs, after, times):
    handle = shop.send.enqueue(7)
    jobs.kill_worker(after=after)

    jobs.drain()

    assert shop.done == [("send", 7)] * times
    assert handle.state is State.SUCCEEDED
    assert handle.refresh().lost_count == (0 if after == "settle" else 1)


@pytest.mark.parametrize(("after", "twice"), [("claim", 0), ("start", 0), ("effect", 1), ("settle", 0)])
def test_the_others_in_its_hands_are_not_lost_nor_executed_by_the_dead(shop, jobs, after, twice):
    handles = [shop.send.enqueue(number) for number in range(30)]
    jobs.kill_worker(after=after)

    jobs.drain()

    assert {handle.state for handle in handles} == {State.SUCCEEDED}
    assert {number for _, number in shop.done} == set(range(30))
    assert len(shop.done) == 30 + twice


def test_only_the_worker_of_the_job_that_is_named_dies(shop, jobs):
    jobs.kill_worker(after="effect", job=shop.flaky)
    handle = shop.send.enqueue(7)

    jobs.drain()

    assert handle.refresh().lost_count == 0
    shop.fails = False
    assert shop.flaky.enqueue().result() == "sent"
    assert shop.done == [("send", 7), "flaky", "flaky"]


def test_what_stands_around_a_run_was_entered_where_it_died_at_the_start():
    app = Rota("memory://")
    entered: list[str] = []

    @app.around
    def note(ctx: RunContext):
        from contextlib import nullcontext

        entered.append(ctx.run_id)
        return nullcontext()

    @app.job()
    def nothing() -> None: ...

    for after, times in (("claim", 1), ("start", 2)):
        entered.clear()
        with capture(app) as jobs:
            nothing.enqueue()
            jobs.kill_worker(after=after)
            jobs.drain()
        assert len(entered) == times


def test_three_deaths_are_poison():  # R30
    app = Rota("memory://")

    @app.job()
    def nothing() -> None: ...

    with capture(app) as jobs:
        handle = nothing.enqueue()
        for _ in range(3):
            jobs.kill_worker(after="effect")
        jobs.advance("10m")

        assert handle.state is State.FAILED
        assert handle.refresh().outcome is Outcome.LOST


def test_coroutines_die_too():
    app = Rota("memory://")
    done: list[str] = []

    @app.job()
    async def note() -> None:
        done.append("noted")

    with capture(app) as jobs:
        note.enqueue()
        jobs.kill_worker(after="effect")
        jobs.drain()

    assert done == ["noted", "noted"]


def test_a_tenant_whose_database_is_gone_fails_alone(tmp_path):  # R21
    from rota.tenants import SQLiteDirectory

    for name in ("acme", "globex"):
        (tmp_path / f"{name}.db").touch()
    app = Rota("memory://", tenants=SQLiteDirectory(tmp_path))

    @app.job(per_tenant=True, retry=Retry(attempts=1))
    def sync(ctx: RunContext) -> str:
        return ctx.tenant.database_name

    with capture(app) as jobs:
        jobs.fail_tenant("acme", OSError("no route to host"))
        handles = {tenant: sync.using(tenant=tenant).enqueue() for tenant in ("acme", "globex")}

        with pytest.raises(TenantUnavailable, match="'acme' cannot be reached: OSError: no route to host"):
            jobs.drain(raises=True)
        assert {tenant: handle.state for tenant, handle in handles.items()} == {
            "acme": State.FAILED,
            "globex": State.SUCCEEDED,
        }

        jobs.mend_tenant("acme")
        assert sync.using(tenant="acme").enqueue().result() is not None


def test_a_day_of_a_parked_tenant_goes_from_probe_to_probe(tmp_path, monkeypatch):  # R25
    app = Rota("memory://", tenants=[Tenant(id="acme", url=f"sqlite:///{tmp_path}/acme.db")])

    @app.job(per_tenant=True, schedule="every hour")
    def visit(ctx: RunContext) -> None:
        with ctx.tenant.begin():
            pass

    with capture(app) as jobs:
        jobs.fail_tenant("acme")
        jobs.advance("2h")
        steps: list[object] = []
        advance = jobs.clock.advance
        monkeypatch.setattr(jobs.clock, "advance", lambda by: (steps.append(by), advance(by)))
        jobs.advance("1d")

    # A probe each quarter of an hour and a slot each hour, where there are 1440 minutes.
    assert 24 <= len(steps) <= 200
