"""The example of a Flask application, gone through as a process of its own, on each database."""

import json
import os
import subprocess
import sys

import pytest

from tests.house.source import ROOT


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request):
    """The URL of a fresh database, where it is not a file in the folder of the shop."""
    return {} if request.param == "sqlite" else {"SHOP_DATABASE": request.getfixturevalue(f"{request.param}_database")}


def gone_through(folder, what, **environment):
    """Return what the shop's visitor saw."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.integrations.flask.shop_tour", what],
        cwd=ROOT, env={**os.environ, "SHOP_DIR": str(folder), **environment},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_an_order_is_confirmed_in_its_transaction_and_every_city_visited_but_one_that_is_down(database, tmp_path):
    # R21, R22, R34, R37: the request's transaction, its user, and 40 tenants of which one has no database.
    assert gone_through(tmp_path, "tour", **database) == {
        "answers": [200, 200, 409, 503, 404],
        "runs": True,
        "joined": True,
        "orders": [["city_01", 7, "ana"], ["city_02", 7, "ana"]],
        "cities": 39,
        "down": ["city_07"],
        "added": '{"orders":2}',
        "seen": ["add_up", "confirm", "take_stock"],
    }


def test_orders_are_confirmed_by_workers_two_of_which_are_killed_in_between(database, tmp_path):  # R30
    quick = {"ROTA_WORKER__LEASE": "2s", "ROTA_WORKER__HEARTBEAT": "500ms", "ROTA_WORKER__MARGIN": "1s"}

    assert gone_through(tmp_path, "worked", **database, **quick) == {"confirmed": 30, "killed": 2, "ended": 0}
