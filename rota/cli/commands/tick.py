"""`rota tick`: one pass, for an outside cron."""

from datetime import timedelta

import click

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.core.duration import parse_duration
from rota.core.pass_report import PassReport
from rota.core.safe import safe_text
from rota.exits import Exit

LONGEST = timedelta(minutes=5)
ON_THE_WAY_S = 30.0
COUNTED = ("fired", "succeeded", "failed", "retrying", "skipped", "cancelled", "open")


@click.command(
    cls=RotaCommand,
    exits={Exit.FAILED: "all that ran failed", Exit.PARTIAL: "some of what ran failed, or is not over"},
)
@click.option(
    "--max",
    "most",
    metavar="DURATION",
    help="Give back what is not done by then. Default: 5m. With --url the answer comes by then and the runs go on; "
    "default: what the server is set to, 55s.",
)
@click.option("--no-work", is_flag=True, help="Only fire; leave the runs to workers.")
@pass_session
def tick(session: Session, *, most: str | None, no_work: bool) -> None:
    """Do one pass: fire what is due, work it off, exit.

    For cron, systemd timers and schedulers of a platform: it needs no process that stays. Two at once run nothing
    twice. With --url a server does the pass, and goes on with what has begun. With -q nothing is printed where all is
    well: cron mails what is.
    """
    try:
        limit = None if most is None else parse_duration(most)
    except ValueError as error:
        raise click.UsageError(f"--max: {error}") from error
    works = not no_work
    if session.is_far:
        report, left = _far(session, limit, works=works), "what has begun goes on"
    else:
        report, left = _here(session, limit or LONGEST, works=works), "what is not done is given back"
    code = _exit(report) if works else Exit.OK
    session.out.pass_("rota.pass/1", report, _told(report, left=left), is_well=code is Exit.OK)
    click.get_current_context().exit(code)


def _far(session: Session, limit: timedelta | None, *, works: bool) -> PassReport:
    """Have a server do the pass."""
    from rota.operations.triggers import LONGEST_PASS_S, PassAsked, run_pass

    seconds = None if limit is None else limit.total_seconds()
    # It answers by then; what it takes to say so comes on top.
    session.patience_s = (LONGEST_PASS_S if seconds is None else seconds) + ON_THE_WAY_S
    return session.ask(run_pass, PassAsked(limit_s=seconds, work=works))


def _here(session: Session, limit: timedelta, *, works: bool) -> PassReport:
    app = session.app
    start_logging(app.settings, verbosity=session.out.verbosity)
    return app.tick(limit=limit, works=works).told


def _exit(report: PassReport) -> Exit:
    if not (report.failed or report.retrying or report.open):
        return Exit.OK
    return Exit.PARTIAL if report.succeeded or report.open or report.retrying else Exit.FAILED


def _told(report: PassReport, *, left: str) -> list[str]:
    lines = [
        safe_text(
            f"{one.job}  "
            + ", ".join(f"{number} {what}" for what in COUNTED if (number := getattr(one, what)))
            + (f"  ({', '.join(one.failed_tenants)})" if one.failed_tenants else "")
        )
        for one in report.jobs
    ]
    return [*(lines or ["nothing was due"]), *([] if report.is_over else [f"time was up: {left}"])]
