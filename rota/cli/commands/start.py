"""`rota start`: the system."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.clock import SystemClock
from rota.engine.supervisor import Supervisor
from rota.errors import ConfigurationError
from rota.exits import Exit

if TYPE_CHECKING:
    from rota.app import Rota

ROLES = ("scheduler", "worker", "watchdog")


@click.command(
    cls=RotaCommand,
    exits={
        Exit.REFUSED: "the schema does not fit this code: rota db upgrade",
        Exit.INTERRUPTED: "a second Ctrl-C ended it at once",
        Exit.TERMINATED: "a second SIGTERM ended it at once",
    },
)
@click.option("--only", metavar="ROLES", help="Only these, comma separated: scheduler, worker, watchdog.")
@click.option(
    "--processes",
    type=click.IntRange(min=0),
    help="Worker processes; 0 is one for each core. Default: worker.processes.",
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Runs at once. Default: worker.concurrency.")
@click.option("--queues", metavar="NAME:N,…", help="Queues, each with how many runs it takes. Default: worker.queues.")
@click.option("--drain", metavar="DURATION", help="How long a stop waits for runs. Default: worker.drain.")
@click.option("--worker-process", nargs=2, type=int, hidden=True, help="Its place, and its descriptor of the channel.")
@pass_session
def start(
    session: Session,
    *,
    only: str | None,
    processes: int | None,
    concurrency: int | None,
    queues: str | None,
    drain: str | None,
    worker_process: tuple[int, int] | None,
) -> None:
    """Fire schedules and execute runs until stopped.

    A supervisor of worker processes, which are started again when they die. The first SIGTERM or Ctrl-C drains: runs
    are finished or given back, and it ends with 0. The second ends at once. SIGHUP replaces the worker processes one
    by one, with the code and the settings of now; SIGUSR1 writes the stacks of all their threads to standard error.
    """
    roles = _roles(only)
    session.check_is_here()
    session.override(
        {
            "worker.processes": processes,
            "worker.concurrency": concurrency,
            "worker.queues": queues,
            "worker.drain": drain,
        }
    )
    if worker_process is not None:
        _work(session, roles, *worker_process)
    # Before a process is started: what is wrong with the settings is said by the process that was asked.
    settings = session.settings
    start_logging(settings, verbosity=session.out.verbosity)
    words: Sequence[str] = click.get_current_context().find_root().meta["rota.args"]

    def command(place: int, descriptor: int) -> list[str]:
        return [sys.executable, "-m", "rota", *words, "--worker-process", str(place), str(descriptor)]

    supervisor = Supervisor(command, say=session.out.say, monotonic=SystemClock().monotonic)
    click.get_current_context().exit(supervisor.run())


def _work(session: Session, roles: Sequence[str], place: int, descriptor: int) -> None:
    """Be a worker process of the supervisor that started this process."""
    # Only here: the supervisor itself has no use for the engine.
    from rota.engine.channel import Channel, Ready
    from rota.engine.crew import Crew
    from rota.engine.worker_process import Orders, end, work
    from rota.stores.memory import MemoryStore

    orders = Orders(Channel.inherited(descriptor), clock=SystemClock())
    orders.start()
    app = session.app
    start_logging(app.settings, verbosity=session.out.verbosity)
    settings = app.settings.worker
    served: Mapping[str, int] = settings.queues

    def make() -> Crew:
        if isinstance(app.store, MemoryStore):
            _refuse_what_another_process_feeds(app)
        # Every process works; one fires schedules and one watches, since more would only find it done.
        return app.crew(
            works="worker" in roles,
            schedules="scheduler" in roles and place == 0,
            watches=_is_watching(roles) and place == 0,
        )

    def ready(crew: Crew) -> Ready:
        patience = settings.drain + settings.grace + settings.kill_grace
        return Ready(
            worker=crew.worker.id,
            jobs=len(app.jobs),
            queues=tuple(served),
            processes=(settings.processes or _cores()) if "worker" in roles else 1,
            # And the passes of its loops, and giving back.
            patience_s=patience.total_seconds() + 15,
            is_alone=isinstance(app.store, MemoryStore),
        )

    end(work(orders, make, ready=ready, clock=app.clock))


def _refuse_what_another_process_feeds(app: "Rota") -> None:
    """Refuse to wait for runs that cannot come: what an application enqueues in memory stays in its process (R33)."""
    scheduled = {schedule.job for schedule in app.store.schedules()}
    fed = sorted(name for name, job in app.jobs.items() if job.timing is None and name not in scheduled)
    if fed:
        raise ConfigurationError(
            f"the store is memory://, and no schedule starts {', '.join(map(repr, fed))}: what an application enqueues "
            "in memory stays in its own process. Call rota.start_background() there, or use a store that both see, "
            "such as sqlite:///rota.db"
        )


def _cores() -> int:
    """Return how many cores this process may use: in a container often fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_watching(roles: Sequence[str]) -> bool:
    """Return whether this process looks out: whoever schedules does, so that no deployment forgets it."""
    return "watchdog" in roles or "scheduler" in roles


def _roles(text: str | None) -> list[str]:
    roles = [role.strip() for role in (text or ",".join(ROLES)).split(",") if role.strip()]
    if not roles:
        raise click.UsageError(f"--only names no role; there are {', '.join(ROLES)}")
    for role in roles:
        if role not in ROLES:
            raise click.UsageError(f"--only: {role!r} is no role; there are {', '.join(ROLES)}")
    return roles
