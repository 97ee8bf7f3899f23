"""Engines on SQLite: one per tenant, few at once, never taken from under a run, never inherited."""

import os
import sqlite3
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import OperationalError

from rota.core.model import Tenant
from rota.errors import MissingExtra, NoTenant, TenantUnavailable
from rota.tenants import SQLiteDirectory, listed
from rota.tenants.engines import TenantEngines
from tests.tenants.children import in_child


def dialect_of(engines: TenantEngines, tenant: Tenant) -> Dialect:
    """Use the tenant's database once and return the dialect."""
    with engines.borrow(tenant) as engine:
        name_in(engine)
        return engine.dialect


def name_in(engine: Engine) -> str:
    with engine.begin() as connection:
        return connection.execute(text("SELECT name FROM whoami")).scalar_one()


def test_each_tenant_gets_an_engine_of_its_own_database(engines, sqlite_tenant):
    # R22
    acme, globex = sqlite_tenant("acme"), sqlite_tenant("globex")

    with engines.borrow(acme) as one, engines.borrow(globex) as other:
        assert (name_in(one), name_in(other)) == ("acme", "globex")


def test_what_was_learnt_of_a_database_is_kept_for_the_next_run(engines, sqlite_tenant):
    # R22
    acme = sqlite_tenant("acme")
    first = dialect_of(engines, acme)

    assert dialect_of(engines, acme) is first


def test_the_tenant_not_used_for_longest_is_forgotten_first(engines, sqlite_tenant):
    # R22: two are kept.
    a, b, c = map(sqlite_tenant, "abc")
    first_a, first_b = dialect_of(engines, a), dialect_of(engines, b)
    dialect_of(engines, a)

    dialect_of(engines, c)

    assert dialect_of(engines, a) is first_a
    assert dialect_of(engines, b) is not first_b


def test_a_run_keeps_its_engine_however_many_others_come_and_nobody_waits(engines, sqlite_tenant):
    # R21, R22
    a, b, c, d = map(sqlite_tenant, "abcd")
    with engines.borrow(a) as held, held.connect() as connection:
        with engines.borrow(b) as first, engines.borrow(c) as second, engines.borrow(d) as third:
            assert [name_in(first), name_in(second), name_in(third)] == ["b", "c", "d"]
            assert engines.open_count == 4

        assert connection.execute(text("SELECT name FROM whoami")).scalar_one() == "a"

    assert engines.open_count == 0


def test_a_tenant_that_moved_is_found_in_its_new_database(engines, sqlite_tenant):
    # R22
    old, new = sqlite_tenant("old"), sqlite_tenant("new")

    with engines.borrow(Tenant(id="acme", url=old.url)) as before:
        assert name_in(before) == "old"
    with engines.borrow(Tenant(id="acme", url=new.url)) as after:
        assert name_in(after) == "new"


@pytest.mark.parametrize("fails", [False, True])
def test_connections_end_with_the_run(engines, sqlite_tenant, fails):
    # R21: no temporary table, lock or open transaction reaches another run.
    acme = sqlite_tenant("acme")
    with suppress(RuntimeError), engines.borrow(acme) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TEMP TABLE leak (x)"))
        unfinished = engine.connect()
        unfinished.execute(text("INSERT INTO whoami VALUES ('uncommitted')"))
        unfinished.close()
        if fails:
            raise RuntimeError("the job failed")

    with engines.borrow(acme) as engine, engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM temp.sqlite_master")).scalar_one() == 0
        assert connection.execute(text("SELECT name FROM whoami")).scalars().all() == ["acme"]


@pytest.mark.parametrize("known", [False, True])
def test_runs_of_one_tenant_beside_each_other_share_no_connection(engines, sqlite_tenant, known):
    # R21: a job that changes its session, as with USE on MySQL, changes no other run's.
    acme = sqlite_tenant("acme")
    if known:
        dialect_of(engines, acme)

    with engines.borrow(acme) as one, engines.borrow(acme) as other:
        with one.begin() as connection:
            connection.execute(text("CREATE TEMP TABLE whoami AS SELECT 'spoiled' AS name"))

        assert (name_in(one), name_in(other)) == ("spoiled", "acme")


