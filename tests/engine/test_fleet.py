"""Runs that are sent to processes of another system, and what becomes of their messages (G2, G5, G7)."""

from contextlib import ExitStack
from datetime import timedelta
from queue import Queue
from threading import Barrier

import pytest

from rota import RunContext, State, every
from rota.core.events import LeaseLost, RunStarted, UnknownJob
from rota.core.model import Outcome, RunKind
from rota.engine.handover import Handover
from rota.engine.private import private_queue
from rota.errors import ConfigurationError, FleetUnavailable, UnsupportedJob
from rota.executors.fleet import SENDERS
from rota.views.why import ask_run
from tests.clocks import FakeClock
from tests.engine.house import an_app, runs_of
from tests.values import LEASE, MINUTE, NOON, SECOND, a_worker, found

PATIENCE = 2 * MINUTE
DEADLINE_S = 20.0


class Wire:
    """A broker in memory: what is sent is taken from it by hand."""

    def __init__(self, *, places=3):
        self.places = places
        self.patience = PATIENCE
        self.messages = Queue()
        self.recalled = Queue()
        self.tries = 0
        self.is_away = False
        self.meets = Barrier(1)

    def send(self, run):
        self.tries += 1
        if self.is_away:
            self.meets.wait(DEADLINE_S)
            raise FleetUnavailable("the broker is away")
        self.messages.put((run.id, run.token))

    def recall(self, runs):
        for run in runs:
            self.recalled.put((run.id, run.token))

    def message(self):
        return self.messages.get(timeout=DEADLINE_S)


class Fleet:
    """An application whose runs are sent, and one process of the fleet; all but the senders is driven by hand."""

    def __init__(self, app, clock, wire):
        self.app, self.clock, self.wire = app, clock, wire
        self.sender = app.crew(schedules=False)
        self.carrier = app.crew(schedules=False, inline=True, claims=False)
        self.handover = Handover(self.sender.worker, self.sender.heartbeat, clock=clock, patience={"celery": PATIENCE})

    def send(self):
        """Claim what there is, and wait until all of it is with the broker, or given back."""
        held = len(self.sender.worker.live())
        self.sender.worker.tick(self.clock.now())
        return [self.wire.message() for _ in self.sender.worker.live()[held:]]

    def carry_out(self, message):
        """Deliver a message; return the runs that it led to."""
        taken = self.carrier.worker.take_over(message, self.clock.now())
        self.carrier.worker.tick(self.clock.now())
        return taken

    def look(self):
        self.handover.tick(self.clock.now())
        self.sender.worker.tick(self.clock.now())

    def settle_all_but(self, *run_ids):
        """Wait until what could not be sent is given back."""
        while set(self.live()) - set(run_ids):
            self.sender.worker.wake.wait(DEADLINE_S)
            self.sender.worker.tick(self.clock.now())

    def come_to_rest(self):
        """Let the senders do all that they were asked to, and end."""
        for pool in self.sender.worker._holdings.pools:
            pool.executor.close()
            for thread in pool.executor._threads:
                thread.join(DEADLINE_S)

    def live(self):
        return [attempt.run.id for attempt in self.sender.worker.live()]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def app(clock, wire):
    app = an_app(clock=clock)
    app.fleets.use("celery", wire)
    return app


@pytest.fixture
def ran(app):
    ran = []

    @app.job(executor="celery")
    def report(ctx: RunContext, number: int = 7) -> dict[str, int]:
        ran.append(ctx.token)
        return {"number": number}

    return ran


@pytest.fixture
def fleet(app, ran, clock, wire):
    with ExitStack() as held:
        fleet = Fleet(app, clock, wire)
        held.callback(fleet.come_to_rest)
        yield fleet


def enqueue(app, number=1):
    return [app.jobs["report"].enqueue(index).id for index in range(number)]


