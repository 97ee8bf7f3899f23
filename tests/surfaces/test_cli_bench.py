"""`rota bench`: figures on tables of its own, which are gone afterwards."""

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from rota.clock import SystemClock
from rota.errors import ConfigurationError, MeasurementFailed
from rota.measuring import workforce as staff
from rota.measuring.drainer import Order
from rota.measuring.ground import Ground, ground
from rota.stores import open_store
from tests.house.source import ROOT
from tests.system.processes import wait_until
from tests.values import NOON, a_run

SMALL = ("--jobs", "2000", "--tenants", "20")
COMMAND = (sys.executable, "-m", "rota", "bench")


def bench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def tables(path: Path) -> dict[str, int]:
    """Return the tables of a SQLite file, each with its number of rows."""
    driver = sqlite3.connect(path)
    # SQLite keeps a table of its own once it has counted anything.
    select = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    names = [name for [name] in driver.execute(select)]
    found = {name: driver.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    driver.close()
    return found


@pytest.fixture
def in_use(tmp_path: Path) -> Path:
    """A store that an application works on."""
    path = tmp_path / "rota.db"
    store = open_store(f"sqlite:///{path}")
    store.setup()
    store.close()
    return path


def test_it_measures_a_file_of_its_own_and_leaves_nothing(tmp_path):
    done = bench(tmp_path, *SMALL, "--output", "json")

    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)["data"]
    assert {figure["name"]: figure["value"] > 0 for figure in data["figures"]} == {
        "enqueue, one at a time": True,
        "enqueue, 1,000 at a time": True,
        "drain, 2 worker processes": True,
        "pick-up by an idle worker": True,
        "fan-out over 20 tenants": True,
    }
    assert data["machine"]["cores"] >= 1
    assert data["machine"]["cpu"]
    assert data["store"]["engine"] == "sqlite"
    assert "safe" in data["store"]["durability"]
    assert list(tmp_path.iterdir()) == []


def test_the_tables_of_the_store_are_not_touched(tmp_path, in_use):
    before = tables(in_use)

    done = bench(tmp_path, "--store", f"sqlite:///{in_use}", "--jobs", "2000", "--tenants", "0", "--processes", "1")

    assert done.returncode == 0, done.stderr
    assert "drain, 1 worker process " in done.stdout
    assert tables(in_use) == before


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_one_leaves_nothing_either(tmp_path, in_use, sent, code):
    before = tables(in_use)
    words = ("--store", f"sqlite:///{in_use}", "--jobs", "500000")
    process = subprocess.Popen([*COMMAND, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: len(tables(in_use)) > len(before), what="its tables")

    process.send_signal(sent)
    _, told = process.communicate(timeout=60)

    assert process.returncode == code, told
    assert tables(in_use) == before


@pytest.mark.parametrize("url", ["memory://", "blackhole://"])
def test_a_store_that_worker_processes_do_not_see_is_refused(url):
    with pytest.raises(ConfigurationError, match="cannot be measured"), ground(url):
        pass


def test_each_ground_has_a_prefix_of_its_own(tmp_path):
    url = f"sqlite:///{tmp_path / 'rota.db'}"
    with ground(url) as one, ground(url) as other:
        assert one.prefix != other.prefix
        assert {name.rpartition("_")[0] + "_" for name in tables(tmp_path / "rota.db")} >= {one.prefix, other.prefix}

    assert tables(tmp_path / "rota.db") == {}


def test_a_worker_process_that_dies_gives_no_figure(monkeypatch, tmp_path):
    monkeypatch.setattr(staff, "COMMAND", (sys.executable, "-c", "raise SystemExit(3)"))
    order = Order(ground=Ground(url=f"sqlite:///{tmp_path / 'rota.db'}", prefix="rota_bench_"))

    with (
        pytest.raises(MeasurementFailed, match="ended by itself, with exit code 3"),
        staff.workforce(order, processes=1, clock=SystemClock()) as force,
    ):
        force.go()


def test_no_worker_process_outlives_the_block(tmp_path):
    with ground(f"sqlite:///{tmp_path / 'rota.db'}") as made:
        with staff.workforce(Order(ground=made), processes=2, clock=SystemClock()) as force:
            force.go()
            pids = [process.pid for process in force._processes]

        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_on_a_server_it_leaves_nothing_either(kind, request):
    from sqlalchemy import create_engine, inspect

    from tests import servers

    with getattr(servers, kind)() as server, server.database() as url:
        with ground(url) as made:
            engine = create_engine(url)
            assert all(name.startswith(made.prefix) for name in inspect(engine).get_table_names())
        assert inspect(engine).get_table_names() == []
        engine.dispose()


def test_on_redis_it_leaves_nothing_either():
    from redis import Redis

    from tests import servers

    with servers.redis() as server:
        url = server.url("0")
        with ground(url) as made, Redis.from_url(url) as client:
            client.set("of somebody else", "1")
            store = made.open()
            store.enqueue([a_run()], now=NOON)
            store.close()
            # More of them than one look of SCAN finds.
            client.mset({f"{{{made.prefix.rstrip('_')}}}:{number}": "1" for number in range(3_000)})

        with Redis.from_url(url) as client:
            assert client.keys() == [b"of somebody else"]
