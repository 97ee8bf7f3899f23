"""Wait for rounds with a bar, then say who failed and end with the code that tells (R23)."""

from collections.abc import Sequence

import click

from rota.cli.output import Form
from rota.cli.progress import progress
from rota.cli.session import Session
from rota.clock import sleep
from rota.core.cause import Cause
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.following import FollowAsked, follow_rounds
from rota.redaction import redacted
from rota.views.follow import Summary

NAMED = 8
MINUTE_S = 60
LONG_S = 15
"""After which it is said where to ask why nothing ends: a tenant may be parked, or a limit in the way."""
FEW = 3
"""Rounds that a person would copy by their ids."""


def follow(session: Session, round_ids: Sequence[str], *, job: str, schema: str) -> None:
    """Show the bar until the rounds are over, write their summary, and exit with 0, 6 or 1."""
    asked, started = FollowAsked(round=tuple(round_ids)), session.clock.monotonic()
    now = session.ask(follow_rounds, asked)
    if not now.workers:
        session.out.say("no worker is alive, so nothing happens until one is: rota start")
    moved, is_told = started, False
    with progress(session, job, monotonic=session.clock.monotonic) as report:
        while True:
            report(now.standing.done, now.standing.total, now.standing.failed)
            if now.summary is not None:
                break
            sleep(session.poll)
            done, now = now.standing.done, session.ask(follow_rounds, asked)
            if now.standing.done != done:
                moved = session.clock.monotonic()
            elif not is_told and session.clock.monotonic() - moved > LONG_S:
                session.out.say(f"nothing has ended for {LONG_S}s; what is waited for:  rota explain {round_ids[0]}")
                is_told = True
    ended = now.summary
    session.out.one(schema, ended, _lines(job, ended, seconds=session.clock.monotonic() - started))
    if session.out.form is Form.TABLE and ended.failures:
        few = len(ended.rounds) <= FEW
        again = (
            f"rota retry {' '.join(ended.rounds)}" if few else f"rota backfill {job} --mode failed --since … --until …"
        )
        session.out.say(f"retry them:  {again}")
    click.get_current_context().exit(exit_of_summary(ended))


def exit_of_summary(ended: Summary) -> Exit:
    """Return 0 when every tenant succeeded, 6 when some did, 1 when none did."""
    if ended.is_clean:
        return Exit.OK
    return Exit.PARTIAL if ended.is_partial else Exit.FAILED


def _lines(job: str, ended: Summary, *, seconds: float) -> list[str]:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(ended.counts.items(), reverse=True))
    took = f"{seconds:.1f}s" if seconds < MINUTE_S else rough_duration(seconds)
    return [f"{job} finished in {took}: {counts or ended.reason or 'nothing to run'}", *cause_lines(ended.causes)]


def cause_lines(causes: Sequence[Cause]) -> list[str]:
    """Return a line per cause: the tenants that it met, and what went wrong."""
    lines = []
    for cause in causes:
        more = f" and {len(cause.tenants) - NAMED} more" if len(cause.tenants) > NAMED else ""
        named = ", ".join(cause.tenants[:NAMED]) + more
        lines.append(safe_text(redacted(f"  {named}: {cause.error}" if named else f"  {cause.error}")))
    return lines