def test_an_error_shows_no_parameters(engines, sqlite_tenant):
    # T51: they are the tenant's data.
    acme = sqlite_tenant("acme")
    for _ in range(2):
        with engines.borrow(acme) as engine, engine.connect() as connection:
            with pytest.raises(OperationalError) as failed:
                connection.execute(text("INSERT INTO gone VALUES (:x)"), {"x": "canary"})

            assert "canary" not in str(failed.value)
            name_in(engine)


def test_only_files_of_the_tenants_used_last_stay_open_when_all_runs_have_ended(sqlite_tenant, tmp_path):
    # R22
    engines = TenantEngines(max_open=2)
    tenants = {name: sqlite_tenant(name) for name in "abc"}
    for name in "abcab":
        with engines.borrow(tenants[name]) as engine:
            name_in(engine)

    descriptors = [os.readlink(f"/proc/self/fd/{number}") for number in open_descriptors()]
    kept = {Path(path).name for path in descriptors if path.startswith(str(tmp_path))}
    assert kept == {"a.db", "b.db"}
    assert engines.open_count == 0


def test_a_resting_connection_is_lent_to_nobody(sqlite_tenant):
    # R21, R22
    engines, acme = TenantEngines(), sqlite_tenant("acme")
    for _ in range(3):
        with engines.borrow(acme) as engine, engine.begin() as connection:
            connection.execute(text("CREATE TEMP TABLE mine (x)"))


def test_a_file_that_is_missing_is_an_error_and_is_not_created(engines, tmp_path):
    # R22
    with (
        pytest.raises(TenantUnavailable, match=r"tenant 'acme': cannot open sqlite:///.*gone\.db: no such file"),
        engines.borrow(Tenant(id="acme", url=f"sqlite:///{tmp_path}/gone.db")),
    ):
        pass

    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def letter(tmp_path):
    """A tenant whose SQLite file is a text of 2 kB."""
    file = tmp_path / "acme.db"
    file.write_text("Dear Sirs, " * 200)
    return Tenant(id="acme", url=f"sqlite:///{file}")


def test_a_file_that_is_no_database_does_not_answer_a_probe(engines, letter):  # R25
    with pytest.raises(TenantUnavailable, match=r"'acme': cannot open .*not a database"):
        engines.probe(letter)


def test_a_run_on_a_file_that_is_no_database_cannot_reach_its_tenant(engines, letter):  # R25
    with engines.borrow(letter) as engine, pytest.raises(TenantUnavailable, match="not a database"):
        name_in(engine)


def test_a_probe_reads_the_tables_of_a_file(engines, sqlite_tenant, tmp_path):  # R25
    acme = sqlite_tenant("acme")
    with (tmp_path / "acme.db").open("r+b") as file:
        # The page of the tables; the header stays.
        file.seek(100)
        file.write(b"\xff" * 400)

    with pytest.raises(TenantUnavailable, match="acme"):
        engines.probe(acme)


def test_an_empty_file_is_a_database_without_tables(engines, tmp_path):
    file = tmp_path / "acme.db"
    file.touch()

    engines.probe(Tenant(id="acme", url=f"sqlite:///{file}"))


