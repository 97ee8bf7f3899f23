"""`rota enqueue`: one run, with arguments."""

import json
from typing import Unpack

import click

from rota.cli.arguments import from_json, keywords
from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.unique import Conflict
from rota.exits import Exit
from rota.options import JobTerms


@click.command(
    cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job or tenant", Exit.REFUSED: "another run has the key"}
)
@click.argument("job")
@click.argument("values", nargs=-1)
@click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="A named argument; JSON or text.")
@click.option("--args-json", metavar="JSON", help="All arguments: a list or an object; - reads standard input.")
@click.option("--tenant", help="Whose run it is.")
@click.option("--user", "user_id", help="Whose request it stands for.")
@click.option("--queue", help="Another queue than the job's own.")
@click.option("--priority", type=int, help="Higher first.")
@click.option("--in", "delay", metavar="DURATION", help="Not before this has passed: 10m.")
@click.option("--at", metavar="TIME", help="Not before this time: 02:00, +10m, 2026-11-20T02:00+01:00.")
@click.option("--expires", metavar="DURATION", help="Skip it if it has not begun when this has passed: 1h.")
@click.option("--key", help="A key that limits may name.")
@click.option(
    "--unique", metavar="KEY", help="At most one run of the job and this key at a time; args: of these arguments."
)
@click.option(
    "--unique-while", type=click.Choice(["waiting", "open"]), help="How long it keeps the key. Default: open."
)
@click.option("--unique-for", metavar="DURATION", help="How long it keeps the key, whatever becomes of it.")
@click.option(
    "--on-conflict",
    type=click.Choice([str(one) for one in Conflict]),
    help="While another run has the key: print that one, replace it, or fail. Default: existing.",
)
@pass_session
def enqueue(
    session: Session,
    job: str,
    *,
    values: tuple[str, ...],
    args: tuple[str, ...],
    args_json: str | None,
    tenant: str | None,
    user_id: str | None,
    queue: str | None,
    priority: int | None,
    delay: str | None,
    at: str | None,
    **terms: Unpack[JobTerms],
) -> None:
    """Queue one run of a job with arguments. VALUES are arguments in order, JSON or text. Prints the run's id, or that
    of the run that has its key."""
    app = session.app
    function = app.find(job)
    if delay and at:
        raise click.UsageError("--in and --at: one of the two")
    positional, named = from_json(args_json)
    handle = function.using(
        tenant=tenant,
        user_id=user_id,
        queue=queue,
        priority=priority,
        delay=delay,
        at=session.instant(at, flag="--at", now=app.clock.now()) if at else None,
        **terms,
    ).enqueue(*positional, *map(_value, values), **(named | keywords(args)))
    session.out.one("rota.enqueue/1", {"run": handle.id, "existed": handle.existed}, [handle.id])
    if handle.existed:
        session.out.say("nothing was queued: this run has the key")


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
