"""The comparison with peers: its table, and the counts of what a kill costs."""

import ast

import pytest

pytest.importorskip("redis")

from bench.peers.__main__ import QUICK, Report, Score, score
from bench.peers.bout import PickUp, Survival
from bench.peers.contenders import APPS, CONTENDERS, PACKAGES
from bench.peers.table import table
from rota.measuring.machine import this_machine


def test_every_peer_has_an_application_and_packages():
    peers = {one.peer for one in CONTENDERS}

    assert {path.stem.removesuffix("_app") for path in APPS.glob("*_app.py")} == peers
    assert set(PACKAGES) == peers - {"rota"}


def test_an_application_imports_nothing_of_rota_but_its_own():
    for path in APPS.glob("*.py"):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
        assert path.stem == "rota_app" or not any(module.startswith("rota") for module in modules)


def test_figures_are_medians_and_what_is_missing_stays_so():
    found = {
        "drain_1": [1.0, 3.0, 2.0],
        "drain_2": [],
        "enqueue": [5.0],
        "pick_up": [PickUp(1.0, 4.0), PickUp(3.0, 8.0)],
        "survival": [Survival(lost=4, repeated=0, recovered_s=None)],
    }

    one = score("huey/redis", found)

    assert one == Score(
        contender="huey/redis",
        drain_1=2.0,
        enqueue=5.0,
        pick_up=PickUp(2.0, 6.0),
        survival=Survival(lost=4, repeated=0, recovered_s=None),
    )


def test_the_table_names_machine_versions_and_what_came_to_no_figure():
    survived = Survival(lost=0, repeated=3, recovered_s=1.25)
    report = Report(
        machine=this_machine(),
        versions={"rota": "0.1.0", "huey": "3.5.4"},
        plan=QUICK,
        scores=[
            Score(contender="rota/sqlite", drain_1=4662.4, pick_up=PickUp(1.25, 4.0), survival=survived),
            Score(contender="huey/sqlite", survival=Survival(lost=4, repeated=0, recovered_s=None)),
        ],
        failures=["huey/sqlite did not come to its first job"],
    )

    text = table(report)

    assert "huey 3.5.4." in text
    assert "| rota/sqlite | 4,662 /s | - | - | 1.2 / 4.0 ms | 0, 3, 1.2 s |" in text
    assert "| huey/sqlite | - | - | - | - | 4, 0, never |" in text
    assert text.endswith("no figure: huey/sqlite did not come to its first job")
