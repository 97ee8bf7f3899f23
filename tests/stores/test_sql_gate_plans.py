"""Gates and schedules are asked each second, and so by an index, on every engine."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rota.core.model import Origin, ScheduleState
from rota.queries import ScheduleQuery
from rota.stores.sql import gates, schedules
from rota.stores.sql.schedule_rows import SCHEDULE, schedule_row
from rota.stores.sql.store import SqlStore
from tests.ready import Ready
from tests.stores.conftest import opened
from tests.stores.test_sql_plans import plan
from tests.values import DAY, NOON, a_run, a_schedule

# One worker fills a database of each engine, and copies it.
pytestmark = pytest.mark.xdist_group("gate plans")

SCANS = ("Seq Scan", "SCAN r\n", "'ALL'")
GATE = "campaign/1"


def analyze(store: SqlStore) -> None:
    statements = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": "ANALYZE TABLE {runs}, {schedules}"}
    store._database.write(lambda link: link.run(statements[link.dialect.name]))


def fill(url: str) -> None:
    """Put many runs behind a few gates into a database, and some that are out."""
    held = [a_run(tenant=f"t{n % 9}", held_by=f"campaign/{n % 5}", batch=f"campaign/{n % 5}") for n in range(3000)]
    with closing(opened(url)) as store:
        store.enqueue(held, now=NOON)
        store.enqueue([a_run(tenant=f"t{n % 9}") for n in range(2000)], now=NOON)
        assert len(store.admit(GATE, now=NOON, places=8)) == 8


@pytest.fixture
def gated(engine_kind: str, ready: Ready, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with many runs behind a few gates, and some that are out, whose statistics are known."""
    with closing(opened(ready.url(engine_kind, tmp_path / "gated.db", fill=fill))) as store:
        analyze(store)
        yield store


@pytest.mark.parametrize(
    ("template", "parameters", "index"),
    [
        (gates.ADMITTED, (GATE, 10), "rota_runs_held"),
        (gates.HELD_RUNS % gates.BEHIND, (GATE, 1, 1, "x", 10), "rota_runs_held"),
        (gates.AT_WORK, (GATE, GATE, GATE, GATE), "rota_runs_batch"),
        (gates.ELSEWHERE, (GATE, GATE, GATE, GATE), "rota_runs_batch"),
        (gates.QUEUED % gates.OF_TENANT, ("default", "t1", 10), "rota_runs_tenant"),
    ],
)
def test_a_gate_is_asked_by_its_index(gated: SqlStore, template: str, parameters: tuple[Any, ...], index: str) -> None:
    found = plan(gated, template, *parameters)

    assert index in found, found
    assert not any(word in found for word in SCANS), found


def test_gates_are_found_by_a_probe_for_each(gated: SqlStore) -> None:
    if gated._database.dialect.jumps:
        found = plan(gated, gates.GATES)
    else:
        found = plan(gated, gates.NEXT_GATE, "a")

    assert "rota_runs_held" in found
    assert not any(word in found for word in (*SCANS, "filesort")), found
    assert gated.gates() == [f"campaign/{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (ScheduleQuery(states=(ScheduleState.ACTIVE,), has_next=False), "rota_schedules_due"),
        (ScheduleQuery(states=(ScheduleState.PAUSED,), pause_over=NOON), "rota_schedules_paused"),
        (ScheduleQuery(jobs=("job7",)), "rota_schedules_job"),
        (ScheduleQuery(origin=Origin.CODE), "rota_schedules_code"),
    ],
)
def test_schedules_are_asked_by_their_indexes(store: SqlStore, query: ScheduleQuery, index: str) -> None:
    rows = [
        schedule_row(a_schedule(name=f"s{number}", job=f"job{number % 300}", origin=Origin.ROW, next_at=NOON + DAY))
        for number in range(1500)
    ]
    store._database.write(lambda link: link.insert("schedules", SCHEDULE, rows))
    analyze(store)
    template, parameters = schedules.statement(query)

    found = plan(store, template, *parameters)

    assert index in found, found
