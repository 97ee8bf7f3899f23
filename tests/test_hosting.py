"""What an integration of a framework hangs into an application: its database, its transactions, whose jobs it runs."""

import sqlite3

import pytest

from rota import Rota, State, testing
from rota.queries import RunQuery


class Open:
    """A transaction that is open on a connection of a framework's own."""

    is_told = True

    def __init__(self, driver):
        self.driver = driver
        self.works = []

    def after_commit(self, work):
        self.works.append(work)

    def commit(self):
        for work in self.works:
            work()


@pytest.fixture
def app():
    app = Rota("memory://")

    @app.job(schedule="daily at 04:00")
    def ours() -> None: ...

    @app.job(schedule="daily at 04:00")
    def theirs() -> None: ...

    yield app
    app.close()


def test_a_pass_over_some_jobs_leaves_the_others_due_and_their_runs_waiting(app):
    with testing.capture(app) as jobs:
        app.schedules.sync()
        waiting = app.jobs["theirs"].enqueue()
        jobs.clock.advance("1d")

        app.tick(only=["ours"])

        assert [run.state for run in app.store.runs(RunQuery(jobs=("ours",)))] == [State.SUCCEEDED]
        assert waiting.state is State.QUEUED
        assert [schedule.name for schedule in app.store.due(now=app.clock.now(), limit=10)] == ["theirs"]


def test_an_enqueue_waits_for_the_transaction_that_a_framework_says_is_open(app):  # R34
    with testing.capture(app) as jobs:
        transaction = Open(object())
        app.join(lambda: transaction)

        app.jobs["ours"].enqueue()
        assert jobs.enqueued() == []
        transaction.commit()

        assert len(jobs.enqueued()) == 1


def test_an_enqueue_is_within_the_transaction_where_it_is_of_the_store_s_database(tmp_path):  # R34
    app = Rota(f"sqlite:///{tmp_path}/rota.db")

    @app.job()
    def ours() -> None: ...

    assert app.store.runs(RunQuery()) == []
    connection = sqlite3.connect(f"{tmp_path}/rota.db", isolation_level=None)
    app.join(lambda: Open(connection) if connection.in_transaction else None)

    connection.execute("BEGIN IMMEDIATE")
    run = ours.enqueue()
    assert connection.execute("SELECT id FROM rota_runs").fetchall() == [(run.id,)]
    connection.execute("ROLLBACK")

    assert app.store.runs(RunQuery()) == []
    connection.close()
    app.close()


def test_the_url_of_the_store_is_asked_for_when_it_is_opened_and_stays_with_who_connects_there(tmp_path):
    places = []
    app = Rota(lambda: places[0])

    places.append(f"sqlite:///{tmp_path}/late.db")

    assert app.store_url == places[0]
    assert app._keeping.secret == ""
    assert app.store.runs(RunQuery()) == []
    app.close()


def test_queues_that_no_job_names_are_worked_where_they_are_served(app):
    app.serve("mail")

    assert set(app.crew(schedules=False).worker.queues) == {"default", "mail"}
