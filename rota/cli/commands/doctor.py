"""`rota doctor`: what is checked when something is wrong."""

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.doctor import run_doctor
from rota.operations.operation import Nothing
from rota.views.doctor import Check
from rota.views.status import Level

MARKS = {Level.OK: "✓", Level.WARN: "!", Level.FAILED: "✗"}


@click.command(cls=RotaCommand, exits={Exit.FAILED: "a check failed"})
@click.option(
    "--fail-on", type=click.Choice(["failed", "warn"]), default="failed", show_default=True, help="What ends with 1."
)
@pass_session
def doctor(session: Session, fail_on: str) -> None:
    """Check app, settings, store, clock and workers."""
    checks = session.ask(run_doctor, Nothing()).data
    failed = sum(1 for check in checks if check.level is Level.FAILED)
    warned = sum(1 for check in checks if check.level is Level.WARN)
    session.out.one("rota.doctor/1", checks, _lines(checks))
    session.out.say(f"{failed} critical, {warned} warnings")
    if failed or (fail_on == "warn" and warned):
        click.get_current_context().exit(Exit.FAILED)


def _lines(checks: list[Check]) -> list[str]:
    lines: list[str] = []
    subject = ""
    for check in checks:
        head = "" if check.subject == subject else check.subject
        subject = check.subject
        fix = f" → {check.fix}" if check.fix else ""
        lines.append(f"{head:<11}{MARKS[check.level]} {safe_text(check.fact)}{fix}")
    return lines
