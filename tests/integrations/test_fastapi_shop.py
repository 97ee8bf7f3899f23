"""The example of a FastAPI application, as processes: a server, workers, and whoever asks, on each database."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import httpx2
import pytest

from tests.house.source import ROOT
from tests.system.processes import children_of, wait_until

CITIES = 40
ANA, BOSS = {"X-Key": "the key of ana"}, {"X-Key": "the key of the boss"}
OURS = "/ops/jobs"


@pytest.fixture
def folder(tmp_path):
    """A folder with a database for each city; one of them is no database."""
    (tmp_path / "cities").mkdir()
    for number in range(CITIES):
        city = sqlite3.connect(tmp_path / "cities" / f"city_{number:02}.db")
        with city:
            city.execute("CREATE TABLE stock (item TEXT)")
            city.execute("INSERT INTO stock VALUES ('tea')")
        city.close()
    (tmp_path / "cities" / "city_07.db").write_text("this is no database " * 100)
    return tmp_path


class Shop:
    """Starts the processes of the shop in a folder, and asks it as its users do."""

    def __init__(self, folder, url, **environment):
        paths = os.pathsep.join([str(ROOT / "examples" / "fastapi_shop"), str(ROOT)])
        self._where = {"cwd": folder, "env": {**os.environ, "PYTHONPATH": paths, "SHOP_DATABASE": url, **environment}}

    def rota(self, *words):
        """Return a `rota` command of the shop, started."""
        return subprocess.Popen([sys.executable, "-m", "rota", "--app", "shop.jobs:rota", *words], **self._where)

    @contextmanager
    def served(self):
        """Serve the shop, and yield a client."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            fd, port = listening.fileno(), listening.getsockname()[1]
            command = [sys.executable, "-m", "uvicorn", "shop.main:app", "--fd", str(fd), "--log-level", "warning"]
            server = subprocess.Popen(command, pass_fds=[fd], **self._where)
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            try:
                yield client
            finally:
                server.terminate()
                assert server.wait(30) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_an_order_is_confirmed_in_its_transaction_and_every_city_visited_but_one_that_is_down(kind, folder, ready):
    # R21, R34, R37: the request's transaction, its user, and 40 tenants of which one has no database.
    shop = Shop(folder, ready.url(kind, folder / "shop.db"))

    with shop.served() as browser:
        placed = browser.post("/orders", json={"item": "tea"}, headers=ANA)
        refused = browser.post("/orders", json={"item": ""}, headers=ANA)
        started = browser.post(f"{OURS}/scheduler/run/take_stock", json={}, headers=BOSS)
        shop.rota("tick").wait(60)
        orders = browser.get("/orders").json()
        confirmed = browser.get(f"{OURS}/api/v1/runs?job=confirm", headers=BOSS).json()["data"]
        cities = browser.get(f"{OURS}/api/v1/runs?job=take_stock&limit=100", headers=BOSS).json()["data"]
        nobody = browser.get(f"{OURS}/api/v1/runs", headers=ANA)

    assert [placed.status_code, refused.status_code, started.status_code, nobody.status_code] == [201, 422, 202, 401]
    assert [run["id"] for run in confirmed] == [placed.json()["run"]]
    assert orders == {str(placed.json()["order"]): "ana"}
    assert sum(run["state"] == "succeeded" for run in cities) == CITIES - 1
    assert [run["tenant"] for run in cities if run["state"] != "succeeded"] == ["city_07"]


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_orders_are_confirmed_by_workers_two_of_which_are_killed_in_between(kind, folder, ready):  # R30
    quick = {"ROTA_WORKER__LEASE": "2s", "ROTA_WORKER__HEARTBEAT": "500ms", "ROTA_WORKER__MARGIN": "1s"}
    shop = Shop(folder, ready.url(kind, folder / "shop.db"), **quick)

    with shop.served() as browser:
        supervisor = shop.rota("start", "--processes", "2")

        def place(number):
            for _ in range(number):
                assert browser.post("/orders", json={"item": "tea"}).status_code == 201

        def unconfirmed():
            return [order for order, user in browser.get("/orders").json().items() if user is None]

        try:
            place(10)
            wait_until(lambda: len(unconfirmed()) < 10, what="an order is confirmed")
            workers = children_of(supervisor.pid)
            place(10)
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            place(10)
            wait_until(lambda: not unconfirmed(), what="all are")
        finally:
            supervisor.terminate()
            ended = supervisor.wait(60)
        orders = browser.get("/orders").json()

    assert (len(orders), len(workers), ended) == (30, 2, 0)
