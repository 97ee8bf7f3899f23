"""`rota resume`: end a pause."""

import click

from rota.app import Rota
from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.pausing import Named, missed_lines, named
from rota.cli.session import Session, pass_session
from rota.core.controls import Paused
from rota.core.dependencies import covers
from rota.core.model import Schedule
from rota.core.safe import safe_text
from rota.exits import Exit
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
        since, meant = paused_since(app, target.name), [app.schedules.get(target.name)]
        ended: object = app.schedules.resume(target.name, actor=actor(), reason=reason)
    else:
        ended = pause = app.pauses.resume(target.kind, target.name, actor=actor(), reason=reason)
        since, meant = pause.since, _schedules_of(app, target)
    lines = [f"{target.said} goes on"]
    if since is not None:
        lines += missed_lines(session, meant, since=since, tenant=target.name if target.kind is Paused.TENANT else None)
    session.out.one("rota.resume/1", ended, [safe_text(line) for line in lines])


def _schedules_of(app: Rota, target: Named) -> list[Schedule]:
    """Return the schedules that fired nothing while something was paused. Those of a queue went on firing."""
    match target.kind:
        case Paused.JOB:
            return app.schedules.list(job=target.name)
        case Paused.TENANT:
            per_tenant = {name for name, function in app.jobs.items() if function.job.per_tenant}
            return [one for one in app.schedules.list() if one.job in per_tenant and covers(one, target.name)]
        case _:
            return []
