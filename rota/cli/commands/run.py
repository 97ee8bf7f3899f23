"""`rota run`: a job, now."""

from contextlib import nullcontext

import click
from msgspec import Struct

from rota.app import Rota
from rota.cli.arguments import actor, from_json, keywords
from rota.cli.command import RotaCommand
from rota.cli.follow import follow
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.safe import safe_text
from rota.engine.private import private_queue
from rota.errors import TenantNotFound
from rota.exits import Exit
from rota.views.chosen import chosen, excluded
from rota.views.jobs import the_job
from rota.views.pauses import in_the_way


class RunPlan(Struct, frozen=True, kw_only=True):
    """What `run` would start, or did."""

    job: str
    tenants: list[str] | None
    """None when the job is not per tenant."""
    round: str | None
    in_the_way: list[str] = []
    """Why some of it would not run at once: pauses, parked tenants."""


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "with --follow or --here: it failed, for every tenant",
        Exit.NOT_FOUND: "no such job or tenant",
        Exit.PARTIAL: "with --follow or --here: it failed for some tenants",
    },
)
@click.argument("job")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only these tenants.")
@click.option("--exclude", "exclude", multiple=True, metavar="A,B|@TAG", help="Not these tenants.")
@click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="An argument; JSON or text.")
@click.option("--args-json", metavar="JSON", help="All arguments: a list or an object; - reads standard input.")
@click.option("--canary", metavar="ID", help="This tenant first; the others only if it succeeds.")
@click.option("--parallel", type=click.IntRange(min=1), help="How many tenants at once.")
@click.option("--reason", help="Kept with the round.")
@click.option("--here", is_flag=True, help="Run it in this process, and wait.")
@click.option("--follow", "is_followed", is_flag=True, help="Wait for it, with a bar.")
@click.option("--dry-run", is_flag=True, help="Only say what would run.")
@pass_session
def run(
    session: Session,
    job: str,
    *,
    tenants: tuple[str, ...],
    exclude: tuple[str, ...],
    args: tuple[str, ...],
    args_json: str | None,
    canary: str | None,
    parallel: int | None,
    reason: str | None,
    here: bool,
    is_followed: bool,
    dry_run: bool,
) -> None:
    """Run a job now, for all its tenants or some.

    A run by hand consumes no slot and moves none.
    """
    app = session.app
    the_job(app, job)
    only, without = chosen(app, tenants), excluded(app, exclude)
    positional, named = from_json(args_json)
    named |= keywords(args)
    if dry_run:
        meant = _tenants(app, job, only, without)
        plan = RunPlan(job=job, tenants=meant, round=None, in_the_way=in_the_way(app, job, meant or ()))
        session.out.one("rota.run.start/1", plan, _lines(plan, tail="Nothing was started (--dry-run)."))
        return
    # A queue of its own: this process works off this round and nothing else.
    queue = private_queue(app.clock.new_id()) if here else None
    with app.working(queues={queue: 0}) if queue else nullcontext():
        round_ = app.start_run(
            job,
            tenants=only,
            exclude=without,
            args=positional,
            kwargs=named,
            canary=canary,
            parallel=parallel,
            reason=reason,
            actor=actor(),
            queue=queue,
        )
        if here:
            follow(session, app, [round_.id], job=job, schema="rota.run.follow/1")
    if is_followed:
        follow(session, app, [round_.id], job=job, schema="rota.run.follow/1")
    waits = in_the_way(app, job, only or ())
    plan = RunPlan(job=job, tenants=only, round=round_.id, in_the_way=waits)
    session.out.one("rota.run.start/1", plan, [f"round {round_.id} of {job} is queued"])
    for line in waits:
        session.out.say(safe_text(f"it waits: {line}"))
    session.out.say(f"how it goes:  rota show {round_.id}      to stop it:  rota cancel {round_.id}")


def _tenants(app: Rota, job: str, only: list[str] | None, without: list[str]) -> list[str] | None:
    if not the_job(app, job).per_tenant:
        return None
    listed = [tenant.id for tenant in app.list_tenants()]
    for name in only or ():
        if name not in listed:
            raise TenantNotFound(name, known=listed)
    return [name for name in listed if (only is None or name in only) and name not in without]


def _lines(plan: RunPlan, *, tail: str) -> list[str]:
    held = [safe_text(f"  {line}") for line in plan.in_the_way]
    if plan.tenants is None:
        return [f"{plan.job}: one run. {tail}", *held]
    named = ", ".join(plan.tenants[:20]) + (" and others" if len(plan.tenants) > 20 else "")
    return [safe_text(f"{plan.job}: {counted(len(plan.tenants), 'tenant')}: {named}. {tail}"), *held]
