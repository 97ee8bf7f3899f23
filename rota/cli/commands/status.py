"""`rota status`: the verdict."""

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.status import show_status
from rota.views.status import Level

MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAILED: "✗"}


@click.command(cls=RotaCommand, exits={Exit.FAILED: "something needs a person"})
@click.option(
    "--fail-on", type=click.Choice(["failed", "warn"]), default="failed", show_default=True, help="What ends with 1."
)
@pass_session
def status(session: Session, fail_on: str) -> None:
    """Say in a few lines whether all is well."""
    verdict = session.ask(show_status, Nothing())
    lines = [
        f"{MARKS[line.level]} {line.subject:<10} {safe_text(line.text)}" + (f"  → {line.more}" if line.more else "")
        for line in verdict.lines
    ]
    session.out.one("rota.status/1", verdict, lines)
    if verdict.level is Level.FAILED or (fail_on == "warn" and verdict.level is Level.WARN):
        click.get_current_context().exit(Exit.FAILED)
