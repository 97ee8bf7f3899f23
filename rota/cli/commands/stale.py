"""`rota stale`: what has not succeeded lately enough."""

from collections.abc import Mapping

import click

from rota.cli.command import RotaCommand
from rota.cli.output import Column, by_state
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.freshness import WORSE, Freshness
from rota.exits import Exit
from rota.operations.freshness import BAD, FreshnessAsked, judge_freshness

STATES = [str(state) for state in Freshness]


@click.command(
    cls=RotaCommand,
    exits={Exit.FAILED: "something is stale, or what --fail-on says", Exit.NOT_FOUND: "no such job, or no such tag"},
)
@click.option("--job", "jobs", multiple=True, help="Only of this job, or this script outside of Rota; may be repeated.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only of these tenants.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only in this state; may be repeated."
)
@click.option("--all", "shows_all", is_flag=True, help="List what is fresh, new or paused too.")
@click.option(
    "--fail-on", type=click.Choice(["stale", "late"]), default="stale", show_default=True, help="What ends with 1."
)
@pass_session
def stale(
    session: Session,
    *,
    jobs: tuple[str, ...],
    tenants: tuple[str, ...],
    states: tuple[str, ...],
    shows_all: bool,
    fail_on: str,
) -> None:
    """List what has not succeeded lately enough, for each tenant, the worst first.

    `late`: the next slot has passed, and the time that its run may take. `stale`: the last success is older than it
    may be. Judged now and from the store, whether or not a watchdog runs.
    """
    named = tuple(Freshness) if shows_all else tuple(Freshness(state) for state in states) or BAD
    found = session.ask(judge_freshness, FreshnessAsked(job=jobs, tenant=tenants, state=named))
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("SCHEDULE", lambda row: row.schedule),
        Column("TENANT", lambda row: row.tenant),
        Column("LAST SUCCESS", lambda row: session.shown(row.last_success)),
        Column("AGE", lambda row: _long(row.age_s), right=True),
        Column("ALLOWED", lambda row: _long(row.allowed_s), right=True),
        Column("STALE AT", lambda row: session.shown(row.stale_at)),
        Column("FAILURES", lambda row: row.failures or "", right=True),
    ]
    session.out.rows("rota.stale/1", found.pairs, columns, foot=_foot(found.counts))
    least = Freshness.LATE if fail_on == "late" else Freshness.STALE
    if any(number and WORSE[state] >= WORSE[least] for state, number in found.counts.items()):
        click.get_current_context().exit(Exit.FAILED)


def _long(seconds: float | None) -> str:
    return "" if seconds is None else rough_duration(seconds)


def _foot(counts: Mapping[Freshness, int]) -> str:
    worst_first = sorted(Freshness, key=lambda state: -WORSE[state])
    told = [f"{counts[state]} {state}" for state in worst_first if counts.get(state)]
    return f"{counted(sum(counts.values()), 'pair')} of schedule and tenant: {', '.join(told) or 'none'}"
