"""Schedules that call tasks of Celery, Huey and RQ, and follow them to their results."""

import asyncio
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from celery import Celery
from huey import MemoryHuey, RedisHuey, crontab
from redis import Redis
from rq import Queue, SimpleWorker
from rq.timeouts import TimerDeathPenalty

from rota import Retry, Rota, State
from rota.clock import SystemClock
from rota.core.model import Outcome
from rota.errors import ConfigurationError
from rota.integrations import huey as with_huey
from rota.integrations import rq as with_rq
from rota.integrations.called import Answer, job_calling
from rota.integrations.celery import calling
from rota.integrations.celery.calling import CalledInCelery
from rota.stores.memory import MemoryStore
from tests.system.processes import wait_until

pytestmark = [
    pytest.mark.xdist_group("celery"),
    # Celery's result backend is older than the client of Redis.
    pytest.mark.filterwarnings("ignore:Call to deprecated"),
]

of_celery = pytest.mark.parametrize("broker", ["redis"], indirect=True, scope="session")


@of_celery
def test_a_run_returns_what_its_celery_task_returned(site):
    ended = site.ended(site.module.call_double.using(tenant="acme").enqueue(21).id)

    assert (ended.run.state, ended.run.result) == (State.SUCCEEDED, '{"doubled":42,"agency":"acme"}')


@of_celery
def test_a_run_fails_with_its_celery_task_and_each_attempt_sends_another(site):
    run_id = site.module.call_breaks.enqueue().id

    ended = site.ended(run_id)

    assert [one.error.first_line for one in ended.attempts] == [
        f"CallFailed: app.breaks (rota-{run_id}-{number}): ValueError: not today" for number in (1, 2)
    ]
    assert ended.run.state is State.FAILED
    wait_until(lambda: 'raise ValueError("not today")' in "\n".join(site.said(run_id)), what="the traceback")


@of_celery
def test_a_celery_task_is_revoked_when_its_run_is_stopped(site):
    run_id = site.module.call_slow.enqueue().id
    # Or it would be thrown away before it begins.
    wait_until(lambda: site.journal(event="slow"), what="the start of the task")

    site.app.cancel([run_id], actor="ops", reason="not now")

    assert site.ended(run_id).run.outcome is Outcome.CANCELLED
    wait_until(lambda: f"Terminating rota-{run_id}-1" in site.celery_log(), what="its end over there")


@of_celery
def test_a_celery_task_that_was_sent_is_not_sent_again(site):
    # By the next attempt of a run whose process died or was replaced while it followed.
    double = CalledInCelery(site.module.double, terminate=False, options={}, marks=True)

    for _ in range(2):
        double.send("rota-again-1", (), {"number": 99, "agency": "acme"})
    wait_until(lambda: double.answer("rota-again-1"), what="its result")
    double.send("rota-again-1", (), {"number": 99, "agency": "acme"})
    site.ended(site.module.call_double.using(tenant="acme").enqueue(1).id)

    assert len(site.journal(event="task", number=99)) == 1


@pytest.mark.parametrize(
    ("celery", "options", "said"),
    [
        (Celery(broker="memory://"), {}, "has no result to follow: give Celery a result_backend"),
        (Celery(broker="memory://", backend="rpc://"), {}, "tells only the process that asked"),
        (Celery(broker="memory://", backend="cache+memory://"), {"ignore_result": True}, "ignore_result=True"),
    ],
)
def test_a_celery_task_without_a_result_cannot_be_followed(celery, options, said):
    @celery.task(name="report", shared=False, **options)
    def task(): ...

    with pytest.raises(ConfigurationError, match=said):
        calling(task)
    assert calling(task, follow=False).__name__ == "report"


@contextmanager
def at_work():
    app = Rota(MemoryStore(clock=SystemClock()), tenants=["acme"])
    yield app
    app.close()


def finished(app, run):
    wait_until(lambda: app.store.run(run.id).run.state.is_final, what="the end of a run")
    return app.store.run(run.id).run


@pytest.fixture
def huey(redis_database):
    return RedisHuey(url=redis_database, store_none=True)


@contextmanager
def consumer(huey):
    consumer = huey.create_consumer(workers=1, periodic=False, initial_delay=0.01, max_delay=0.05)
    consumer.start()
    try:
        yield
    finally:
        consumer.stop(graceful=True)


def test_a_run_follows_its_huey_task(huey):
    sent = []

    @huey.task()
    def count(number, agency=""):
        sent.append((number, agency))

    @huey.task()
    def breaks():
        raise ValueError("not today")

    with at_work() as app, consumer(huey):
        counts = app.job(per_tenant=True)(with_huey.calling(count, tenant="agency", every="10ms"))
        fails = app.job(retry=Retry(attempts=1))(with_huey.calling(breaks, every="10ms"))
        with app.working():
            good = finished(app, counts.using(tenant="acme").enqueue(7))
            bad = finished(app, fails.enqueue())

    # A task that returns None has an end as well.
    assert (good.state, good.result, sent) == (State.SUCCEEDED, None, [(7, "acme")])
    assert (bad.state, bad.error.first_line) == (
        State.FAILED, f"CallFailed: breaks (rota-{bad.id}-1): ValueError('not today')",
    )  # fmt: skip


