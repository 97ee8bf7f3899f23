"""What every watch asks each second or two is served by an index, on every engine."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rota.core.delivery import sent
from rota.core.incident import IncidentState
from rota.stores.sql import alerts
from rota.stores.sql.store import SqlStore
from tests.ready import Ready
from tests.stores.conftest import opened
from tests.stores.test_sql_plans import plan
from tests.values import DAY, NOON, a_delivery, a_member, an_incident

# One worker fills a database of each engine, and copies it.
pytestmark = pytest.mark.xdist_group("alert plans")

SCANS = ("Seq Scan", "SCAN r\n", "'ALL'")


def fill(url: str) -> None:
    """Put a long history of incidents and deliveries into a database, a few of them open."""
    with closing(opened(url)) as store:
        tell(store)


def tell(store: SqlStore) -> None:
    for number in range(300):
        is_open = number % 100 == 0
        incident = an_incident(
            job=f"j{number % 7}",
            key=f"k{number}" if is_open else None,
            state=IncidentState.OPEN if is_open else IncidentState.CLOSED,
            look_at=NOON if is_open else None,
            closed_at=None if is_open else NOON,
        )
        many = [a_delivery(incident=incident.id, channel=f"c{turn % 3}") for turn in range(6)]
        members = [a_member(f"t{turn}") for turn in range(5)]
        assert store.alerts.write(incident, expected_version=None, members=members, deliveries=many)
    for channel in ("c0", "c1", "c2"):
        while claimed := store.alerts.claim_deliveries(channel, lease=DAY, now=NOON, limit=500):
            for one in claimed[:-1] or claimed:
                store.alerts.settle_delivery(sent(one, now=NOON))


@pytest.fixture
def told(engine_kind: str, ready: Ready, tmp_path: Path) -> Iterator[SqlStore]:
    """A store with a long history of incidents and deliveries, whose statistics are known."""
    tables = "{incidents}, {deliveries}, {incident_tenants}"
    statements = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": f"ANALYZE TABLE {tables}"}
    with closing(opened(ready.url(engine_kind, tmp_path / "told.db", fill=fill))) as store:
        store._database.write(lambda link: link.run(statements[link.dialect.name]))
        yield store


LOOKED_AT = """
SELECT r.body FROM {incidents} AS r WHERE r.look_at IS NOT NULL AND r.look_at <= ? ORDER BY r.id DESC LIMIT ?
"""


@pytest.mark.parametrize(
    ("template", "parameters", "index"),
    [
        (alerts.DUE, ("c0", 1, 10), "rota_deliveries_waiting"),
        (LOOKED_AT, (1, 10), "rota_incidents_look"),
        (alerts.OLD_DELIVERIES, (1, 10), "rota_deliveries_old"),
    ],
)
def test_a_watch_asks_by_index(told: SqlStore, template: str, parameters: tuple[Any, ...], index: str) -> None:
    found = plan(told, template, *parameters)

    assert index in found, found
    assert not any(word in found for word in SCANS), found
