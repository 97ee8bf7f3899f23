"""`rota resume`: end a pause."""

from shlex import quote

import click

from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.pausing import named
from rota.cli.session import Session, pass_session
from rota.core.controls import Paused
from rota.core.safe import safe_text
from rota.views.pauses import paused_since


@click.command(
    cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job, schedule or tenant", Exit.REFUSED: "it is not paused"}
)
@click.argument("job", required=False)
@click.option("--schedule", metavar="NAME", help="This schedule alone, not its job.")
@click.option("--tenant", metavar="ID", help="All jobs of this tenant.")
@click.option("--queue", metavar="NAME", help="All runs of this queue.")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def resume(
    session: Session,
    *,
    job: str | None,
    schedule: str | None,
    tenant: str | None,
    queue: str | None,
    reason: str | None,
) -> None:
    """End a pause.

    What was queued meanwhile runs now; slots that were not fired stay missing until a backfill makes them up.
    """
    app, target = session.app, named(job, schedule=schedule, tenant=tenant, queue=queue)
    if target.kind is None:
        since, what = paused_since(app, target.name), quote(target.name)
        ended: object = app.schedules.resume(target.name, actor=actor(), reason=reason)
    else:
        ended = pause = app.pauses.resume(target.kind, target.name, actor=actor(), reason=reason)
        since, what = pause.since, target.name if target.kind is Paused.JOB else f"JOB --tenant {quote(target.name)}"
    lines = [f"{target.said} goes on"]
    if since is not None and target.kind is not Paused.QUEUE:
        begin = since.astimezone(session.zone).isoformat(timespec="seconds")
        lines.append(f"to make up what was not fired: rota backfill {what} --since {begin} --until now")
    session.out.one("rota.resume/1", ended, [safe_text(line) for line in lines])
