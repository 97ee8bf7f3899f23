"""Rota and Django's own connections: where the store is, whose transaction an enqueue is in, what a run leaves."""

import asyncio
from types import SimpleNamespace

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.db import connections, transaction
from django.db.backends.signals import connection_created
from django.db.utils import OperationalError
from django.test import TestCase
from sqlalchemy import make_url

from rota import State, testing
from rota.core.model import OPEN
from rota.errors import ConfigurationError
from rota.integrations.django import rota
from rota.integrations.django.databases import open_transaction, store_url
from rota.queries import RunQuery
from tests.integrations.django.agency.jobs import aask, akeep, keep, leave_open, meet
from tests.integrations.django.agency.models import Item
from tests.integrations.django.agency.tasks import send
from tests.system.processes import wait_until


def kept_of(run):
    """Return whether the store has this run."""
    return rota.store.run(run.id) is not None


@pytest.fixture(autouse=True)
def _nothing_waits():
    """Leave no runs to the next test: the store is that of the project."""
    yield
    rota.cancel([run.id for run in rota.store.runs(RunQuery(states=tuple(OPEN), limit=500))])


# --- where the store is ---


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ({"ENGINE": "sqlite3", "NAME": "/srv/shop x.db"}, "sqlite:////srv/shop x.db"),
        ({"ENGINE": "sqlite3", "NAME": ":memory:"}, "memory://"),
        ({"ENGINE": "sqlite3", "NAME": "file:memorydb_default?mode=memory&cache=shared"}, "memory://"),
        (
            {
                "ENGINE": "postgresql",
                "NAME": "shop",
                "USER": "ops",
                "PASSWORD": "p@ss/",
                "HOST": "db1",
                "PORT": "5433",
                "OPTIONS": {"sslmode": "require", "pool": True},
            },
            "postgresql://ops:p%40ss%2F@db1:5433/shop?sslmode=require",
        ),
        (
            {"ENGINE": "postgresql", "NAME": "shop", "HOST": "/run/postgresql"},
            "postgresql:///shop?host=%2Frun%2Fpostgresql",
        ),
    ],
    ids=["file", "memory", "shared memory", "postgres", "postgres by socket"],
)
def test_the_store_is_where_the_settings_of_django_say(said, url, monkeypatch):
    monkeypatch.setitem(
        connections.settings,
        "default",
        {
            **connections["default"].settings_dict,
            "OPTIONS": {},
            **said,
            "ENGINE": f"django.db.backends.{said['ENGINE']}",
        },
    )
    before = connections["default"]
    del connections["default"]
    try:
        assert store_url() == url
    finally:
        connections["default"] = before


def test_a_database_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match="'elsewhere' is not in DATABASES"):
        store_url("elsewhere")


# --- transactions ---


def test_an_enqueue_is_in_the_transaction_of_the_store_s_database():  # R34
    with transaction.atomic():
        run = keep.enqueue("a")
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT count(*) FROM rota_runs WHERE id = %s", [run.id])
            assert cursor.fetchone() == (1,)
        assert not kept_of(run)

    assert kept_of(run)


def test_a_rollback_leaves_no_run():  # R34
    with pytest.raises(RuntimeError), transaction.atomic():
        run = keep.enqueue("a")
        raise RuntimeError

    assert not kept_of(run)


def test_a_rollback_to_a_savepoint_leaves_no_run():  # R34
    with transaction.atomic():
        kept = keep.enqueue("a")
        with pytest.raises(RuntimeError), transaction.atomic():
            lost = keep.enqueue("b")
            raise RuntimeError

    assert (kept_of(kept), kept_of(lost)) == (True, False)


def test_in_the_transaction_of_another_database_it_waits_for_the_commit():  # R34
    with transaction.atomic(using="other"):
        run = keep.enqueue("a")
        assert not kept_of(run)

    assert kept_of(run)


def test_with_two_transactions_open_it_is_in_that_of_the_store():  # R34
    with pytest.raises(RuntimeError), transaction.atomic(using="other"):
        with transaction.atomic():
            run = keep.enqueue("a")
        raise RuntimeError

    assert kept_of(run)


def test_a_store_elsewhere_is_told_after_the_commit_of_all_that_are_open():  # R34
    with testing.capture(rota) as jobs:
        with transaction.atomic(using="other"):
            with transaction.atomic():
                keep.enqueue("a")
            assert jobs.enqueued() == []

        assert len(jobs.enqueued()) == 1


