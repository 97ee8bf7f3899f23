"""Whoever moves flows on: told or in rounds, with others, with a store that goes away, inline and in one pass (R32)."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota import Rota, State
from rota.core.model import Outcome
from rota.engine.flows import Flows
from rota.errors import StoreUnavailable
from rota.flow_handle import FlowHandle
from rota.queries import RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.flows import Heard, a_process, reasons, states, steps, worked_off
from tests.engine.house import Driven, an_app
from tests.values import HOUR, MINUTE

OK, CANCELLED, HELD = State.SUCCEEDED, State.CANCELLED, State.SCHEDULED


# --- whoever moves them ---


def test_any_number_may_look_at_a_flow_and_it_moves_once():
    _, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step()).enqueue()
    process.crew.worker.tick(process.clock.now())
    process.crew.worker.tick(process.clock.now())
    others = [Flows(process.app.store) for _ in range(3)]

    moved = [flows.move(process.clock.now()) for flows in others]

    assert moved == [1, 0, 0]
    assert states(chain) == [OK, State.QUEUED]


def test_whoever_settles_a_run_looks_at_its_flow_at_once_and_not_in_the_next_round():
    _, process = a_process()
    jobs = steps(process)
    flows, now = process.crew.flows, process.clock.now()
    flows.tick(now)
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step()).enqueue()

    process.crew.worker.tick(now)
    process.crew.worker.tick(now)

    assert flows.wake.is_set()
    flows.tick(now)
    assert states(chain) == [OK, State.QUEUED]


def test_rounds_find_what_nobody_told_of_page_after_page():
    _, process = a_process()
    jobs = steps(process)
    chains = [process.app.chain(jobs["fetch"].step(1), jobs["total"].step(), jobs["double"].step()) for _ in range(3)]
    handles = [chain.enqueue() for chain in chains]
    process.crew.worker.tick(process.clock.now())
    process.crew.worker.tick(process.clock.now())
    flows = Flows(process.app.store, page=2)

    for number in range(4):
        flows.tick(process.clock.now() + number * timedelta(seconds=1))

    assert [states(handle)[1] for handle in handles] == [State.QUEUED] * 3


def test_a_store_that_is_away_makes_nobody_forget_what_he_was_told(monkeypatch):
    # Not by a round: of very many flows that would find this one late.
    monkeypatch.setattr("rota.engine.flows.PER_ROUND", 0)
    _, process = a_process()
    jobs = steps(process)
    store, cut = flaky(process.app.store)
    flows, now = Flows(store), process.clock.now()
    flows.tick(now)
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step()).enqueue()
    process.crew.worker.tick(now)
    process.crew.worker.tick(now)
    flows.tell(chain.runs()[0])

    cut.cut("admit", Moment.BEFORE)
    with pytest.raises(StoreUnavailable):
        flows.tick(now)
    flows.tick(now)

    assert states(chain) == [OK, State.QUEUED]


def opened_again_before(verb: str, process: Driven, handle: FlowHandle, monkeypatch) -> Flows:
    """Return somebody who moves flows, slower than a person who opens this one again right before his `cancel`."""
    store = process.app.store
    call = getattr(store, verb)

    def late(*args, **fields):
        monkeypatch.setattr(store, verb, call)
        assert handle.retry() > 0
        return call(*args, **fields)

    monkeypatch.setattr(store, verb, late)
    return Flows(store)


def test_a_chain_that_was_opened_again_meanwhile_is_not_given_up(monkeypatch):
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"fetch"}
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step()).enqueue()
    process.crew.worker.tick(process.clock.now())
    process.crew.worker.tick(process.clock.now())

    opened_again_before("cancel", process, chain, monkeypatch).move(process.clock.now())

    heard.failing = set()
    assert [run.state for run in worked_off(process, chain)] == [OK, OK]


def test_a_batch_that_was_opened_again_meanwhile_is_not_given_up(monkeypatch):
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"fetch 2"}
    batch = process.app.batch(
        [jobs["fetch"].step(1), jobs["fetch"].step(2)], on_success=jobs["after"].step()
    ).enqueue()  # fmt: skip
    process.crew.worker.tick(process.clock.now())
    process.crew.worker.tick(process.clock.now())

    opened_again_before("cancel", process, batch, monkeypatch).move(process.clock.now())

    heard.failing = set()
    assert [run.state for run in worked_off(process, batch)] == [OK, OK, OK]


def test_what_is_given_up_while_a_chain_is_being_opened_again_comes_along(monkeypatch):
    heard, process = a_process()
    jobs = steps(process)
    heard.failing = {"fetch"}
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step()).enqueue()
    process.crew.worker.tick(process.clock.now())
    process.crew.worker.tick(process.clock.now())
    store, now = process.app.store, process.clock.now()
    requeue = store.requeue

    def late(*args, **fields):
        monkeypatch.setattr(store, "requeue", requeue)
        assert Flows(store).move(now) == 1, "the second step is given up"
        return requeue(*args, **fields)

    monkeypatch.setattr(store, "requeue", late)
    chain.retry()

    heard.failing = set()
    assert [run.state for run in worked_off(process, chain)] == [OK, OK]


def test_a_batch_of_very_many_is_not_counted_after_each_of_them(monkeypatch):
    _, process = a_process()
    jobs = steps(process)
    monkeypatch.setattr("rota.engine.flows.MANY", 3)
    monkeypatch.setattr("rota.engine.flows.REST_PER_MEMBER", timedelta(milliseconds=100))
    batch = process.app.batch([jobs["fetch"].step(1) for _ in range(5)], on_success=jobs["after"].step()).enqueue()
    store, counted = process.app.store, []
    counts = store.batch_counts
    monkeypatch.setattr(store, "batch_counts", lambda name: counted.append(name) or counts(name))
    flows, now = Flows(store), process.clock.now()
    [member, *_] = batch.runs()

    flows.tick(now)
    flows.tick(now)
    for _ in range(10):
        flows.tell(member)
        pause = flows.tick(now)

    assert (len(counted), pause) == (1, timedelta(milliseconds=500))
    flows.tick(now + pause)
    assert len(counted) == 2


def test_a_step_that_meets_a_store_which_is_away_is_begun_again_and_loses_no_attempt():
    heard, clock = Heard(), FakeClock()
    store, cut = flaky(MemoryStore(clock=clock))
    app = an_app(store=store, clock=clock)
    heard.declare(app)
    process = Driven(app, clock)
    chain = app.chain(app.jobs["fetch"].step(1), app.jobs["total"].step()).enqueue()
    process.crew.worker.tick(clock.now())
    process.crew.worker.tick(clock.now())
    process.crew.flows.tick(clock.now())

    cut.cut("run", Moment.BEFORE)
    process.settle_down()
    process.advance(MINUTE)

    last = app.store.run(chain.runs()[1].id)
    assert (last.run.state, last.run.attempt) == (OK, 1)
    assert [attempt.outcome for attempt in last.attempts] == [Outcome.INTERRUPTED, Outcome.SUCCEEDED]


def test_a_chain_whose_first_result_was_pruned_is_given_up():
    _, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(jobs["fetch"].step(1), jobs["total"].step()).enqueue()
    second = replace(chain.runs()[1], part=replace(chain.runs()[1].part, after="0" * 32), id=process.clock.new_id())
    process.app.store.enqueue([replace(second, batch="flow/other")], now=process.clock.now())

    process.settle_down()

    run = process.app.store.run(second.id).run
    assert (run.state, run.reason) == (CANCELLED, "flow stopped: step 1 of 2 was pruned, and its result with it")


def test_runs_of_no_flow_cost_no_question():
    _, process = a_process()
    process.app.jobs["fetch"].enqueue(1)

    process.settle_down()

    assert [run.part for run in process.app.store.runs(RunQuery())] == [None]
    assert process.app.store.gates() == []


# --- beside other things ---


def test_a_step_that_expires_while_it_waits_ends_the_chain():
    _, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(
        jobs["fetch"].using(delay=HOUR).step(1), jobs["total"].using(expires=MINUTE).step(), jobs["double"].step()
    ).enqueue()

    process.crew.services["promoter"].tick(process.clock.now())
    process.clock.tick(2 * MINUTE)
    process.crew.services["promoter"].tick(process.clock.now())
    process.settle_down()

    assert states(chain) == [HELD, State.SKIPPED, CANCELLED]
    assert reasons(chain)[2].startswith("flow stopped: step 2 of 3 (total) was skipped: ")


def test_a_flow_is_executed_inline_before_enqueue_returns():
    heard, app = Heard(), Rota(inline=True)
    heard.declare(app)
    jobs = app.jobs

    chain = app.chain(jobs["fetch"].step(4), jobs["total"].step(), jobs["double"].step()).enqueue()
    batch = app.batch([jobs["fetch"].step(1), jobs["fetch"].step(2)], on_success=jobs["after"].step()).enqueue()

    assert (chain.result(), batch.is_over) == (12, True)
    assert heard.seen[-1] == ("after ", 2)


def test_one_pass_of_an_outside_cron_works_a_flow_off():
    heard, process = a_process()
    jobs = steps(process)
    chain = process.app.chain(jobs["fetch"].step(4), jobs["total"].step(), jobs["double"].step()).enqueue()
    batch = process.app.batch([jobs["fetch"].step(1)], on_success=jobs["after"].step()).enqueue()

    app = Rota(process.app.store)
    heard.declare(app)
    app.tick(limit=timedelta(seconds=20))

    assert states(chain) + states(batch) == [OK] * 5
