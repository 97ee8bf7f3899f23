"""`rota start`: the system."""

from collections.abc import Mapping

import click

from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.engine.supervisor import supervise

ROLES = ("scheduler", "worker")


@click.command(cls=RotaCommand, exits={Exit.REFUSED: "the schema does not fit this code: rota db upgrade"})
@click.option("--only", metavar="ROLES", help="Only these, comma separated: scheduler, worker.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Runs at once. Default: worker.concurrency.")
@click.option("--queues", metavar="NAME:N,…", help="Queues, each with how many runs it takes. Default: worker.queues.")
@click.option("--drain", metavar="DURATION", help="How long a stop waits for runs. Default: worker.drain.")
@pass_session
def start(
    session: Session, *, only: str | None, concurrency: int | None, queues: str | None, drain: str | None
) -> None:
    """Fire schedules and execute runs until stopped.

    The first SIGTERM or Ctrl-C drains: runs are finished or given back, and it ends with 0. The second ends at once.
    """
    roles = _roles(only)
    session.override({"worker.concurrency": concurrency, "worker.queues": queues, "worker.drain": drain})
    app = session.app
    start_logging(app.settings, verbosity=session.out.verbosity)
    crew = app.crew(works="worker" in roles, schedules="scheduler" in roles)
    served: Mapping[str, int] = app.settings.worker.queues
    named = ", ".join(served) if served else "all queues"
    session.out.say(f"rota: {' and '.join(roles)}, {len(app.jobs)} jobs, {named}; Ctrl-C drains")
    clean = supervise(crew)
    session.out.say("rota: drained" if clean else "rota: stopped; what did not end was given back")


def _roles(text: str | None) -> list[str]:
    roles = [role.strip() for role in (text or ",".join(ROLES)).split(",") if role.strip()]
    for role in roles:
        if role not in ROLES:
            raise click.UsageError(f"--only: {role!r} is no role; there are {', '.join(ROLES)}")
    return roles
