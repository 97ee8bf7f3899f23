"""Working off what is due, and letting time pass."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from rota import Rota, RunContext, Snooze, State
from rota.errors import NeverAtRest, RunFailed, StoreUnavailable, WaitTimedOut
from rota.testing import FakeClock, capture
from tests.testing.shop import Shop
from tests.values import HOUR, MINUTE


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def jobs(shop):
    with capture(shop.app) as jobs:
        yield jobs


def test_what_is_due_is_executed_in_this_thread(shop, jobs):
    handle = shop.send.enqueue(7)

    [run] = jobs.drain()

    assert shop.done == [("send", 7)]
    assert (run.id, run.state) == (handle.id, State.SUCCEEDED)
    assert handle.result() == 7


def test_a_chain_is_executed_to_its_end(shop, jobs):  # R32
    shop.app.chain(shop.send.step(7), shop.send.step()).enqueue()

    ended = jobs.drain()

    assert shop.done == [("send", 7), ("send", 7)]
    assert [run.state for run in ended] == [State.SUCCEEDED, State.SUCCEEDED]


def test_what_jobs_enqueue_is_executed_too(jobs, shop):
    @shop.app.job()
    def first() -> None:
        shop.send.enqueue(1)

    first.enqueue()

    assert [run.job for run in jobs.drain()] == ["first", "send"]


def test_two_hundred_at_once(shop, jobs):
    shop.send.enqueue_many([(number,) for number in range(200)])

    assert len(jobs.drain()) == 200


def test_coroutines_are_executed_too(jobs, shop):
    @shop.app.job()
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    handle = double.enqueue(4)
    jobs.drain()

    assert handle.result() == 8


def test_a_test_that_is_a_coroutine_drains_coroutines_too(jobs, shop):
    @shop.app.job()
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return number * 2

    async def view() -> object:
        handle = double.enqueue(4)
        jobs.drain()
        return handle.result()

    assert asyncio.run(view()) == 8


def test_a_retry_waits_until_time_has_passed(shop, jobs):
    handle = shop.flaky.enqueue()

    jobs.drain()
    assert (shop.done, handle.state) == (["flaky"], State.SCHEDULED)

    jobs.drain()
    assert shop.done == ["flaky"]

    shop.fails = False
    jobs.advance("2m")
    assert (shop.done, handle.result()) == (["flaky", "flaky"], "sent")


def test_a_failure_is_recorded_and_raised_only_when_asked_for(shop, jobs):
    shop.flaky.enqueue()

    [run] = jobs.advance("1h")[:1]
    assert run.state is State.FAILED

    shop.flaky.enqueue()
    with pytest.raises(ValueError, match="busy"):
        jobs.advance("1h", raises=True)


def test_a_tenant_that_is_not_there_fails_as_a_run(shop, jobs):
    shop.sync.using(tenant="acme").enqueue()

    with pytest.raises((RunFailed, LookupError), match="acme"):
        jobs.drain(raises=True)


def test_schedules_fire_at_each_slot_that_passes(shop, jobs):
    jobs.advance(HOUR)

    slots = {slot for _, _, slot in shop.done}
    assert len(shop.done) == 12
    assert sorted(slots) == [datetime(2026, 1, 5, 12, minute, tzinfo=UTC) for minute in (10, 20, 30, 40, 50)] + [
        datetime(2026, 1, 5, 13, 0, tzinfo=UTC)
    ]


def test_a_delay_ends_at_its_own_time(jobs, shop):
    began: list[datetime] = []

    @shop.app.job()
    def late() -> None:
        began.append(jobs.clock.now())

    start = jobs.clock.now()
    late.using(delay=25 * MINUTE).enqueue()

    jobs.advance("24m")
    assert began == []
    jobs.advance("10m")
    assert began == [start + 25 * MINUTE]
    assert jobs.clock.now() == start + 34 * MINUTE


def test_work_without_end_is_named():
    app = Rota("memory://")

    @app.job()
    def again() -> None:
        again.enqueue()

    with capture(app) as jobs:
        again.enqueue()
        with pytest.raises(NeverAtRest, match=r"after 50 claims .*again \(queued\)"):
            jobs.drain(most=50)


def test_a_snooze_without_delay_is_named():
    app = Rota("memory://")

    @app.job()
    def poll() -> Snooze:
        return Snooze(timedelta(0))

    with capture(app) as jobs:
        poll.enqueue()
        with pytest.raises(NeverAtRest, match="poll"):
            jobs.drain(most=50)


def test_who_waits_for_a_result_has_it_worked_off(shop, jobs):
    assert shop.send.enqueue(7).result() == 7


def test_who_waits_for_what_nothing_will_end_is_told(shop, jobs):
    handle = shop.send.using(delay=HOUR).enqueue(7)

    with pytest.raises(WaitTimedOut, match=r"send \(scheduled\).*advance"):
        handle.result()


def test_a_store_that_is_away_refuses_and_comes_back(shop, jobs):
    with jobs.store_away(), pytest.raises(StoreUnavailable):
        shop.send.enqueue(7)

    jobs.assert_not_enqueued()
    shop.send.enqueue(8)
    jobs.assert_enqueued(shop.send, args=(8,))


def test_lost_answers_lose_nothing_and_repeat_nothing(shop, jobs):
    jobs.lose_answer("enqueue")
    shop.send.enqueue(7)
    jobs.lose_answer("settle")
    jobs.drain()

    assert shop.done == [("send", 7)]
    assert [run.state for run in jobs.runs()] == [State.SUCCEEDED]


def test_a_clock_is_moved_by_texts_and_never_back():
    clock = FakeClock(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))

    assert clock.advance("1h30m") == datetime(2026, 3, 29, 3, 0, tzinfo=UTC)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-HOUR)
    with pytest.raises(ValueError, match="aware"):
        FakeClock(datetime(2026, 3, 29))


def test_the_start_may_be_said(shop):
    start = datetime(2026, 3, 29, 0, 55, tzinfo=UTC)
    with capture(shop.app, now=start) as jobs:
        assert jobs.clock.now() == start
        jobs.advance("5m")

    assert {slot for _, _, slot in shop.done} == {start + 5 * MINUTE}


def test_runs_carry_their_context(jobs, shop):
    seen: list[str] = []

    @shop.app.job()
    def note(ctx: RunContext) -> None:
        seen.append(f"{ctx.tenant.id} {ctx.user_id} {ctx.attempt}")

    note.using(tenant="acme", user_id="ana").enqueue()
    jobs.drain()

    assert seen == ["acme ana 1"]
