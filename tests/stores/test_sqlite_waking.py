"""How commits of other processes are seen on SQLite: the file is written to first, and shows what it holds later."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rota.stores.sql.store import SqlStore
from rota.stores.sql.watching import SOON, FileChanges
from rota.stores.waking import NEVER
from tests.ready import Ready
from tests.stores.conftest import opened
from tests.values import NOON, a_run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of writes to a file")

BY_ANOTHER = "import sys; open(sys.argv[1], 'ab').write(b'x')"
"""In a process of its own: to close the file here would drop SQLite's locks on it."""


@pytest.fixture
def store(ready: Ready, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with something in it."""
    with closing(opened(ready.url("sqlite", tmp_path / "rota.db"))) as store:
        store.enqueue([a_run()], now=NOON)
        yield store


@pytest.fixture
def changes(store: SqlStore) -> Iterator[FileChanges]:
    """Somebody who has seen all that came until now, and waits for a notice."""
    changes = FileChanges(store._database)
    changes.open()
    while changes.came() or changes.pause != NEVER:
        pass
    yield changes
    changes.close()


def write(tmp_path: Path) -> None:
    """Write to the WAL what is no commit (yet)."""
    subprocess.run([sys.executable, "-c", BY_ANOTHER, str(tmp_path / "rota.db-wal")], check=True)


def test_after_a_write_that_shows_nothing_yet_it_is_looked_again_and_then_waited(changes, tmp_path):
    write(tmp_path)

    pauses = []
    while not pauses or pauses[-1] != NEVER:
        assert not changes.came()
        pauses.append(changes.pause)

    assert pauses == [*SOON, NEVER]


def test_a_write_in_the_midst_of_that_is_looked_at_as_closely_as_the_first(changes, tmp_path):
    write(tmp_path)
    for _ in SOON[:-1]:
        assert not changes.came()

    write(tmp_path)

    assert not changes.came()
    assert changes.pause == SOON[0]


def test_a_commit_ends_the_looking(changes, store, tmp_path):
    write(tmp_path)
    assert not changes.came()

    store.enqueue([a_run()], now=NOON)

    assert changes.came()
    assert changes.pause == NEVER
