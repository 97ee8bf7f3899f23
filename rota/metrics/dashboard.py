"""A dashboard for Grafana over the metrics of Rota (R53)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

SCHEMA = 38
"""The version of Grafana 10.0; later ones bring it up to theirs by themselves."""

WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${source}"}
JOBS = 'job=~"$job"'
SHARES = (0.5, 0.95, 0.99)
BAD = 'outcome=~"failed|timed_out"'


class Chart(NamedTuple):
    """Lines over time: each expression with the legend of its lines."""

    title: str
    queries: Mapping[str, str]
    unit: str = "short"


def _mean(name: str, by: str, window: str) -> str:
    """Return the expression for the mean of a summary."""
    total, number = (f"sum by ({by}) (rate({name}_{part}{{{JOBS}}}[{window}]))" for part in ("sum", "count"))
    return f"{total} / {number}"


def _quantile(share: float, by: str, window: str) -> str:
    """Return the expression for a percentile of the durations of runs."""
    return f"histogram_quantile({share}, sum by ({by}) (rate(rota_run_duration_seconds_bucket{{{JOBS}}}[{window}])))"


CHARTS = (
    Chart(
        "Runs by outcome",
        {f"sum by (outcome) (rate(rota_runs_total{{{JOBS}}}[$__rate_interval]))": "{{outcome}}"},
        "ops",
    ),
    Chart("Failed runs", {f"sum by (job) (increase(rota_runs_total{{{JOBS},{BAD}}}[1h])) > 0": "{{job}}"}),
    Chart(
        "Duration", {_quantile(share, "le", "$__rate_interval"): f"p{share:.0%}".rstrip("%") for share in SHARES}, "s"
    ),
    Chart("p95 duration by job", {_quantile(0.95, "job, le", "1h"): "{{job}}"}, "s"),
    Chart("Wait before start", {_mean("rota_run_wait_seconds", "queue", "$__rate_interval"): "{{queue}}"}, "s"),
    Chart("Queues", {"sum by (queue, state) (rota_queue_runs)": "{{queue}} {{state}}"}),
    Chart("Rounds by outcome", {f"sum by (outcome) (increase(rota_rounds_total{{{JOBS}}}[1h]))": "{{outcome}}"}),
    Chart(
        "Tenants that failed",
        {f'sum by (job) (increase(rota_round_tenants_total{{{JOBS},outcome="failed"}}[1h]))': "{{job}}"},
    ),
    Chart("Time of a round over all tenants", {_mean("rota_round_duration_seconds", "job", "1h"): "{{job}}"}, "s"),
    Chart("Retries", {f"sum by (reason) (increase(rota_retries_total{{{JOBS}}}[1h]))": "{{reason}}"}),
    Chart("Numbers of jobs", {f"sum by (job, name) (delta(rota_job_number_sum{{{JOBS}}}[1h]))": "{{job}} {{name}}"}),
    Chart("Parts", {"sum by (job, outcome) (increase(rota_parts_total[1h]))": "{{job}} {{outcome}}"}),
    Chart("Loops", {"max by (loop) (rota_loop_age_seconds)": "{{loop}}"}, "s"),
)


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it: it asks for the Prometheus to read, and for jobs."""
    return {
        "title": "Rota",
        "uid": "rota-overview",
        "tags": ["rota"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [_source(), _jobs()]},
        "annotations": {"list": []},
        "panels": _placed(
            [
                _stat("Runs in 24 h", "sum(increase(rota_runs_total[24h]))"),
                _stat(
                    "Failed in 24 h",
                    'sum(increase(rota_runs_total{outcome=~"failed|timed_out"}[24h])) or vector(0)',
                    bad_from=1,
                ),
                _stat("Stale pairs", 'sum(rota_pairs{state="stale"})', bad_from=1),
                _stat("Incidents", "sum(rota_incidents) or vector(0)", bad_from=1),
                _stat("Late pairs", 'sum(rota_pairs{state="late"})', bad_from=1),
                _stat("Worker processes", 'sum(rota_workers{state="alive"})'),
                _stat("Oldest waiting run", "max(rota_queue_oldest_age_seconds) or vector(0)", unit="s", bad_from=600),
                _stat("Schedule lag", "max(rota_schedule_lag_seconds)", unit="s", bad_from=120),
            ],
            width=3,
            height=4,
        )
        + _placed([_chart(*chart) for chart in CHARTS], width=12, height=8, below=4),
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _jobs() -> dict[str, Any]:
    query = "label_values(rota_runs_total, job)"
    return {
        "name": "job",
        "label": "Job",
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "jobs"},
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
        "sort": 1,
    }


def _stat(title: str, expression: str, *, unit: str = "none", bad_from: float | None = None) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if bad_from is not None:
        steps.append({"color": "red", "value": bad_from})
    return {
        "type": "stat",
        "title": title,
        "datasource": SOURCE,
        "targets": [{"refId": "A", "datasource": SOURCE, "expr": expression, "instant": True}],
        "fieldConfig": {
            "defaults": {"unit": unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"},
    }


def _chart(title: str, queries: Mapping[str, str], unit: str) -> dict[str, Any]:
    """Return a chart of expressions, each with the legend of its lines."""
    return {
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expression, "legendFormat": legend}
            for i, (expression, legend) in enumerate(queries.items())
        ],
        "fieldConfig": {
            "defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}},
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }


def _placed(panels: list[dict[str, Any]], *, width: int, height: int, below: int = 0) -> list[dict[str, Any]]:
    """Return panels in rows from the left, from the height `below` on, each with an id."""
    per_row = WIDTH // width
    return [
        panel
        | {
            "id": 100 * below + i + 1,
            "gridPos": {"x": i % per_row * width, "y": below + i // per_row * height, "w": width, "h": height},
        }
        for i, panel in enumerate(panels)
    ]
