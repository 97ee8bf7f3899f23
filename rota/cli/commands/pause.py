"""`rota pause`: stop a job, a schedule, a tenant or a queue for a while."""

from datetime import datetime

import click
from msgspec import UnsetType

from rota.app import Rota
from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.output import Column
from rota.cli.pausing import Named, end_of, named
from rota.cli.session import Session, pass_session
from rota.core.controls import Pause, Paused
from rota.core.model import Schedule
from rota.core.safe import safe_text
from rota.errors import close_names
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.paused import list_pauses


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
    if not any((job, schedule, tenant, queue)):
        _list(session)
        return
    app, target = session.app, named(job, schedule=schedule, tenant=tenant, queue=queue)
    if not reason:
        raise click.UsageError("--reason is needed: whoever is on call will ask why")
    made = _pause(session, target, reason=reason, ends=end_of(session, until))
    ends = made.paused_until if isinstance(made, Schedule) else made.until
    if target.kind is Paused.QUEUE and (note := _unused(app, target.name)):
        session.out.say(safe_text(note))
    till = f" until {session.shown(ends)}" if ends else ""
    session.out.one(
        "rota.pause/1", made, [f"{safe_text(target.said)} is paused{till}; to go on: rota resume {target.words}"]
    )


def _pause(session: Session, target: Named, *, reason: str, ends: datetime | UnsetType | None) -> Pause | Schedule:
    app = session.app
    if target.kind is None:
        return app.schedules.pause(target.name, reason=reason, until=ends, actor=actor())
    return app.pauses.pause(target.kind, target.name, reason=reason, until=ends, actor=actor())


def _unused(app: Rota, queue: str) -> str:
    """Return what is to be said of a queue that nothing uses; a queue may be any, so that is no error."""
    open_in = {name for name, states in app.store.counts().by_queue.items() if any(states.values())}
    known = {function.job.queue for function in app.jobs.values()} | open_in
    if queue in known:
        return ""
    close = " or ".join(repr(name) for name in close_names(queue, known))
    meant = f"; did you mean {close}?" if close else ""
    return f"no job here and no open run uses the queue {queue!r}{meant}"


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
