"""`rota tick`: one pass, for an outside cron."""

import click

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.core.duration import parse_duration
from rota.core.model import Round, RoundState
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.passing import TickReport


@click.command(
    cls=RotaCommand,
    exits={Exit.FAILED: "all that was fired failed", Exit.PARTIAL: "some of what was fired failed, or is not over"},
)
@click.option(
    "--max", "most", metavar="DURATION", default="5m", show_default=True, help="Give back what is not done by then."
)
@click.option("--no-work", is_flag=True, help="Only fire; leave the runs to workers.")
@pass_session
def tick(session: Session, *, most: str, no_work: bool) -> None:
    """Do one pass: fire what is due, work it off, exit.

    For cron, systemd timers and schedulers of a platform: it needs no process that stays. Two at once run nothing
    twice.
    """
    try:
        limit = parse_duration(most)
    except ValueError as error:
        raise click.UsageError(f"--max: {error}") from error
    app = session.app
    start_logging(app.settings, verbosity=session.out.verbosity)
    report = app.tick(limit=limit, works=not no_work)
    session.out.one("rota.tick/1", report, _lines(report))
    if not no_work:
        click.get_current_context().exit(_exit(report))


def _exit(report: TickReport) -> Exit:
    if report.is_good:
        return Exit.OK
    failed = [round_ for round_ in report.rounds if round_.state is RoundState.FAILED]
    return Exit.FAILED if len(failed) == len(report.rounds) else Exit.PARTIAL


def _lines(report: TickReport) -> list[str]:
    if not report.rounds:
        return ["nothing was due"]
    lines = [safe_text(f"{round_.job}  {round_.state}  {_counts(report, round_)}") for round_ in report.rounds]
    return [*lines, *([f"{report.open} runs are not over"] if report.open else [])]


def _counts(report: TickReport, round_: Round) -> str:
    counts = report.counts.get(round_.id, {})
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or round_.reason or ""