def test_who_takes_a_run_over_carries_it_out_and_records_it(fleet, app, ran):
    [run_id] = enqueue(app)
    [message] = fleet.send()

    fleet.carry_out(message)
    fleet.look()

    run = found(app.store, run_id)
    assert (run.state, run.result, run.attempt, run.owner) == (
        State.SUCCEEDED, '{"number":0}', 1, fleet.carrier.worker.id,
    )  # fmt: skip
    # Under a token of its own, which is what `ctx.token` tells the job.
    assert ran == [run.token]
    assert run.token > message[1]
    assert [one.outcome for one in app.store.run(run_id).attempts] == [Outcome.SUCCEEDED]


def test_a_run_that_was_taken_over_frees_its_place_without_a_word(fleet, app):
    lost, started = [], []
    app.on(LeaseLost)(lost.append)
    app.on(RunStarted)(started.append)
    [run_id] = enqueue(app)
    [message] = fleet.send()
    assert started == []

    [taken] = fleet.carrier.worker.take_over(message, fleet.clock.now())
    fleet.look()

    assert fleet.live() == []
    assert lost == []
    assert [event.run.id for event in started] == [run_id]
    # Nobody has it revoked, which would be said to every worker.
    fleet.come_to_rest()
    assert fleet.wire.recalled.empty()
    assert found(app.store, run_id).token == taken.token


def test_a_message_that_is_delivered_twice_is_carried_out_once(fleet, app, ran):  # G7
    enqueue(app)
    [message] = fleet.send()

    assert len(fleet.carry_out(message)) == 1
    assert fleet.carry_out(message) == []
    assert len(ran) == 1


def test_a_message_that_comes_late_is_refused(fleet, app, ran):  # G5
    [run_id] = enqueue(app)
    [late] = fleet.send()
    fleet.clock.tick(PATIENCE + SECOND)
    fleet.look()
    message = fleet.wire.message()

    assert fleet.carry_out(late) == []
    assert len(fleet.carry_out(message)) == 1
    assert len(ran) == 1
    assert found(app.store, run_id).state is State.SUCCEEDED


def test_a_message_that_is_lost_is_sent_anew_and_costs_no_attempt(fleet, app):
    [run_id] = enqueue(app)
    fleet.send()
    fleet.clock.tick(PATIENCE + SECOND)

    fleet.look()
    message = fleet.wire.message()

    attempts = app.store.run(run_id).attempts
    assert [one.outcome for one in attempts] == [Outcome.INTERRUPTED, None]
    assert attempts[0].error.first_line == "NotTaken: no worker of the fleet took it within 2m"
    run = found(app.store, run_id)
    assert (run.attempt, run.lost_count, message) == (1, 0, (run_id, run.token))


def test_who_sends_keeps_the_lease_of_what_waits(fleet, app, ran):
    # A fleet that is down costs no run an attempt, and makes none of them poison.
    [run_id] = enqueue(app)
    [message] = fleet.send()

    for _ in range(5):
        fleet.clock.tick(LEASE / 2)
        fleet.look()

    assert app.store.expired(now=fleet.clock.now()) == []
    assert len(fleet.carry_out(message)) == 1
    assert found(app.store, run_id).lost_count == 0


def test_a_run_whose_sender_dies_is_healed_by_its_lease(fleet, app, ran):
    [run_id] = enqueue(app)
    [message] = fleet.send()
    fleet.clock.tick(LEASE + 2 * SECOND)
    fleet.carrier.services["rescuer"].tick(fleet.clock.now())

    assert fleet.carry_out(message) == []
    run = found(app.store, run_id)
    assert (run.state, run.lost_count) == (State.QUEUED, 1)


def test_a_run_that_is_cancelled_while_it_waits_is_recalled(fleet, app, ran):
    [run_id] = enqueue(app)
    [message] = fleet.send()
    app.store.cancel([run_id], now=fleet.clock.now(), reason="by ops")

    fleet.look()

    assert fleet.wire.recalled.get(timeout=DEADLINE_S) == message
    assert found(app.store, run_id).state is State.CANCELLED
    assert fleet.carry_out(message) == []
    assert ran == []


