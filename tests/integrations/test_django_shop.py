"""The example of a Django project, gone through as a process of its own, on each database."""

import json
import os
import subprocess
import sys

import pytest

from tests.house.source import ROOT


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request):
    """The URL of a fresh database; none of SQLite, which is in the folder of the shop."""
    return "" if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_database")


def test_an_order_is_confirmed_in_its_transaction_and_every_city_visited_but_one_that_is_down(database, tmp_path):
    # R21, R34, R37: the request's transaction, its user, and 40 tenants of which one has no database.
    environment = {**os.environ, "SHOP_DIR": str(tmp_path), "SHOP_DATABASE": database}

    done = subprocess.run(
        [sys.executable, "-m", "tests.integrations.django.shop_tour"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "answers": [200, 500],
        "run": True,
        "joined": True,
        "orders": [True],
        "cities": 39,
        "down": ["city_07"],
        "added": '{"orders":1}',
    }
