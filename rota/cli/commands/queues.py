"""`rota queues`: what waits where, and who works it."""

from collections.abc import Mapping

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column, by_state
from rota.cli.round import facts
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.queues import QueueAsked, list_queues, show_queue
from rota.views.queues import QueueDetail, QueueRow


@click.group(cls=RotaGroup, default="list")
def queues() -> None:
    """List queues with what waits and runs in them, or show who fills one."""


@queues.command(name="list", cls=RotaCommand)
@pass_session
def list_(session: Session) -> None:
    """List the queues that have runs, workers, jobs or a pause.

    `unserved`: runs wait there, and no worker that lives takes them.
    """
    found = session.ask(list_queues, Nothing())
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("QUEUE", lambda row: row.name),
        Column("QUEUED", lambda row: f"{row.queued:,}", right=True),
        Column("SCHEDULED", lambda row: f"{row.scheduled:,}", right=True),
        Column("RUNNING", lambda row: f"{row.running:,}", right=True),
        Column("OLDEST", lambda row: _age(row), right=True),
        Column("WORKERS", lambda row: row.workers, right=True),
        Column("JOBS", lambda row: ", ".join(row.jobs)),
        Column("WHY", lambda row: row.reason),
    ]
    session.out.page("rota.queues.list/1", found, columns, foot=counted(len(found.data), "queue"))


@queues.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such queue"})
@click.argument("queue")
@pass_session
def show(session: Session, queue: str) -> None:
    """Show one queue: who fills it, and who works it."""
    detail = session.ask(show_queue, QueueAsked(name=queue))
    session.out.one("rota.queues.show/1", detail, _lines(detail))


def _age(row: QueueRow) -> str:
    return "" if row.waited_s is None else rough_duration(row.waited_s)


def _lines(detail: QueueDetail) -> list[str]:
    row = detail.queue
    return facts(
        {
            "queue": row.name,
            "state": row.state + (f": {row.reason}" if row.reason else ""),
            "runs": f"{row.running:,} running, {row.queued:,} queued, {row.scheduled:,} scheduled",
            "oldest": f"queued, due {_age(row)} ago" if row.waited_s is not None else None,
            "workers": ", ".join(detail.workers) or "none that lives takes from it",
            "jobs": ", ".join(row.jobs),
            "open of": _named(detail.by_job),
            "open for": _named({tenant or "no tenant": number for tenant, number in detail.by_tenant.items()}),
            "note": "counted among the newest runs only" if detail.is_cut else None,
        }
    )


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())
