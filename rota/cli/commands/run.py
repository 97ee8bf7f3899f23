"""`rota run`: a job, now."""

import click

from rota.cli.arguments import actor, from_json, keywords, names
from rota.cli.command import RotaCommand
from rota.cli.follow import follow
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.safe import safe_text
from rota.engine.private import private_queue
from rota.exits import Exit
from rota.operations.starting import RunPlan, StartAsked, preview_start, start_job
from rota.views.chosen import chosen, excluded


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
    positional, named = from_json(args_json)
    asked = StartAsked(
        job=job,
        tenants=names(tenants),
        exclude=names(exclude),
        args=tuple(positional),
        kwargs=named | keywords(args),
        canary=canary,
        parallel=parallel,
        reason=reason,
    )
    if dry_run:
        plan = session.ask(preview_start, asked)
        session.out.one("rota.run.start/1", plan, _lines(plan, tail="Nothing was started (--dry-run)."))
        return
    if here:
        _run_here(session, asked)
    plan = session.ask(start_job, asked)
    started = plan.round or ""
    if is_followed:
        follow(session, [started], job=job, schema="rota.run.follow/1")
    session.out.one("rota.run.start/1", plan, [f"round {started} of {job} is queued"])
    for line in plan.in_the_way:
        session.out.say(safe_text(f"it waits: {line}"))
    session.out.say(f"how it goes:  rota show {started}      to stop it:  rota cancel {started}")


def _run_here(session: Session, asked: StartAsked) -> None:
    """Work off the job in this process and end."""
    app = session.app
    app.find(asked.job)
    # A queue of its own: this process works off this round and nothing else.
    queue = private_queue(app.clock.new_id())
    with app.working(queues={queue: 0}):
        round_ = app.start_run(
            asked.job,
            tenants=chosen(app, asked.tenants),
            exclude=excluded(app, asked.exclude),
            args=asked.args,
            kwargs=asked.kwargs,
            canary=asked.canary,
            parallel=asked.parallel,
            reason=asked.reason,
            actor=actor(),
            queue=queue,
        )
        follow(session, [round_.id], job=asked.job, schema="rota.run.follow/1")


def _lines(plan: RunPlan, *, tail: str) -> list[str]:
    held = [safe_text(f"  {line}") for line in plan.in_the_way]
    if plan.tenants is None:
        return [f"{plan.job}: one run. {tail}", *held]
    named = ", ".join(plan.tenants[:20]) + (" and others" if len(plan.tenants) > 20 else "")
    return [safe_text(f"{plan.job}: {counted(len(plan.tenants), 'tenant')}: {named}. {tail}"), *held]
