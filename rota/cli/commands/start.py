"""`rota start`: the system."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

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
    from rota.settings import Settings

ROLES = ("scheduler", "worker", "watchdog")
DOOR = "web"
"""A role that has to be named: a door needs a key, and often stands on another machine."""


@click.command(
    cls=RotaCommand,
    exits={
        Exit.REFUSED: "the schema does not fit this code: rota db upgrade",
        Exit.INTERRUPTED: "a second Ctrl-C ended it at once",
        Exit.TERMINATED: "a second SIGTERM ended it at once",
    },
)
@click.option(
    "--only",
    metavar="ROLES",
    help="Only these, comma separated: scheduler, worker, watchdog; or with web, which answers over HTTP.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=0),
    help="Worker processes; 0 is one for each core. Default: worker.processes.",
)
@click.option("--concurrency", type=click.IntRange(min=1), help="Runs at once. Default: worker.concurrency.")
@click.option("--queues", metavar="NAME:N,…", help="Queues, each with how many runs it takes. Default: worker.queues.")
@click.option("--drain", metavar="DURATION", help="How long a stop waits for runs. Default: worker.drain.")
@click.option("--worker-process", nargs=2, type=int, hidden=True, help="Its place, and its descriptor of the channel.")
@click.option("--door-socket", type=int, hidden=True, help="The descriptor of the socket at which web answers.")
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
    door_socket: int | None,
) -> None:
    """Fire schedules and execute runs until stopped.

    A supervisor of worker processes, which are started again when they die. The first SIGTERM or Ctrl-C drains: runs
    are finished or given back, and it ends with 0. The second ends at once. SIGHUP replaces the worker processes one
    by one, with the code and the settings of now; SIGUSR1 writes the stacks of all their threads to standard error.

    `--only scheduler,worker,watchdog,web` answers over HTTP besides, as `rota serve` does, at web.host and web.port.
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
        _be_child(session, roles, *worker_process, door_socket=door_socket)
        return
    # Before a process is started: what is wrong with the settings is said by the process that was asked.
    settings = session.settings
    start_logging(settings, verbosity=session.out.verbosity)
    if DOOR in roles:
        # Weight by choice: only who serves loads the server.
        from rota.web.serving import listening

        with listening(settings) as door:
            session.out.say(f"rota: {door.url}")
            _supervise(session, door.socket.fileno())
    _supervise(session, None)


def _supervise(session: Session, door_socket: int | None) -> NoReturn:
    """Keep processes at work until a signal ends them; each finds out by its place what it does."""
    words: Sequence[str] = click.get_current_context().find_root().meta["rota.args"]
    more = [] if door_socket is None else ["--door-socket", str(door_socket)]

    def command(place: int, descriptor: int) -> list[str]:
        return [sys.executable, "-m", "rota", *words, "--worker-process", str(place), str(descriptor), *more]

    supervisor = Supervisor(
        command,
        say=session.out.say,
        monotonic=SystemClock().monotonic,
        keeps=() if door_socket is None else (door_socket,),
    )
    click.get_current_context().exit(supervisor.run())


def _be_child(session: Session, roles: Sequence[str], place: int, descriptor: int, *, door_socket: int | None) -> None:
    """Work, or answer at the socket: the first places work, those behind them answer."""
    if door_socket is None:
        _work(session, roles, place, descriptor, doors=0)
        return
    if place >= _processes(session.settings, roles):
        from rota.web.door_process import answer_for

        app = session.app
        start_logging(app.settings, verbosity=session.out.verbosity)
        answer_for(app, descriptor=descriptor, socket_descriptor=door_socket)
        return
    # Who connects while nobody answers is to be refused, not to wait at a socket that only workers have.
    os.close(door_socket)
    _work(session, roles, place, descriptor, doors=session.settings.web.workers)


def _work(session: Session, roles: Sequence[str], place: int, descriptor: int, *, doors: int) -> None:
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
            _refuse_a_door(doors)
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
            processes=_processes(app.settings, roles) + doors,
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


def _refuse_a_door(doors: int) -> None:
    """Refuse to work beside a door that could not see any of it."""
    if doors:
        raise ConfigurationError(
            "the store is memory://, and web answers in a process of its own, which would see nothing of it: call "
            "rota.start_background() in the application that serves, or use a store that both see, such as "
            "sqlite:///rota.db"
        )


def _processes(settings: "Settings", roles: Sequence[str]) -> int:
    """Return how many processes there are without those that answer over HTTP."""
    if "worker" in roles:
        return settings.worker.processes or _cores()
    return 1 if any(role in roles for role in ROLES) else 0


def _cores() -> int:
    """Return how many cores this process may use: in a container often fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_watching(roles: Sequence[str]) -> bool:
    """Return whether this process looks out: whoever schedules does, so that no deployment forgets it."""
    return "watchdog" in roles or "scheduler" in roles


def _roles(text: str | None) -> list[str]:
    roles = [role.strip() for role in (text or ",".join(ROLES)).split(",") if role.strip()]
    if not roles:
        raise click.UsageError(f"--only names no role; there are {', '.join((*ROLES, DOOR))}")
    for role in roles:
        if role not in (*ROLES, DOOR):
            raise click.UsageError(f"--only: {role!r} is no role; there are {', '.join((*ROLES, DOOR))}")
    return roles