def test_a_run_that_is_cancelled_on_its_way_does_not_begin(fleet, app, ran):
    [run_id] = enqueue(app)
    [message] = fleet.send()
    app.store.cancel([run_id], now=fleet.clock.now(), reason="by ops")

    fleet.carry_out(message)

    assert (found(app.store, run_id).state, ran) == (State.CANCELLED, [])


def test_without_a_broker_runs_go_back_and_say_why(fleet, app, clock):
    ids = enqueue(app, 3)
    fleet.wire.is_away, fleet.wire.meets = True, Barrier(SENDERS)
    fleet.sender.worker.tick(clock.now())
    fleet.settle_all_but()

    for run_id in ids:
        run = found(app.store, run_id)
        [attempt] = app.store.run(run_id).attempts
        assert (run.state, run.due_at, run.attempt) == (State.SCHEDULED, NOON + SECOND, 0)
        assert attempt.outcome is Outcome.INTERRUPTED
        assert attempt.error.first_line == "FleetUnavailable: the broker is away"
    # Each sender has tried once: the third run did not wait for the broker as these two did.
    assert fleet.wire.tries == SENDERS


def test_a_broker_that_comes_back_gets_what_waited(fleet, app, clock, ran):
    [run_id] = enqueue(app)
    fleet.wire.is_away = True
    fleet.sender.worker.tick(clock.now())
    fleet.settle_all_but()
    fleet.wire.is_away = False
    app.store.promote(now=clock.tick(2 * SECOND))

    [message] = fleet.send()

    assert message[0] == run_id
    # The next time that it is away is a first time again.
    fleet.wire.is_away = True
    [other] = enqueue(app)
    fleet.sender.worker.tick(clock.now())
    fleet.settle_all_but(run_id)
    assert found(app.store, other).due_at == clock.now() + SECOND


def test_no_more_runs_are_out_than_there_are_places(fleet, app):
    enqueue(app, 5)

    first = fleet.send()
    assert len(first) == fleet.wire.places
    assert fleet.send() == []

    fleet.carry_out(first[0])
    fleet.handover.tick(fleet.clock.now())
    assert len(fleet.send()) == 1


def test_a_worker_that_drains_gives_back_what_waits(fleet, app):  # R45
    [run_id] = enqueue(app)
    [message] = fleet.send()

    fleet.sender.worker.stop_claiming()
    fleet.sender.worker.release_waiting(fleet.clock.now())

    assert found(app.store, run_id).state is State.QUEUED
    assert fleet.wire.recalled.get(timeout=DEADLINE_S) == message
    assert fleet.carry_out(message) == []


def test_a_job_that_the_fleet_does_not_have_goes_back_for_a_while(fleet, app, ran):  # R36
    unknown = []
    app.on(UnknownJob)(unknown.append)
    [run_id] = enqueue(app)
    [message] = fleet.send()
    fleet.carrier.worker._jobs = {}

    assert fleet.carry_out(message) == []

    run = found(app.store, run_id)
    assert (run.state, run.attempt, run.due_at) == (State.SCHEDULED, 0, NOON + 10 * SECOND)
    assert [event.run.id for event in unknown] == [run_id]


def test_the_list_of_tenants_is_not_sent(clock, wire):
    app = an_app(clock=clock)
    app.fleets.use("celery", wire)

    @app.job(schedule=every().hour, per_tenant=True, executor="celery")
    def visit() -> None: ...

    started = []
    app.on(RunStarted)(lambda event: started.append(event.run.kind))
    fleet = Fleet(app, clock, wire)
    app.schedules.sync()
    fleet.sender.scheduler.tick(clock.tick(timedelta(hours=1)))
    fleet.sender.worker.tick(clock.now())
    fleet.sender.worker.wake.wait(DEADLINE_S)
    fleet.sender.worker.tick(clock.now())

    assert {wire.message()[0] for _ in range(2)} == {run.id for run in runs_of(app)}
    assert [run.state for run in runs_of(app, kind=RunKind.EXPANSION)] == [State.SUCCEEDED]
    assert started == [RunKind.EXPANSION]
    fleet.come_to_rest()