def test_of_several_that_are_open_the_one_of_the_store_is_joined():  # R34
    with transaction.atomic(), transaction.atomic(using="other"):
        theirs = connections["other"].connection
        host = SimpleNamespace(store=SimpleNamespace(is_home_of=lambda driver: driver is theirs))

        assert open_transaction(host).driver is theirs


def test_outside_of_all_it_is_queued_at_once():
    assert kept_of(keep.enqueue("a"))


def test_what_a_coroutine_enqueues_is_in_the_transaction_around_it():  # R34
    with pytest.raises(RuntimeError), transaction.atomic():
        runs = async_to_sync(keep.aenqueue)("a"), async_to_sync(send.aenqueue)("ana")
        assert Item.objects.count() == 0
        raise RuntimeError

    assert not any(kept_of(run) for run in runs)


def test_a_request_answered_by_a_coroutine_enqueues_in_the_transaction_of_its_models():  # R34
    async def answer():
        atomic = transaction.atomic()
        async with ThreadSensitiveContext():
            await sync_to_async(atomic.__enter__)()
            run = await keep.aenqueue("a")
            await sync_to_async(transaction.set_rollback)(True)
            await sync_to_async(atomic.__exit__)(None, None, None)
            await sync_to_async(connections.close_all)()
            return run

    assert not kept_of(asyncio.run(answer()))


@pytest.mark.parametrize("ends", [transaction.commit, transaction.rollback])
def test_an_enqueue_is_in_a_transaction_that_the_project_commits_itself(ends):  # R34
    transaction.set_autocommit(False)
    try:
        Item.objects.create(name="mine")
        run = keep.enqueue("a")
        ends()
    finally:
        transaction.set_autocommit(True)

    assert kept_of(run) is (ends is transaction.commit)


# --- connections ---


def worked_off():
    """Work off what is queued in a worker's own threads."""
    rota.tick()


def test_a_run_leaves_no_transaction_to_the_next():  # R21
    with testing.capture(rota) as jobs:
        leave_open.enqueue()
        jobs.drain()
        keep.enqueue("after it")
        jobs.drain()

    assert not connections["default"].in_atomic_block
    assert [item.name for item in Item.objects.all()] == ["after it"]


def test_a_connection_that_the_server_has_ended_is_made_anew(monkeypatch):
    broken = []

    class Broken:
        def cursor(self):
            raise OperationalError("server closed the connection")

        def close(self):
            broken.append("closed")

    with testing.capture(rota) as jobs:
        keep.enqueue("a")
        connection = connections["default"]
        connection.ensure_connection()
        connection.connection.close()
        connection.connection, connection.errors_occurred = Broken(), True
        [run] = jobs.drain()

    assert run.state is State.SUCCEEDED and broken == ["closed"]


def test_each_coroutine_has_a_thread_of_its_own_for_the_orm():  # R21
    runs = [meet.enqueue() for _ in range(2)]
    worked_off()

    first, second = (run.result() for run in runs)
    assert first != second


def test_coroutines_keep_items_through_connections_that_are_closed_after_them():
    made = []

    def note(connection, **_):
        made.append(connection)

    connection_created.connect(note)
    runs = [akeep.enqueue(f"item {number}") for number in range(3)]
    worked_off()
    connection_created.disconnect(note)

    assert [run.state for run in runs] == [State.SUCCEEDED] * 3
    assert Item.objects.count() == 3
    wait_until(lambda: made and all(one.connection is None for one in made), what="they are closed")


def test_coroutines_give_the_connection_of_a_postgres_pool_back(postgres_database, monkeypatch):  # R21
    url = make_url(postgres_database)
    pooled = {
        **connections.settings["default"],
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.database,
        "USER": url.username,
        "PASSWORD": url.password,
        "HOST": url.host,
        "PORT": url.port,
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 1, "timeout": 2}},
    }
    monkeypatch.setattr(connections, "settings", {**connections.settings, "pooled": pooled})
    runs = [aask.enqueue("pooled") for _ in range(2)]
    worked_off()
    connections["pooled"].close_pool()

    assert [run.state for run in runs] == [State.SUCCEEDED] * 2


def test_inline_the_transaction_around_it_stays_open():
    with testing.capture(rota, inline=True), pytest.raises(RuntimeError), transaction.atomic():
        Item.objects.create(name="mine")
        with TestCase.captureOnCommitCallbacks(execute=True):
            keep.enqueue("in a test of Django's")
        assert Item.objects.count() == 2
        raise RuntimeError

    assert Item.objects.count() == 0
