"""`rota resume`: end a pause."""

from collections.abc import Sequence
from datetime import datetime

import click

from rota.cli.command import RotaCommand
from rota.cli.pausing import Named, missed_lines, named
from rota.cli.session import Session, pass_session
from rota.core.controls import Pause, Paused
from rota.core.model import Schedule
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.pause_changes import ResumeAsked, resume_job, resume_queue, resume_tenant
from rota.operations.schedule_changes import ScheduleNamed, resume_schedule

RESUMES = {Paused.JOB: resume_job, Paused.TENANT: resume_tenant, Paused.QUEUE: resume_queue}


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
    target = named(job, schedule=schedule, tenant=tenant, queue=queue)
    ended, since, missed = _resume(session, target, reason=reason)
    lines = [f"{target.said} goes on"]
    if since is not None:
        whose = target.name if target.kind is Paused.TENANT else None
        lines += missed_lines(session, missed, since=since, tenant=whose)
    session.out.one("rota.resume/1", ended, [safe_text(line) for line in lines])


def _resume(
    session: Session, target: Named, *, reason: str | None
) -> tuple[Pause | Schedule, datetime | None, Sequence[str]]:
    """Return what goes on, since when it was paused, and the schedules that were not fired meanwhile."""
    if target.kind is None:
        again = session.ask(resume_schedule, ScheduleNamed(name=target.name, reason=reason))
        return again.schedule, again.since, again.missed
    ended = session.ask(RESUMES[target.kind], ResumeAsked(name=target.name, reason=reason))
    return ended.pause, ended.pause.since, ended.missed
