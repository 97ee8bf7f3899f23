"""What `rota doctor` says of transactions that stay open in the store's server (fault row C9)."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import Connection, create_engine, text

from rota.app import Rota
from rota.queries import OldSnapshot
from rota.stores.memory import MemoryStore
from rota.stores.sql.postgres import _old_snapshot
from rota.views import doctor
from tests.surfaces.conftest import HOSTILE, data, run

SECRET = "hunter2"


@contextmanager
def an_open_transaction(url: str, **options: str) -> Iterator[Connection]:
    engine = create_engine(url, isolation_level="REPEATABLE READ", connect_args=options)
    with engine.connect() as connection:
        connection.execute(text(f"SELECT count(*), '{SECRET}' FROM rota_runs"))
        yield connection
    engine.dispose()


@pytest.fixture
def app(request: pytest.FixtureRequest) -> Iterator[Rota]:
    """An application on the server that the test names."""
    app = Rota(request.getfixturevalue(request.param))
    with closing(app.open_store()) as store:
        store.setup()
    with closing(app):
        yield app


@pytest.mark.parametrize("app", ["postgres_database"], indirect=True)
def test_doctor_names_the_session_whose_snapshot_is_old_and_how_to_end_it(app, postgres_database, monkeypatch):
    monkeypatch.setattr(doctor, "SNAPSHOT_WARN", timedelta(0))
    with an_open_transaction(postgres_database, application_name="monthly report") as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

        result = run(app, "doctor", "--json")

    [told] = [check for check in data(result) if check["subject"] == "Store" and check["level"] == "warn"]
    assert f"session {pid} (user rota, monthly report, idle in transaction)" in told["fact"]
    assert told["fix"] == f"SELECT pg_terminate_backend({pid})"
    assert SECRET not in result.stdout


@pytest.mark.parametrize("app", ["mariadb_database"], indirect=True)
def test_doctor_names_the_oldest_transaction_on_mariadb(app, mariadb_database, monkeypatch):
    monkeypatch.setattr(doctor, "SNAPSHOT_WARN", timedelta(0))
    with an_open_transaction(mariadb_database) as connection:
        thread = connection.execute(text("SELECT CONNECTION_ID()")).scalar_one()

        result = run(app, "doctor", "--json")

    told = [check for check in data(result) if check["subject"] == "Store" and check["level"] == "warn"]
    [mine] = [check for check in told if f"session {thread} (user rota, sleep)" in check["fact"]]
    assert mine["fix"] == f"KILL {thread}"
    assert SECRET not in result.stdout


@pytest.mark.parametrize("app", ["postgres_database", "mariadb_database"], indirect=True)
def test_a_transaction_of_a_moment_is_no_finding(app):
    with an_open_transaction(app.store_url):
        found = app.store.old_snapshots(older_than=doctor.SNAPSHOT_WARN)

    assert found == []


def test_names_that_others_chose_are_shown_without_their_control_characters(tmp_path, monkeypatch):
    old = OldSnapshot(holder=f"session 7 ({HOSTILE})", age=timedelta(hours=1), way_out=f"ROLLBACK PREPARED '{HOSTILE}'")
    app = Rota(MemoryStore())
    monkeypatch.setattr(MemoryStore, "old_snapshots", lambda self, **_: [old])

    shown = run(app, "doctor", "--json", directory=tmp_path).stdout + run(app, "doctor", directory=tmp_path).stdout

    assert "session 7" in shown
    assert not any(char in shown for char in "\x1b\x07\u202e\x9b")


@pytest.mark.parametrize(
    ("row", "holder", "way_out"),
    [
        (
            ("prepared", "'a''b'", "user ops", "", 900.0, 5),
            "prepared transaction 'a''b' (user ops)",
            "ROLLBACK PREPARED",
        ),
        (("slot", "'old'", "", "not active", None, 200_000), "replication slot 'old' (not active), 200000", "drop_rep"),
        (("standby", "9", "user rep", "active", None, 200_000), "standby of session 9 (user rep)", "feedback = off"),
    ],
)
def test_what_is_no_session_is_named_too(row, holder, way_out):
    told = _old_snapshot(*row)

    assert told.holder.startswith(holder)
    assert way_out in told.way_out