def test_a_huey_task_that_huey_tries_again_has_no_answer_yet():
    huey = MemoryHuey(store_none=True)

    @huey.task(retries=1)
    def flaky():
        tried.append(True)
        if len(tried) < 2:
            raise ValueError("not yet")

    tried, answers = [], []
    called = with_huey.CalledInHuey(flaky, {})
    called.send("rota-flaky-1", (), {})
    while (task := huey.dequeue()) is not None:
        # It keeps the error of each, as if it were the last.
        huey.execute(task)
        answers.append(called.answer("rota-flaky-1"))

    assert answers == [None, Answer(value=None)]


def test_a_huey_task_that_was_sent_is_not_sent_again(huey):
    @huey.task()
    def count(number): ...

    called = with_huey.CalledInHuey(count, {})
    called.send("rota-again-1", (7,), {})
    called.send("rota-again-1", (7,), {})

    assert [task.id for task in huey.pending()] == ["rota-again-1"]


def test_a_huey_that_keeps_no_word_of_tasks_cannot_be_followed(redis_database):
    @RedisHuey(url=redis_database).task()
    def count(): ...

    with pytest.raises(ConfigurationError, match="store_none=True"):
        with_huey.calling(count)


def test_a_periodic_huey_task_cannot_be_followed():
    @MemoryHuey(store_none=True).periodic_task(crontab(minute="*/15"))
    def notify(): ...

    with pytest.raises(ConfigurationError, match="no word of a periodic task"):
        with_huey.calling(notify)
    assert with_huey.calling(notify, follow=False).__name__ == "notify"


class Hanging:
    """A task whose queue does not answer, until it is let go."""

    name = "hanging"

    def __init__(self, *, takes):
        self.takes = takes
        """Whether it hangs only once it has taken the task."""
        self.goes_on = threading.Event()
        self.happened = []

    def send(self, task_id, args, kwargs):
        self.takes or self.goes_on.wait()
        self.happened.append("sent")

    def answer(self, task_id):
        self.goes_on.wait()
        return Answer(value="done")

    def recall(self, task_id):
        self.takes and self.goes_on.wait()
        self.happened.append("recalled")


@contextmanager
def hanging(*, takes, timeout="50ms"):
    """Yield an application with a job that calls such a task."""
    called = Hanging(takes=takes)
    call = job_calling(called, follow=True, tenant=None, every="10ms", doc="")
    with at_work() as app:
        job = app.job(timeout=timeout, retry=Retry(attempts=1))(call)
        try:
            yield app, called, job
        finally:
            called.goes_on.set()


def test_a_run_is_over_in_time_though_the_queue_of_its_task_hangs(monkeypatch):
    monkeypatch.setattr("rota.integrations.called.LEAVING", timedelta(milliseconds=50))
    with hanging(takes=True) as (app, _, job), app.working():
        run = finished(app, job.enqueue())

    # Of a stuck one the whole process would be replaced.
    assert (run.outcome, run.error.type) == (Outcome.TIMED_OUT, "Stopped")


def test_a_task_that_is_sent_when_its_run_is_over_is_recalled():
    with hanging(takes=False) as (app, called, job), app.working():
        finished(app, job.enqueue())
        assert called.happened == ["recalled"]

        called.goes_on.set()

        wait_until(lambda: called.happened == ["recalled", "sent", "recalled"], what="its recall")


def test_a_queue_that_hangs_holds_up_no_other_coroutine():
    more_than_threads_by_default = 40
    with hanging(takes=False, timeout="1m") as (app, called, job):

        @app.job()
        async def other():
            return await asyncio.to_thread(int, "7")

        for _ in range(more_than_threads_by_default):
            job.enqueue()
        run = other.using(priority=-1).enqueue()
        with app.working():
            assert finished(app, run).result == "7"
            called.goes_on.set()


def double(number, agency):
    return {"doubled": 2 * number, "agency": agency}


def breaks():
    raise ValueError("not today")


class OfThisThread(SimpleWorker):
    """Executes in this process, which is a test's."""

    death_penalty_class = TimerDeathPenalty


def test_a_run_follows_its_rq_job(redis_database):
    queue = Queue(connection=Redis.from_url(redis_database))
    with at_work() as app:
        doubles = app.job(per_tenant=True)(with_rq.calling(double, queue, tenant="agency", every="10ms"))
        fails = app.job(retry=Retry(attempts=1))(with_rq.calling(breaks, queue, every="10ms"))
        with app.working():
            runs = [doubles.using(tenant="acme").enqueue(21), fails.enqueue()]
            wait_until(lambda: queue.count == 2, what="two jobs in the queue")
            OfThisThread([queue], connection=queue.connection).work(burst=True)
            good, bad = [finished(app, run) for run in runs]

    assert (good.state, good.result) == (State.SUCCEEDED, '{"doubled":42,"agency":"acme"}')
    assert bad.error.first_line.endswith(f"breaks (rota-{bad.id}-1): ValueError: not today")


def test_an_rq_job_that_was_sent_is_not_sent_again(redis_database):
    queue = Queue(connection=Redis.from_url(redis_database))
    called = with_rq.CalledInRQ(breaks, queue, terminate=False, options={})
    called.send("rota-again-1", (), {})
    called.send("rota-again-1", (), {})
    assert queue.job_ids == ["rota-again-1"]

    called.recall("rota-again-1")

    assert called.answer("rota-again-1").error == "canceled"
    assert "no such job any more" in called.answer("rota-never-1").error
