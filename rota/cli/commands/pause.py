"""`rota pause`: stop a job, a schedule, a tenant or a queue for a while."""

from datetime import datetime

import click
from msgspec import UnsetType

from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.pausing import Named, end_of, named
from rota.cli.session import Session, pass_session
from rota.core.controls import Pause, Paused
from rota.core.model import Schedule
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.pause_changes import PauseAsked, pause_job, pause_queue, pause_tenant
from rota.operations.paused import list_pauses
from rota.operations.schedule_changes import SchedulePauseAsked, pause_schedule

PAUSES = {Paused.JOB: pause_job, Paused.TENANT: pause_tenant, Paused.QUEUE: pause_queue}


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job, schedule or tenant"})
@click.argument("job", required=False)
@click.option("--schedule", metavar="NAME", help="This schedule alone, not its job.")
@click.option("--tenant", metavar="ID", help="All jobs of this tenant.")
@click.option("--queue", metavar="NAME", help="All runs of this queue.")
@click.option("--until", metavar="TIME", help="Go on by itself then, or `never`. Default: the end it has, if any.")
@click.option("--reason", help="For those who will wonder. Needed to pause.")
@pass_session
def pause(
    session: Session,
    *,
    job: str | None,
    schedule: str | None,
    tenant: str | None,
    queue: str | None,
    until: str | None,
    reason: str | None,
) -> None:
    """Stop a job, a schedule, a tenant or a queue for a while; without a name, list what is paused.

    What runs already goes on. Nothing fails for it, and what was not fired meanwhile is not made up on resume.
    """
    if all(name is None for name in (job, schedule, tenant, queue)):
        _list(session)
        return
    target = named(job, schedule=schedule, tenant=tenant, queue=queue)
    if not reason:
        raise click.UsageError("--reason is needed: whoever is on call will ask why")
    made, ends, note = _pause(session, target, reason=reason, until=end_of(session, until))
    if note:
        session.out.say(safe_text(note))
    till = f" until {session.shown(ends)}" if ends else ""
    session.out.one(
        "rota.pause/1", made, [f"{safe_text(target.said)} is paused{till}; to go on: rota resume {target.words}"]
    )


def _pause(
    session: Session, target: Named, *, reason: str, until: datetime | UnsetType | None
) -> tuple[Pause | Schedule, datetime | None, str]:
    """Return what is paused now, when that ends, and what is to be said of it."""
    if target.kind is None:
        schedule = session.ask(pause_schedule, SchedulePauseAsked(name=target.name, reason=reason, until=until))
        return schedule, schedule.paused_until, ""
    made = session.ask(PAUSES[target.kind], PauseAsked(name=target.name, reason=reason, until=until))
    return made.pause, made.pause.until, made.note


def _list(session: Session) -> None:
    found = session.ask(list_pauses, Nothing())
    columns = [
        Column("PAUSED", lambda row: row.kind),
        Column("NAME", lambda row: row.name),
        Column("BY", lambda row: row.author or ""),
        Column("SINCE", lambda row: session.shown(row.since)),
        Column("UNTIL", lambda row: session.shown(row.until)),
        Column("REASON", lambda row: row.reason),
    ]
    foot = f"{len(found.data)} paused" if found.data else "nothing is paused"
    session.out.page("rota.pauses/1", found, columns, foot=foot)