def test_a_locked_file_is_connected_to_without_a_wait(engines, sqlite_tenant, tmp_path):
    acme = sqlite_tenant("acme")
    other = sqlite3.connect(tmp_path / "acme.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with engines.borrow(acme) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000
    other.close()


def test_a_file_that_vanishes_while_a_run_has_it_is_not_created_either(engines, sqlite_tenant, tmp_path):
    # R22
    with engines.borrow(sqlite_tenant("acme")) as engine:
        (tmp_path / "acme.db").unlink()

        with pytest.raises(TenantUnavailable, match=r"tenant 'acme': cannot open .*unable to open database file"):
            engine.connect()

    assert list(tmp_path.iterdir()) == []


def test_tenants_who_share_a_database_are_not_mistaken_for_each_other(engines, sqlite_tenant, tmp_path):
    # R23: an error names the tenant whose run it is.
    acme = sqlite_tenant("acme")
    globex = Tenant(id="globex", url=acme.url)
    dialect_of(engines, acme)

    with engines.borrow(globex) as engine:
        (tmp_path / "acme.db").unlink()

        with pytest.raises(TenantUnavailable, match="tenant 'globex': "):
            engine.connect()


def test_a_file_with_an_awkward_name_is_opened_itself(engines, sqlite_tenant, tmp_path):
    # R26
    names = ["a#b", "a%41", "a b", "a;b", "a&b=c"]
    for name in names:
        sqlite_tenant(name)

    for tenant in listed(SQLiteDirectory(tmp_path)):
        with engines.borrow(tenant) as engine:
            assert name_in(engine) == tenant.id


def test_a_locked_file_is_an_sql_error_within_a_bounded_time(sqlite_tenant, tmp_path):
    # R21, G4
    engines = TenantEngines(connect_within=timedelta(seconds=0.2))
    acme, globex = sqlite_tenant("acme"), sqlite_tenant("globex")
    holder = sqlite3.connect(tmp_path / "acme.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with engines.borrow(acme) as engine, pytest.raises(OperationalError, match="database is locked"):
        name_in(engine)

    with engines.borrow(globex) as engine:
        assert name_in(engine) == "globex"
    holder.close()


def test_a_tenant_without_a_database_is_an_error_never_the_default_one(engines):
    # R22
    with pytest.raises(NoTenant, match="tenant 'acme' has no database"), engines.borrow(Tenant(id="acme")):
        pass


@pytest.mark.parametrize("url", ["s3cret", "oracel://ops:s3cret@db/x", "postgresql+psycopg://ops:s3cret@db:x/y"])
def test_a_url_that_cannot_be_read_is_that_tenants_error_and_is_not_quoted(engines, url):
    # R21, T52
    with (
        pytest.raises(TenantUnavailable, match="tenant 'acme': ") as failed,
        engines.borrow(Tenant(id="acme", url=url)),
    ):
        pass

    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://db/x", "psycopg", "postgres"),
        ("mysql://db/x", "pymysql", "mysql"),
        ("mariadb://db/x", "pymysql", "mysql"),
    ],
)
def test_a_missing_driver_says_what_to_install(engines, monkeypatch, url, module, extra):
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtra, match=rf"pip install 'rota\[{extra}\]'"), engines.borrow(Tenant(id="a", url=url)):
        pass


def test_a_forked_child_gets_engines_of_its_own_and_leaves_the_parents_alone(engines, sqlite_tenant):
    # R22
    acme = sqlite_tenant("acme")
    with engines.borrow(acme) as parents, parents.connect() as connection:
        connection.execute(text("INSERT INTO whoami VALUES ('kept')"))

        def child() -> bool:
            with engines.borrow(acme) as own:
                return own is not parents and name_in(own) == name_in(parents) == "acme"

        assert in_child(child)
        connection.commit()

    with engines.borrow(acme) as engine, engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM whoami")).scalar_one() == 2


def test_a_fork_while_the_lock_is_held_does_not_stop_the_child(engines, sqlite_tenant):
    # R22
    acme = sqlite_tenant("acme")

    def child() -> bool:
        with engines.borrow(acme) as own:
            return name_in(own) == "acme"

    with engines._lock:
        assert in_child(child)


def open_descriptors() -> list[str]:
    numbers = os.listdir("/proc/self/fd")
    return [number for number in numbers if os.path.lexists(f"/proc/self/fd/{number}")]


def test_a_connection_that_a_run_never_gave_back_ends_with_it(engines, tmp_path):  # F13, G11
    file = tmp_path / "acme.db"
    file.touch()
    tenant = Tenant(id="acme", url=f"sqlite:///{file}")
    with engines.borrow(tenant) as engine:
        left = engine.connect()
        left.execute(text("CREATE TABLE things (number INTEGER)"))
        left.commit()
        left.execute(text("INSERT INTO things VALUES (1)"))

    # It is still held here, and its transaction is gone: nothing is locked.
    with engines.borrow(tenant) as engine, engine.begin() as connection:
        connection.execute(text("INSERT INTO things VALUES (2)"))
        assert connection.execute(text("SELECT number FROM things")).scalars().all() == [2]
    assert left is not None
