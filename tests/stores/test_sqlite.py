"""What only SQLite can get wrong: file systems, descriptors, forks, its one writer."""

import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE

import pytest

from rota.errors import StoreUnavailable, UnsafeStore
from rota.stores import open_store
from rota.stores.sql import sqlite
from rota.stores.sql.database import Turnstile
from rota.stores.sql.store import SqlStore
from tests.stores.conftest import opened
from tests.values import LEASE, NOON, a_run, claim, found, settle_all, succeeded

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/shared nfs4 rw 0 0
/dev/sdb1 /mnt/shared/local\\040disk xfs rw 0 0
tmpfs /mnt/sharedish tmpfs rw 0 0
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rota.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    store = opened(f"sqlite:///{path}")
    store.setup()
    yield store
    store.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/rota.db", "ext4"),
        ("/mnt/shared/rota.db", "nfs4"),
        ("/mnt/shared/local disk/rota.db", "xfs"),
        ("/mnt/sharedish/rota.db", "tmpfs"),
    ],
)
def test_the_file_system_is_the_one_mounted_nearest(path: str, kind: str) -> None:
    assert sqlite.file_system(Path(path), mounts=MOUNTS) == kind


def test_a_file_on_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # R70, C14
    monkeypatch.setattr(sqlite, "file_system", lambda _: "nfs4")

    with pytest.raises(UnsafeStore, match="network file system"):
        open_store(f"sqlite:///{path}")


def test_an_old_sqlite_is_refused(path: Path) -> None:
    with pytest.raises(UnsafeStore, match=r"3\.35"):
        sqlite.refuse_unsafe(str(path), version=(3, 34, 1))


def test_commits_survive_a_power_loss(store: SqlStore) -> None:
    settings = store._database.read(
        lambda link: [link.one(f"PRAGMA {name}")[0] for name in ("journal_mode", "synchronous")]
    )

    assert settings == ["wal", 2]


def test_nothing_but_sqlite_opens_the_file(store: SqlStore, path: Path) -> None:  # C15
    opened_files: list[str] = []
    watching = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("open", "os.open") and str(arguments[0]).startswith(str(path)):
            opened_files.append(str(arguments[0]))

    sys.addaudithook(hook)
    store.enqueue([a_run()], now=NOON)
    settle_all(store, *[succeeded(run) for run in claim(store)])
    store.wait(LEASE * 0)
    store.check()
    store.facts()
    watching.clear()

    assert opened_files == []


def test_a_child_process_gets_connections_of_its_own(store: SqlStore) -> None:  # C15
    [before] = store.enqueue([a_run()], now=NOON)
    child = os.fork()
    if child == 0:
        # Straight out of the child, whatever happens: it must not run the rest of the tests.
        code = 1
        try:
            inherited = store._database.engine.pool.checkedin()
            store.enqueue([a_run(id="c" * 32)], now=NOON)
            code = 0 if inherited == 0 else 2
        finally:
            os._exit(code)

    _, status = os.waitpid(child, 0)
    [after] = store.enqueue([a_run()], now=NOON)

    assert os.waitstatus_to_exitcode(status) == 0
    assert [run.id for run in claim(store)] == sorted([before, after, "c" * 32])


def test_a_write_waits_for_another_process_and_then_says_so(store: SqlStore, path: Path) -> None:  # C13
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    wrote = threading.Event()
    writer = threading.Thread(target=lambda: (store.enqueue([a_run()], now=NOON), wrote.set()))
    writer.start()

    assert not wrote.wait(0.2)
    other.execute("COMMIT")
    other.close()

    assert wrote.wait(10)
    writer.join()


@pytest.mark.parametrize("waits_in_vain", [False, True])
def test_a_connection_that_waited_for_its_turn_is_as_patient_as_before(
    path: Path, monkeypatch: pytest.MonkeyPatch, waits_in_vain: bool
) -> None:  # C13
    # What stands outside of transactions goes on waiting by SQLite's own means.
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    mine, other = (sqlite3.connect(path, isolation_level=None, check_same_thread=False) for _ in range(2))
    other.execute("BEGIN IMMEDIATE")
    if waits_in_vain:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite.SQLite().begin(mine)
    else:
        monkeypatch.setattr(sqlite, "BUSY_SECONDS", 10.0)
        leaving = threading.Timer(0.05, other.rollback)
        leaving.start()
        sqlite.SQLite().begin(mine)
        leaving.join()

    assert mine.in_transaction is not waits_in_vain
    assert mine.execute("PRAGMA busy_timeout").fetchone() == (int(sqlite.BUSY_SECONDS * 1000),)


def test_a_read_only_file_is_named_without_its_password(path: Path) -> None:  # C5
    store = opened(f"sqlite:///file:{path}?mode=ro&uri=true")

    with pytest.raises(StoreUnavailable, match=r"rota\.db"):
        store.enqueue([a_run()], now=NOON)
    store.close()


def test_heartbeats_pass_the_writers_that_wait() -> None:
    turnstile, order = Turnstile(), list[str]()
    threads = []

    def passing(name: str, *, first: bool) -> None:
        with turnstile.passed(first=first):
            order.append(name)

    with turnstile.passed(first=False):
        for name, first in (("writer", False), ("heartbeat", True)):
            threads.append(threading.Thread(target=passing, args=(name,), kwargs={"first": first}))
            threads[-1].start()
            while len(turnstile._waiting) < len(threads):
                pass
    for thread in threads:
        thread.join()

    assert order == ["heartbeat", "writer"]


def test_a_run_is_found_after_a_reopening(store: SqlStore, path: Path) -> None:
    [run_id] = store.enqueue([a_run()], now=NOON)
    store.close()

    again = opened(f"sqlite:///{path}")

    assert found(again, run_id).id == run_id
    again.close()


def test_what_is_stored_is_for_the_owner_and_its_group(store, path):  # T56
    store.enqueue([a_run()], now=NOON)

    modes = {file.name: S_IMODE(file.stat().st_mode) & 0o137 for file in path.parent.iterdir()}

    assert set(modes) >= {"rota.db", "rota.db-wal"}
    assert set(modes.values()) == {0}


def test_a_file_that_is_there_stays_as_somebody_wanted_it(store, path):  # T56
    store.enqueue([a_run()], now=NOON)
    store.close()
    path.chmod(0o664)

    opened(f"sqlite:///{path}").counts()

    assert S_IMODE(path.stat().st_mode) == 0o664
