"""Stores that are there and do not do as they should, or not as everybody expects: rows C."""

import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from rota.core.model import State
from rota.errors import StoreUnavailable
from rota.stores import open_store
from tests import servers
from tests.servers import unique_name
from tests.system.faults import KINDS, SERVERS, SHORT, Ground, between, events, no_overlap, on, worker_pid
from tests.system.processes import DEADLINE_S, wait_until
from tests.values import a_schedule


@pytest.fixture(params=SERVERS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))


def each_once(ground: Ground, site, runs) -> None:
    ground.wait_for_success(*runs)
    assert Counter(line["run"] for line in events(site, "start")) == {run.id: 1 for run in runs}
    assert {ground.run(run).attempt for run in runs} == {1}


@pytest.fixture(scope="module")
def mariadb_of_ours(mariadb_server) -> Iterator[servers.Server]:
    """A MariaDB whose settings may be changed: they are those of the whole server, and the other is everybody's."""
    with servers.session() as directory:
        yield servers.running(directory, "mariadb")


@contextmanager
def on_reading_only(kind: str, request: Any, folder: Path) -> Iterator[tuple[Ground, str, Callable[[], None]]]:
    """Yield a store, the way to it for a worker, and what makes it read only when called, and write when called
    again."""
    if kind == "postgres":
        with on(kind, request, folder) as ground, between(ground) as (line, url):
            name = make_url(ground.url).database
            statements = iter(
                [
                    [f"ALTER DATABASE {name} SET default_transaction_read_only = on"],
                    [
                        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
                        f"ALTER DATABASE {name} RESET default_transaction_read_only",
                    ],
                ]
            )

            def turn() -> None:
                execute(ground.url, *next(statements))
                # It is a default of sessions that begin.
                line.reset()

            yield ground, url, turn
        return
    server = request.getfixturevalue("mariadb_of_ours")
    ground = Ground(server.create_database(), folder)
    values = iter(["ON", "OFF"])
    try:
        # An administrator may write nevertheless.
        yield ground, limited(ground, 100), lambda: server.execute(f"SET GLOBAL read_only = {next(values)}")
    finally:
        server.execute("SET GLOBAL read_only = OFF")
        ground.close()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_store_that_only_reads_is_said_loudly_and_waited_for(kind, request, tmp_path):  # C5
    with on_reading_only(kind, request, tmp_path) as (ground, url, turn):
        site = ground.site(url=url)
        turn()
        with site.started() as process:
            wait_until(lambda: "read-only" in site.logs(), what="a word about it")
            far = open_store(url)
            with pytest.raises(StoreUnavailable, match="read-only"):
                far.put_schedule(a_schedule(), expected_version=None)
            far.close()
            # Each loop pauses for longer and longer: nobody spins.
            assert len(re.findall("read-only", site.logs())) < 60
            turn()
            runs = ground.enqueue(number=3)
            each_once(ground, site, runs)
            assert process.poll() is None


def test_a_store_that_is_locked_by_an_administrator_doubles_nothing(ground):  # C10, G5
    site = ground.site(**SHORT)
    [run] = ground.enqueue(beats=30)
    lock, unlock = (
        ("LOCK TABLE rota_runs IN ACCESS EXCLUSIVE MODE", "ROLLBACK")
        if ground.url.startswith("postgresql")
        else ("LOCK TABLES rota_runs WRITE", "UNLOCK TABLES")
    )
    engine = create_engine(ground.url, poolclass=NullPool)

    with site.started():
        worker_pid(site, run)
        with engine.connect() as connection:
            connection.execute(text(lock))
            wait_until(lambda: events(site, "stopped", run=run.id), what="the end of the attempt that cannot renew")
            connection.execute(text(unlock))
        ground.wait_for_success(run)

    no_overlap(site)
    assert len(events(site, "end")) == 1


def limited(ground: Ground, connections: int) -> str:
    """Return the URL of the store for an account that may have only so many connections."""
    name = unique_name()
    address = make_url(ground.url).set(username=name, password=name)
    if address.get_backend_name() == "postgresql":
        execute(
            ground.url,
            f"CREATE ROLE {name} LOGIN PASSWORD '{name}' CONNECTION LIMIT {connections}",
            f"GRANT ALL ON SCHEMA public TO {name}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}",
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}",
        )
    else:
        execute(
            ground.url,
            f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY '{name}' WITH MAX_USER_CONNECTIONS {connections}",
            f"GRANT ALL ON {address.database}.* TO {name}@'127.0.0.1'",
        )
    return address.render_as_string(hide_password=False)


