"""A real Celery fleet, over real brokers, carries out the runs of Rota."""

import os
import signal
from threading import Event

import pytest
from celery import Celery

from rota import State
from rota.core.model import Outcome
from rota.errors import ConfigurationError, FleetUnavailable, StoreUnavailable
from rota.integrations.celery import join
from rota.integrations.celery.fleet import TASK, task_id
from rota.integrations.celery.station import Station
from tests.engine.house import an_app
from tests.servers import HOST
from tests.system.processes import wait_until
from tests.values import NOON, a_run

pytestmark = pytest.mark.xdist_group("celery")

with_one_broker = pytest.mark.parametrize("broker", ["redis"], indirect=True, scope="session")
"""What happens between store and process, where the broker has no part in it any more."""


def test_a_run_whose_message_the_broker_lost_is_sent_anew(site):  # G2
    ended = site.ended(site.forgotten)

    assert ended.run.state is State.SUCCEEDED
    assert ended.attempts[0].error.first_line == "NotTaken: no worker of the fleet took it within 2s"
    # Nobody's fault: no attempt is used up, and none is lost.
    assert (ended.run.attempt, ended.run.lost_count) == (1, 0)


def test_the_ledger_has_of_a_run_what_it_has_of_any_other(site):
    run_id = site.module.visit.using(tenant="globex").enqueue(0).id

    run = site.ended(run_id).run

    assert (run.state, run.result, run.tenant, run.attempt) == (State.SUCCEEDED, '{"tenant":"globex"}', "globex", 1)
    wait_until(lambda: site.said(run_id) == ["printed by globex"], what="its log")
    carrier = next(worker for worker in site.app.store.workers() if worker.id == run.owner)
    assert carrier.pid == site.began(run_id)["pid"]
    assert (carrier.places, dict(carrier.queues)) == (1, {})
    assert "worker up, 1 places for what it is sent" in site.celery_log()


@with_one_broker
def test_a_failure_is_recorded_with_its_traceback_and_tried_again(site):
    ended = site.ended(site.module.fails.enqueue().id)

    assert [one.outcome for one in ended.attempts] == [Outcome.FAILED, Outcome.FAILED]
    assert ended.run.error.first_line == "ValueError: not today"
    assert 'raise ValueError("not today")' in ended.run.error.traceback


def test_a_message_that_is_delivered_twice_runs_once(site, monkeypatch):  # G7
    fleet = site.module.fleet
    send = fleet.send
    monkeypatch.setattr(fleet, "send", lambda run: (send(run), send(run)))
    run_id = site.module.visit.using(tenant="acme").enqueue(0.3).id

    site.ended(run_id)
    monkeypatch.undo()
    wait_until(lambda: "'refused'" in site.celery_log(), what="the second message")

    assert len(site.journal(event="start", run=run_id)) == 1
    assert site.journal(event="overlap") == []


@with_one_broker
def test_a_run_that_is_cancelled_stops_in_the_fleet(site):
    run_id = site.module.visit.using(tenant="acme").enqueue(60).id
    site.began(run_id)
    wait_until(lambda: site.run(run_id).run.done == 1, what="its progress")

    site.app.cancel([run_id], actor="ops", reason="not now")

    assert site.ended(run_id).run.state is State.CANCELLED
    assert site.journal(event="end", run=run_id) == []


@with_one_broker
def test_what_does_not_stop_at_its_time_limit_costs_its_process(site):  # R42
    run_id = site.module.stuck.enqueue().id
    pid = site.began(run_id)["pid"]

    ended = site.ended(run_id)

    assert (ended.run.state, ended.run.outcome) == (State.FAILED, Outcome.TIMED_OUT)
    assert pid != site.celery.pid
    wait_until(lambda: not _is_alive(pid), what="the end of that process")
    # By itself: Celery would have ended it too, ten seconds later.
    assert "Hard time limit" not in site.celery_log()
    # Celery has made another one.
    assert site.ended(site.module.visit.using(tenant="acme").enqueue(0).id).run.state is State.SUCCEEDED


@with_one_broker
def test_a_worker_that_is_killed_in_the_midst_loses_no_run(site):  # A6
    run_id = site.module.dies_once.enqueue().id
    os.kill(site.began(run_id)["pid"], signal.SIGKILL)

    ended = site.ended(run_id)

    assert (ended.run.state, ended.run.result, ended.run.lost_count) == (State.SUCCEEDED, '"came back"', 1)
    assert [one.outcome for one in ended.attempts] == [Outcome.LOST, Outcome.SUCCEEDED]
    assert len(site.journal(event="start", run=run_id)) == 2


def test_a_broker_that_is_not_there_is_said_within_seconds():
    app = an_app()

    @app.job(executor="celery")
    def report() -> None: ...

    fleet = join(app, Celery(broker=f"amqp://rota:secret@{HOST}:1//"))

    with pytest.raises(
        FleetUnavailable, match=r"the broker amqp://rota:\*\*@127.0.0.1:1// takes no messages"
    ) as caught:
        fleet.send(a_run(job="report", token=7))

    assert "secret" not in str(caught.value)


def test_a_message_goes_to_the_queue_that_is_named_for_it_with_a_limit_behind_rotas_own():
    app = an_app()

    @app.job(executor="celery", timeout="10m")
    def report() -> None: ...

    @app.job(executor="celery", timeout=None)
    def endless() -> None: ...

    fleet = join(app, Celery(broker="memory://"), queues={"mail": "celery-mail"})

    # The time limit, and then grace, hard grace and ten seconds.
    assert fleet._options(a_run(job="report", queue="mail")) == {"queue": "celery-mail", "time_limit": 645.0}
    assert fleet._options(a_run(job="endless")) == {}


@pytest.mark.parametrize("wrong", [{"places": 0}, {"patience": "0s"}])
def test_a_fleet_without_places_or_patience_is_refused(wrong):
    with pytest.raises(ConfigurationError, match="both must be more than nothing"):
        join(an_app(), Celery(broker="memory://"), **wrong)


def test_a_celery_that_is_wrongly_configured_is_said_of_each_run():
    app = an_app()

    @app.job(executor="celery")
    def report() -> None: ...

    fleet = join(app, Celery(broker="nonsense://somewhere"))

    # Raised as anything else, it would end the thread that sends.
    with pytest.raises(FleetUnavailable, match="nonsense"):
        fleet.send(a_run(job="report", token=7))


def test_a_process_that_a_run_does_not_leave_ends_also_without_the_store(monkeypatch):  # G6
    class Stuck:
        must_end = Event()

        def give_up_stuck(self, now):
            raise StoreUnavailable("away")

    ended = []
    monkeypatch.setattr("rota.integrations.celery.station.os._exit", ended.append)
    station = Station(an_app())
    station._crew = Stuck()
    Stuck.must_end.set()

    # In a pool of threads it is tried again by whoever ticks.
    with pytest.raises(StoreUnavailable):
        station.tick(NOON)
    assert ended == []
    station._begin_process()
    station.tick(NOON)

    assert ended == [70]


def test_two_fleets_of_a_process_do_not_have_each_others_task():
    fleets = [join(an_app(), Celery(broker="memory://")) for _ in range(2)]

    for fleet in fleets:
        fleet._celery.finalize()
    first, second = [fleet._celery.tasks[TASK].run for fleet in fleets]
    assert first is not second


def test_the_id_of_a_message_is_that_of_a_claim():
    run = a_run(token=7)

    assert task_id(run) == f"rota-{run.id}-7"


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
