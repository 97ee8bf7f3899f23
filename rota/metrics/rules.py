"""Alert rules for Prometheus over the metrics of Rota (R53)."""

import json

from msgspec import Struct


class Rule(Struct, frozen=True, kw_only=True):
    """When somebody is to be told, and of what."""

    name: str
    expression: str
    lasts: str
    """For how long it has to be so."""
    severity: str
    summary: str
    advice: str


RULES = (
    Rule(
        name="RotaDown",
        expression='sum(rota_workers{state="alive"}) == 0 or absent(rota_workers)',
        lasts="2m",
        severity="critical",
        summary="No worker process of Rota lives, or its metrics cannot be read",
        advice="rota doctor; systemctl status rota",
    ),
    Rule(
        name="RotaJobFailing",
        expression='sum by (job) (increase(rota_runs_total{outcome=~"failed|timed_out"}[15m])) > 0',
        lasts="0m",
        severity="warning",
        summary="Runs of {{ $labels.job }} have failed for good",
        advice="rota failures --where job:{{ $labels.job }}",
    ),
    Rule(
        name="RotaJobFailsOften",
        expression=(
            'sum by (job) (rate(rota_runs_total{outcome=~"failed|timed_out"}[1h]))'
            " / sum by (job) (rate(rota_runs_total[1h])) > 0.2"
        ),
        lasts="15m",
        severity="critical",
        summary="More than a fifth of the runs of {{ $labels.job }} fail",
        advice="rota errors list --job {{ $labels.job }}",
    ),
    Rule(
        name="RotaRoundIncomplete",
        expression='sum by (job) (increase(rota_rounds_total{outcome=~"partial|failed"}[15m])) > 0',
        lasts="0m",
        severity="warning",
        summary="A round of {{ $labels.job }} did not succeed for every tenant",
        advice="rota rounds --job {{ $labels.job }}",
    ),
    Rule(
        name="RotaStale",
        expression='sum(rota_pairs{state="stale"}) > 0',
        lasts="1m",
        severity="critical",
        summary="{{ $value }} pairs of schedule and tenant are stale",
        advice="rota stale",
    ),
    Rule(
        name="RotaQueueBehind",
        expression="max by (queue) (rota_queue_oldest_age_seconds) > 600",
        lasts="5m",
        severity="warning",
        summary="A run in queue {{ $labels.queue }} has waited for over ten minutes",
        advice="rota queues show {{ $labels.queue }}",
    ),
    Rule(
        name="RotaScheduleLate",
        expression="rota_schedule_lag_seconds > 120",
        lasts="2m",
        severity="critical",
        summary="Slots that are due are not fired",
        advice="rota workers; rota doctor",
    ),
    Rule(
        name="RotaLoopStuck",
        expression='max by (loop) (rota_loop_age_seconds{loop!="pruner"}) > 300',
        lasts="5m",
        severity="warning",
        summary="The loop {{ $labels.loop }} of a worker does not come round",
        advice="rota workers",
    ),
    Rule(
        name="RotaRunsLost",
        expression='sum by (job) (increase(rota_retries_total{reason="lost"}[1h])) > 3',
        lasts="0m",
        severity="warning",
        summary="Workers die while they run {{ $labels.job }}",
        advice="rota runs --job {{ $labels.job }}; look for an out-of-memory killer",
    ),
    Rule(
        name="RotaPartFailing",
        expression='sum by (job) (increase(rota_parts_total{outcome="failed"}[15m])) > 0',
        lasts="0m",
        severity="warning",
        summary="A part of {{ $labels.job }} has failed",
        advice="look in the log for '{{ $labels.job }} failed for'",
    ),
)


def rules() -> str:
    """Return the rules as a file that Prometheus loads."""
    lines = ["groups:", "  - name: rota", "    rules:"]
    for rule in RULES:
        lines += [
            f"      - alert: {rule.name}",
            f"        expr: {_text(rule.expression)}",
            f"        for: {rule.lasts}",
            "        labels:",
            f"          severity: {rule.severity}",
            "        annotations:",
            f"          summary: {_text(rule.summary)}",
            f"          action: {_text(rule.advice)}",
        ]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    # A string of JSON is one of YAML.
    return json.dumps(text)
