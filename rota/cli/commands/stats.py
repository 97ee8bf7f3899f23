"""`rota stats`: how often and how long what ran."""

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.exits import Exit
from rota.operations.stats import StatsAsked, show_stats
from rota.views.stats import By, StatsRow

BARS = "▁▂▃▄▅▆▇█"


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no tenant has that tag"})
@click.option("--by", type=click.Choice([by.value for by in By]), default="job", show_default=True, help="What for.")
@click.option("--since", metavar="TIME", default="7d", show_default=True, help="From when on: 6h (ago), 2026-11-20.")
@click.option("--job", "jobs", multiple=True, help="Only of this job; may be repeated.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only for these tenants.")
@pass_session
def stats(session: Session, *, by: str, since: str, jobs: tuple[str, ...], tenants: tuple[str, ...]) -> None:
    """Show how many runs there were, how many failed, and how long they took.

    Most time first. Read from sums, so that it costs the same after a million runs; percentiles are right to within a
    factor of 2. Of the last 6 hours by the minute, of 14 days by the hour, else by the day. RUNS are those that are
    over; RETRIED are attempts after which a run went on.
    """
    start = session.instant(since, flag="--since", now=session.clock.now())
    found = session.ask(show_stats, StatsAsked(by=By(by), since=start, job=jobs, tenant=tenants))
    columns = [
        Column(by.upper(), lambda row: row.name or "-"),
        Column("RUNS", lambda row: f"{row.runs:,}", right=True),
        Column("FAILED", lambda row: _percent(row), right=True, style=lambda row: "red" if row.failed else ""),
        Column("RETRIED", lambda row: f"{row.retries:,}" if row.retries else "", right=True),
        Column("P50", lambda row: _duration(row.p50_s), right=True),
        Column("P95", lambda row: _duration(row.p95_s), right=True),
        Column("P99", lambda row: _duration(row.p99_s), right=True),
        Column("MOST", lambda row: _duration(row.most_s), right=True),
        Column("WAITED", lambda row: _duration(row.waited_s), right=True),
        Column("TOTAL", lambda row: _duration(row.total_s), right=True),
        Column("WHEN", lambda row: spark(row.spark)),
    ]
    foot = f"{counted(len(found.rows), by)}, since {session.shown(found.since)}"
    session.out.rows("rota.stats/1", found.rows, columns, foot=foot)


def spark(numbers: list[int]) -> str:
    """Return numbers as a line of bars; none is a blank."""
    most = max(numbers, default=0)
    return "".join(BARS[(number * len(BARS) - 1) // most] if number else " " for number in numbers).rstrip()


def _percent(row: StatsRow) -> str:
    if not row.failed:
        return ""
    return f"{row.failed_percent:.1f}%" if row.failed_percent >= 0.1 else "<0.1%"


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else rough_duration(seconds)
