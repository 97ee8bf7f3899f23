"""`rota show`: one run with its attempts, or one round with its tenants."""

import click

from rota.cli.command import RotaCommand
from rota.cli.flow import flow_lines, run_line
from rota.cli.round import facts, round_lines, say_retry
from rota.cli.session import Session, pass_session
from rota.core.duration import rough_duration
from rota.core.model import ErrorReport, State
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.finding import IdAsked, find_by_id
from rota.redaction import redacted
from rota.views.errors import SHORT
from rota.views.runs import AttemptRow, RunDetail


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such run or round"})
@click.argument("run_or_round")
@pass_session
def show(session: Session, run_or_round: str) -> None:
    """Show a run with its attempts, a round with its tenants, or a chain or batch with its runs.

    The beginning of an id will do: six digits or more, if only one has it; of a chain or batch all of them.
    """
    found = session.ask(find_by_id, IdAsked(id=run_or_round))
    if found.flow is not None:
        session.out.one("rota.flow/1", found.flow, flow_lines(found.flow))
    if found.round is not None:
        session.out.one("rota.round/1", found.round, round_lines(session, found.round))
        say_retry(session, found.round)
    if found.run is not None:
        session.out.one("rota.run/1", found.run, _run_lines(session, found.run))


def _run_lines(session: Session, detail: RunDetail) -> list[str]:
    run = detail.run
    lines = facts(
        {
            "run": run.id,
            "job": run.job,
            "tenant": run.tenant,
            "state": run.state + (f": {run.reason}" if run.reason else ""),
            "progress": _progress(detail),
            "slot": session.shown(run.slot),
            "made": f"{session.shown(run.created_at)} by {detail.actor or run.trigger}",
            "due": session.shown(run.due_at),
            "expires": session.shown(detail.expires_at),
            "queue": f"{detail.queue}, priority {detail.priority}",
            "key": detail.key,
            "round": run.round_id,
            "flow": detail.flow and f"{detail.flow}, {detail.part}",
            "parent": run.parent,
            "arguments": detail.args,
            "result": detail.result,
        }
    )
    for number, attempt in enumerate(detail.attempts, start=1):
        lines.extend(_attempt_lines(session, attempt, number=number))
    lines += [run_line("enqueued", child) for child in detail.children]
    return [*lines, f"and more: rota runs --where parent:{run.id}"] if detail.has_more_children else lines


def _progress(detail: RunDetail) -> str:
    # The last word of a run that succeeded may have come too late to be written.
    if detail.done is None or detail.run.state is State.SUCCEEDED:
        return ""
    if not detail.total:
        return f"{detail.done:,}"
    return f"{detail.done:,}/{detail.total:,} ({detail.done / detail.total:.0%})"


def _attempt_lines(session: Session, attempt: AttemptRow, *, number: int) -> list[str]:
    if attempt.started_at is None and attempt.outcome is None:
        return []
    took = "" if attempt.duration_s is None else f", {rough_duration(attempt.duration_s)}"
    worker = f", by {attempt.owner}" if attempt.owner else ""
    # One that waited for somebody to take it over, and was given back, has no beginning.
    began = "" if attempt.started_at is None else f", {session.shown(attempt.started_at)}"
    line = safe_text(f"attempt {number}  {attempt.outcome or 'running'}{began}{took}{worker}")
    if attempt.error is None:
        return [line]
    shown = attempt.error.traceback or attempt.error.first_line
    text = safe_text(redacted(shown), lines=True).rstrip()
    return [line, *_error_line(attempt.error), *(f"    {part}" for part in text.splitlines())]


def _error_line(error: ErrorReport) -> list[str]:
    """Return what leads from a run to all others that met the same error."""
    if not error.fingerprint:
        return []
    place = f" at {error.place}" if error.place else ""
    return [f"    error {error.fingerprint[:SHORT]}{safe_text(place)}"]
