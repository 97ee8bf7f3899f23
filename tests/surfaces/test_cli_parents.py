"""`rota show` and `--where parent:`: which run enqueued which. (R32, R38)"""

import pytest

from rota.queries import RunQuery
from rota.views import runs
from tests.surfaces.conftest import data
from tests.values import NOON, a_run, new_id


@pytest.fixture
def family(noon_app):
    """A run, and three that it enqueued."""
    parent = a_run(job="broken")
    children = [a_run(job="broken", parent=parent.id) for _ in range(3)]
    noon_app.store.enqueue([parent, *children, a_run(job="broken", parent=new_id())], now=NOON)
    return parent, children


def test_a_run_is_shown_with_what_it_enqueued_and_those_with_it(noon_rota, family):
    parent, children = family

    shown = noon_rota("show", parent.id).stdout.splitlines()
    detail = data(noon_rota("show", parent.id, "--json"))

    assert [line.split() for line in shown[-3:]] == [
        ["enqueued", "queued", "broken", child.id] for child in children[::-1]
    ]
    assert [row["id"] for row in detail["children"]] == [child.id for child in children[::-1]]
    assert detail["has_more_children"] is False
    assert f"parent    {parent.id}" in noon_rota("show", children[0].id).stdout
    assert data(noon_rota("show", children[0].id, "--json"))["run"]["parent"] == parent.id


def test_of_many_the_newest_are_shown_and_how_to_see_the_others(noon_rota, family, monkeypatch):
    parent, children = family
    monkeypatch.setattr(runs, "CHILDREN", 2)

    shown = noon_rota("show", parent.id).stdout.splitlines()

    assert [line.split()[-1] for line in shown[-3:-1]] == [children[2].id, children[1].id]
    assert shown[-1] == f"and more: rota runs --where parent:{parent.id}"


def test_runs_are_found_by_the_one_that_enqueued_them(noon_rota, noon_app, family):
    parent, children = family
    mine = {child.id for child in children}

    found = data(noon_rota("runs", "--where", f"parent:{parent.id}", "--json"))
    others = data(noon_rota("runs", "--where", f"-parent:{parent.id}", "--json"))
    either = data(noon_rota("runs", "--where", f"parent:{parent.id},{new_id()}", "--json"))

    assert {row["id"] for row in found} == {row["id"] for row in either} == mine
    assert {row["id"] for row in others} == {run.id for run in noon_app.store.runs(RunQuery())} - mine
