"""`rota retry`: ended runs again."""

from collections.abc import Sequence

import click

from rota.cli.arguments import names
from rota.cli.command import RotaCommand
from rota.cli.follow import follow
from rota.cli.searching import in_batches, said, where_option
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.model import FINAL, State
from rota.errors import Refused
from rota.exits import Exit
from rota.operations.run_changes import RETRIED, RetryAsked, retry_runs

UNASKED = 100
"""So many runs are opened again without asking."""


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "with --follow: all failed again",
        Exit.NOT_FOUND: "no such run, round or tenant",
        Exit.REFUSED: "nothing there has ended and can run again",
        Exit.PARTIAL: "with --follow: some failed again",
    },
)
@click.argument("runs_or_rounds", nargs=-1)
@where_option(
    "What this means, as of now: 'job:sync error:timeout since:1d'. Without a state: what failed or was cancelled."
)
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only these tenants of a round.")
@click.option("--exclude", "exclude", multiple=True, metavar="A,B|@TAG", help="Not these tenants of a round.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(sorted(str(state) for state in FINAL)),
    help="Only those that ended so. Default: of a round, failed and cancelled.",
)
@click.option("--canary", metavar="ID", help="This tenant first; the others only if it succeeds.")
@click.option("--reason", default=RETRIED, show_default=True, help="Kept with the runs.")
@click.option("--dry-run", is_flag=True, help="Only say what would run again.")
@click.option("--follow", "is_followed", is_flag=True, help="Wait for it, with a bar.")
@pass_session
def retry(
    session: Session,
    *,
    runs_or_rounds: tuple[str, ...],
    where: tuple[str, ...],
    tenants: tuple[str, ...],
    exclude: tuple[str, ...],
    states: tuple[str, ...],
    canary: str | None,
    reason: str,
    dry_run: bool,
    is_followed: bool,
) -> None:
    """Run ended runs again, the failed tenants of a round, or what failed of a chain or batch.

    What is meant is decided now: a run that fails later is not among them.
    """
    if bool(runs_or_rounds) is bool(where):
        raise click.UsageError("name runs or rounds, or say --where, and not both")
    if where:
        if tenants or exclude or states or canary or is_followed:
            raise click.UsageError(
                "--where says all of it: tenant:acme -tenant:globex state:failed; --canary and --follow are for rounds"
            )
        _retry_matching(session, where, reason=reason, dry_run=dry_run)
        return
    asked = RetryAsked(
        runs=runs_or_rounds,
        tenants=names(tenants),
        exclude=names(exclude),
        states=tuple(State(state) for state in states),
        dry_run=True,
        rows=True,
    )
    found = session.ask(retry_runs, asked).runs
    if not found:
        raise Refused(f"nothing to retry: none of these has {' or '.join(states) or 'failed or was cancelled'}")
    if dry_run:
        session.out.one(
            "rota.retry/1", found, [f"{counted(len(found), 'run')} would run again. Nothing was started (--dry-run)."]
        )
        return
    if len(found) > UNASKED:
        session.confirm(f"Run {counted(len(found), 'run')} again?")
    again = session.ask(retry_runs, RetryAsked(runs=tuple(run.id for run in found), canary=canary, reason=reason)).done
    rounds = list(dict.fromkeys(run.round_id for run in found if run.round_id))
    if is_followed and rounds:
        follow(session, rounds, job=found[0].job, schema="rota.retry.follow/1")
    session.out.one("rota.retry/1", again, [f"{counted(len(again), 'run')} queued again; to take back: rota cancel"])


def _retry_matching(session: Session, where: Sequence[str], *, reason: str, dry_run: bool) -> None:
    asked = RetryAsked(where=" ".join(where), zone=session.zone.key, dry_run=True, rows=dry_run)
    meant = session.ask(retry_runs, asked)
    session.out.warn_all(meant.warnings)
    told = said(session, meant, where)
    if not meant.meant:
        raise Refused(f"nothing to retry: {told} that failed, were cancelled, or ended as the search says")
    if dry_run:
        session.out.one("rota.retry/1", meant.runs, [f"{told}. Nothing was started (--dry-run)."])
        return
    session.confirm(f"Run {told} again?")
    again = in_batches(
        session,
        meant.meant,
        title="retry",
        act=lambda ids: session.ask(retry_runs, RetryAsked(runs=ids, reason=reason)),
    )
    skipped = len(meant.meant) - len(again)
    line = f"{counted(len(again), 'run')} queued again" + (
        f", {skipped:,} skipped: they run again already" if skipped else ""
    )
    session.out.one("rota.retry/1", again, [f"{line}; to take back: rota cancel"])
