"""`rota enqueue`: one run, with arguments."""

import json

import click

from rota.cli.arguments import from_json, keywords
from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.unique import Conflict, Scope
from rota.exits import Exit
from rota.operations.enqueueing import RunWanted, enqueue_run


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
    expires: str | None,
    key: str | None,
    unique: str | None,
    unique_while: str | None,
    unique_for: str | None,
    on_conflict: str | None,
) -> None:
    """Queue one run of a job with arguments. VALUES are arguments in order, JSON or text. Prints the run's id, or that
    of the run that has its key."""
    if delay and at:
        raise click.UsageError("--in and --at: one of the two")
    positional, named = from_json(args_json)
    asked = RunWanted(
        job=job,
        tenant=tenant,
        user=user_id,
        queue=queue,
        priority=priority,
        delay=delay,
        at=session.instant(at, flag="--at", now=session.clock.now()) if at else None,
        expires=expires,
        key=key,
        unique=unique,
        unique_while=Scope(unique_while) if unique_while else None,
        unique_for=unique_for,
        on_conflict=Conflict(on_conflict) if on_conflict else None,
        args=(*positional, *map(_value, values)),
        kwargs=named | keywords(args),
    )
    made = session.ask(enqueue_run, asked)
    session.out.one("rota.enqueue/1", {"run": made.run, "existed": made.existed}, [made.run])
    if made.existed:
        session.out.say("nothing was queued: this run has the key")


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
