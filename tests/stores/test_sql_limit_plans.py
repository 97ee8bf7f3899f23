"""What limits ask of a store is served by an index in its order, whatever stands aside."""

from typing import Any

import pytest

from rota.core.limits import Limit, LimitScope
from rota.stores.sql import limits
from rota.stores.sql.store import SqlStore
from tests.stores.test_sql_plans import SORTS, plan
from tests.values import NOON, a_run, claim

LIMITS = (
    Limit(scope=LimitScope.TENANT, name="*", running=1),
    Limit(scope=LimitScope.JOB, name="report", running=1),
)


@pytest.fixture
def limited(store: SqlStore) -> SqlStore:
    """A store in which runs stand aside for nine tenants' limits, and others are queued; its statistics are known."""
    for job in ("mail", "report"):
        store.enqueue([a_run(job=job, tenant=f"t{number % 9}") for number in range(900)], now=NOON)
    for worker in ("w1", "w2"):
        claim(store, worker, limits=LIMITS)
    store.enqueue([a_run(job="free", tenant=f"f{number}") for number in range(300)], now=NOON)
    analyze = {"sqlite": "ANALYZE", "postgres": "ANALYZE", "mysql": "ANALYZE TABLE {runs}"}
    store._database.write(lambda link: link.run(analyze[link.dialect.name]))
    return store


def aside(store: SqlStore) -> str:
    """Return the look behind a limit as this engine is asked."""
    return limits.ASIDE if store._database.dialect.jumps else limits.ASIDE.replace(limits.OF_INDEX, "")


def test_what_stands_aside_for_a_limit_is_read_in_order(limited: SqlStore) -> None:  # R35
    template = aside(limited) % (limits.RUN_COLUMNS, limits.CLAIMABLE)

    found = plan(limited, template, "tenant:t1", "default", "[]", "[]", 5)

    assert "rota_runs_limited" in found
    assert not any(word in found for word in SORTS), found


def test_what_no_full_limit_stops_is_read_in_order(limited: SqlStore) -> None:  # R35
    template = limits.QUEUED % (limits.RUN_COLUMNS, limits.CLAIMABLE + limits.ALLOWED)
    values: list[Any] = ["[]", "[]", '[["report"]]', '[["t1"],["t2"]]', "[]", "[]", "[]"]

    found = plan(limited, template, "default", *values, 5)

    assert "rota_runs_claim" in found
    assert not any(word in found for word in SORTS), found


def test_what_runs_is_counted_without_reading_all(limited: SqlStore) -> None:  # R35
    found = plan(limited, limits.RUNNING)

    assert "Seq Scan" not in found
    assert "SCAN r\n" not in found