def test_too_few_connections_make_it_slow_and_not_wrong(ground):  # C7
    site = ground.site(url=limited(ground, 3), lease="4s", heartbeat="1s", margin="1s")
    runs = ground.enqueue(number=20)

    with site.started() as process:
        each_once(ground, site, runs)
        assert process.poll() is None


def test_a_strict_default_isolation_changes_nothing(request, tmp_path):  # C11
    with on("postgres", request, tmp_path) as ground:
        name = make_url(ground.url).database
        execute(ground.url, f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
        two_processes_get_on(ground)
        assert level(ground, "SHOW transaction_isolation") == "read committed"


def test_a_strict_default_isolation_changes_nothing_on_mariadb(mariadb_of_ours, tmp_path):  # C11
    mariadb_of_ours.execute("SET GLOBAL tx_isolation = 'SERIALIZABLE'")
    ground = Ground(mariadb_of_ours.create_database(), tmp_path)
    try:
        two_processes_get_on(ground)
        assert level(ground, "SELECT @@session.tx_isolation") == "READ-COMMITTED"
    finally:
        mariadb_of_ours.execute("SET GLOBAL tx_isolation = DEFAULT")
        ground.close()


def two_processes_get_on(ground: Ground) -> None:
    site = ground.site()
    runs = ground.enqueue(number=100)

    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(site.started())
        each_once(ground, site, runs)

    assert "serializ" not in site.logs().lower()


def level(ground: Ground, question: str) -> str:
    """Return the isolation of a session of ours: collisions would be repeated, and not seen."""
    with closing(ground.store._database.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(question)
        [answer] = cursor.fetchone()
        return answer


def test_eight_processes_on_one_sqlite_file_get_on(request, tmp_path):  # C13
    with on("sqlite", request, tmp_path) as ground:
        site = ground.site(lease="20s", heartbeat="1s", margin="7s")
        with site.started("--processes", "8", "--concurrency", "2"):
            wait_until(lambda: len(ground.store.workers()) == 8, what="eight processes")
            runs = [run for _ in range(10) for run in ground.enqueue(number=20, beats=0)]
            each_once(ground, site, runs)

        assert "locked" not in site.logs()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("number", "words"), [("1", "rota db upgrade"), ("999", "upgrade rota")])
def test_a_schema_that_does_not_fit_is_refused_with_the_way_out(kind, number, words, request, tmp_path):  # C20, R70
    with on(kind, request, tmp_path) as ground:
        site = ground.site(migrate="check")
        [run] = ground.enqueue()
        with create_engine(ground.url, poolclass=NullPool).begin() as connection:
            connection.execute(text("UPDATE rota_meta SET value = :number"), {"number": number})

        with site.started() as process:
            code = process.wait(DEADLINE_S)

        assert code == 5
        assert words in site.logs()
        assert events(site, "start") == []
        assert ground.run(run).state is State.QUEUED


OLD = """
@app.job()
def old(beats: int) -> None:
    note(event="start", job="old")
"""
NEW = (
    OLD
    + """

@app.job()
def new(beats: int) -> None:
    note(event="start", job="new")
"""
)


def test_a_job_that_only_the_new_version_knows_waits_for_it(ground):  # C21, R36
    before, after = ground.site("before", jobs=OLD), ground.site("after", jobs=NEW)
    [new] = ground.enqueue(job="new")
    old = ground.enqueue(job="old", number=3)

    with before.started() as first:
        ground.wait_for_success(*old)
        wait_until(lambda: "no such job here" in before.logs(), what="a word about it")
        assert (ground.run(new).state, ground.run(new).attempt) == (State.QUEUED, 0)
        with after.started():
            ground.wait_for_success(new)
        first.send_signal(signal.SIGTERM)
        first.wait(DEADLINE_S)

    assert len(events(before, "start", job="new")) == 1
    assert ground.run(new).attempt == 1
