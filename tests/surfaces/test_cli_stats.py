"""`rota stats`, `rota metrics` and `rota generate`: what ran, for people and for machines (R53)."""

import json

import pytest

from rota.cli.commands.stats import spark
from rota.core.rollup import spread
from tests.surfaces.conftest import data, error
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_rollup, a_sheet


def add(app, *rollups):
    app.store.rollups.add(spread(a_sheet(*rollups), apart=lambda tenant: False), now=NOON)


@pytest.fixture
def counted(noon_app):
    """Two jobs: one that is quick and fails sometimes, and one that takes an hour."""
    add(
        noon_app,
        a_rollup(job="sync", number=90, took=2 * SECOND, duration_sum=180 * SECOND, start_at=NOON - 6 * DAY),
        a_rollup(job="sync", number=10, outcome="failed", tenant="globex", took=30 * SECOND, duration_sum=300 * SECOND),
        a_rollup(job="sync", number=5, outcome="retried"),
        a_rollup(job="report", took=HOUR, queue="slow", wait_sum=MINUTE),
        a_rollup(job="report", took=HOUR, start_at=NOON - 30 * DAY),
    )
    return noon_app


def test_a_job_is_one_line_with_how_often_it_failed_and_how_long_it_took(counted, noon_rota):  # R53
    shown = noon_rota("stats")

    head, slow, quick = shown.stdout.splitlines()
    assert head.split() == ["JOB", "RUNS", "FAILED", "RETRIED", "P50", "P95", "P99", "MOST", "WAITED", "TOTAL", "WHEN"]
    assert slow.split()[:2] == ["report", "1"] and "1m" in slow
    assert quick.split()[:4] == ["sync", "100", "10.0%", "5"]
    assert quick.split()[9] == "8m"
    assert "2 jobs, since 2026-05-25 12:00:00" in shown.stderr


def test_statistics_are_data_for_programs(counted, noon_rota):  # R53, R63
    slow, quick = data(noon_rota("stats", "--json"))

    assert (slow["name"], slow["runs"], slow["failed"], slow["total_s"], slow["waited_s"]) == (
        "report", 1, 0, 3600.0, 60.0,
    )  # fmt: skip
    assert (quick["runs"], quick["failed"], quick["failed_percent"], quick["retries"]) == (100, 10, 10.0, 5)
    assert 1.0 <= quick["p50_s"] <= 2.0 and 20.0 <= quick["p95_s"] <= 30.0 and quick["most_s"] == 30.0
    assert sum(quick["spark"]) == 100 and quick["spark"][3] == 90 and quick["spark"][-1] == 10


@pytest.mark.parametrize(
    ("by", "names"), [("tenant", ["acme", "globex"]), ("queue", ["slow", "default"]), ("job", ["report", "sync"])]
)
def test_statistics_are_by_job_tenant_or_queue(counted, noon_rota, by, names):  # R53
    assert [row["name"] for row in data(noon_rota("stats", "--by", by, "--json"))] == names


def test_statistics_are_narrowed_by_time_job_and_tenant(counted, noon_rota):  # R53
    def runs(*flags):
        return {row["name"]: row["runs"] for row in data(noon_rota("stats", "--json", *flags))}

    assert runs("--since", "1h") == {"sync": 10, "report": 1}
    assert runs("--since", "90d") == {"sync": 100, "report": 2}
    assert runs("--job", "report") == {"report": 1}
    assert runs("--tenant", "globex") == {"sync": 10}


def test_a_tenant_that_is_none_has_a_dash(noon_app, noon_rota):  # R53
    add(noon_app, a_rollup(tenant=""))

    assert noon_rota("stats", "--by", "tenant").stdout.splitlines()[1].startswith("-")


def test_nothing_that_ran_is_no_row(noon_rota):  # R53
    assert data(noon_rota("stats", "--json")) == []


def test_a_time_that_is_none_is_refused(noon_rota):
    assert "--since" in error(noon_rota("stats", "--since", "tomorrowish", "--json"))["message"]


@pytest.mark.parametrize(
    ("numbers", "bars"), [([0, 1, 8], " ▁█"), ([], ""), ([0, 0], ""), ([5, 5], "██"), ([1, 1000], "▁█")]
)
def test_numbers_are_shown_as_bars(numbers, bars):  # R53
    assert spark(numbers) == bars


def test_metrics_are_printed_as_prometheus_reads_them(counted, noon_rota):  # R53
    shown = noon_rota("metrics").stdout

    assert 'rota_runs_total{job="sync",outcome="failed",queue="default"} 10.0' in shown
    assert noon_rota("metrics", "--openmetrics").stdout.endswith("# EOF\n")


def test_a_dashboard_and_alert_rules_are_printed(noon_rota):  # R53
    assert json.loads(noon_rota("generate", "grafana").stdout)["title"] == "Rota"
    assert noon_rota("generate", "prometheus-rules").stdout.startswith("groups:\n")
