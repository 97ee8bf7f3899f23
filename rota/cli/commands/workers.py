"""`rota workers`: who works, since when, on what."""

import click
from msgspec.structs import replace

from rota.cli.command import RotaCommand
from rota.cli.output import Column, by_state
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.engine.host import host_name
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.workers import list_workers
from rota.views.workers import Held, WorkerRow

NAMED = 3


@click.command(cls=RotaCommand, exits={Exit.FAILED: "with --here: none is alive on this machine"})
@click.option("--here", is_flag=True, help="Only those of this machine; end with 1 if none is alive.")
@pass_session
def workers(session: Session, *, here: bool) -> None:
    """List the worker processes, what they run, and when each of their loops last came round.

    One that is `silent` was not heard of for as long as leases last. One that is `dead` ran on this host, and its
    process is gone; whoever works next gives its runs back. `--here` is for the health check of a container.
    """
    found = session.ask(list_workers, Nothing())
    if here:
        found = replace(found, data=[row for row in found.data if row.host == host_name()])
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("WORKER", lambda row: row.id),
        Column("HOST", lambda row: row.host),
        Column("PID", lambda row: row.pid, right=True),
        Column("VERSION", lambda row: row.version),
        Column("SINCE", lambda row: session.shown(row.started_at)),
        Column("SEEN", lambda row: f"{rough_duration(row.seen_s)} ago", right=True),
        Column("BUSY", lambda row: f"{row.busy}/{row.places}", right=True),
        Column("QUEUES", _queues),
        Column("RUNS", _runs),
        Column("LOOPS", _loops),
    ]
    alive = sum(1 for row in found.data if row.state == "alive")
    session.out.page("rota.workers/1", found, columns, foot=f"{counted(len(found.data), 'worker')}, {alive} alive")
    if here and not alive:
        click.get_current_context().exit(Exit.FAILED)


def _queues(row: WorkerRow) -> str:
    return ", ".join(f"{name}:{most}" if most else name for name, most in row.queues.items())


def _runs(row: WorkerRow) -> str:
    more = f" and {row.busy - NAMED} more" if row.busy > NAMED else ""
    return ", ".join(_run(held) for held in row.runs[:NAMED]) + more


def _run(held: Held) -> str:
    name = f"{held.job}/{held.tenant}" if held.tenant else held.job
    progress = f" {held.done}/{held.total if held.total is not None else '?'}" if held.done is not None else ""
    return f"{name} {rough_duration(held.elapsed_s)}{progress}"


def _loops(row: WorkerRow) -> str:
    return ", ".join(f"{loop.name} {rough_duration(loop.age_s)}{' late' if loop.is_late else ''}" for loop in row.loops)
