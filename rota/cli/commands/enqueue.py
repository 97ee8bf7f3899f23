"""`rota enqueue`: one run, with arguments."""

import json
from datetime import timedelta

import click

from rota.cli.arguments import from_json, keywords
from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.session import Session, pass_session
from rota.core.duration import parse_duration


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job or tenant"})
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
) -> None:
    """Queue one run of a job with arguments. VALUES are arguments in order, JSON or text. Prints the run's id."""
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
        delay=_delay(delay) if delay else None,
        at=session.instant(at, flag="--at", now=app.clock.now()) if at else None,
    ).enqueue(*positional, *map(_value, values), **(named | keywords(args)))
    session.out.one("rota.enqueue/1", {"run": handle.id}, [handle.id])


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _delay(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.UsageError(f"--in: {error}") from error