def test_what_does_not_stop_is_given_up_as_what_it_was_stopped_for(fleet, app):
    # In a pool of threads, whose process nobody may end.
    [run_id] = enqueue(app)
    [message] = fleet.send()
    carrier = fleet.carrier
    held = []
    carrier.worker._holdings.pools[0].executor.submit = lambda calls, done: held.extend(calls)
    carrier.worker.take_over(message, fleet.clock.now())
    [attempt] = carrier.worker.live()
    attempt._begin()
    attempt.stop("its time limit is over", outcome=Outcome.TIMED_OUT)

    carrier._on_stuck(attempt)
    carrier.give_up_stuck(fleet.clock.now())

    assert carrier.worker.live() == []
    assert not carrier.must_end.is_set()
    assert [one.outcome for one in app.store.run(run_id).attempts][:1] == [Outcome.TIMED_OUT]


def test_jobs_without_a_fleet_are_refused_where_they_would_be_worked(clock):
    app = an_app(clock=clock)

    @app.job(executor="celery")
    def report() -> None: ...

    with pytest.raises(ConfigurationError, match=r"executor='celery', and nobody carries them out: join"):
        app.crew(schedules=False)
    # Whoever only looks, or schedules, need not have it.
    app.crew(works=False)


def test_where_a_run_is_can_be_asked(fleet, app):
    [run_id] = enqueue(app)
    [message] = fleet.send()
    app.store.register(a_worker(id=fleet.sender.worker.id, host="web-1", pid=11))
    app.store.register(a_worker(id=fleet.carrier.worker.id, host="gpu-1", pid=22, queues={}))
    sent = ask_run(app, found(app.store, run_id)).reasons[-1]

    fleet.carrier.worker._start = lambda *args, **kwargs: None
    fleet.carrier.worker.take_over(message, fleet.clock.now())
    taken = ask_run(app, found(app.store, run_id)).reasons[-1]

    assert sent.text.startswith(
        "it was sent to celery since 2026-06-01 12:00 UTC (0ms) and waits for one of its workers"
    )
    assert taken.text.startswith("worker gpu-1 (pid 22) of celery has it since 2026-06-01 12:00 UTC (0ms), attempt 1")


def test_what_is_run_here_by_hand_is_not_sent(app, ran, wire):
    queue = private_queue("x")
    with app.working(queues={queue: 0}) as crew:
        run_id = app.jobs["report"].using(queue=queue).enqueue(3).id
        while not found(app.store, run_id).state.is_final:
            crew.worker.wake.wait(0.01)

    assert (found(app.store, run_id).state, wire.tries, len(ran)) == (State.SUCCEEDED, 0, 1)


def test_a_fleet_has_a_name_of_its_own(app, wire):
    app.fleets.use("celery:reports", wire)

    with pytest.raises(ConfigurationError, match="joined already"):
        app.fleets.use("celery", wire)
    with pytest.raises(ConfigurationError, match="'celery:NAME'"):
        app.fleets.use("thread", wire)


def test_jobs_that_do_not_say_where_go_to_the_fleet_by_default(clock, wire):
    app = an_app(clock=clock)

    @app.job()
    def before() -> None: ...

    app.fleets.use("celery", wire, by_default=True)

    @app.job()
    def after() -> None: ...

    @app.job(executor="thread")
    def here() -> None: ...

    @app.job()
    async def coroutine() -> None: ...

    executors = {name: function.job.executor for name, function in app.jobs.items()}
    assert executors == {"before": "celery", "after": "celery", "here": "thread", "coroutine": "asyncio"}


def test_a_coroutine_cannot_be_sent(app):
    with pytest.raises(UnsupportedJob, match="event loop"):

        @app.job(executor="celery")
        async def report() -> None: ...
