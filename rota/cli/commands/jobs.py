"""`rota jobs`: what there is, when it is due, how it went."""

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column, by_state
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import duration_text, rough_duration
from rota.core.retry import retry_text
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.jobs import JobAsked, list_jobs, show_job
from rota.operations.operation import Nothing
from rota.views.jobs import JobDetail, JobRow

MARKS = {
    "succeeded": "●",
    "failed": "■",
    "partial": "◐",
    "running": "○",
    "queued": "○",
    "scheduled": "○",
    "skipped": "·",
    "cancelled": "×",
}


@click.group(cls=RotaGroup, default="list")
def jobs() -> None:
    """List jobs, or show one."""


@jobs.command(name="list", cls=RotaCommand)
@pass_session
def list_(session: Session) -> None:
    """List jobs with their schedule in words, their last runs and the next slot."""
    found = session.ask(list_jobs, Nothing())
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("JOB", lambda row: row.name),
        Column("SCHEDULE", lambda row: row.schedule),
        Column("LAST", _marks),
        Column("LAST RUN", lambda row: session.shown(row.last_at)),
        Column("TOOK", _took, right=True),
        Column("NEXT", lambda row: session.shown(row.next_at)),
        Column("TENANTS", _tenants),
        Column("DESCRIPTION", lambda row: row.description),
    ]
    session.out.page("rota.jobs.list/1", found, columns, foot=counted(len(found.data), "job"))


@jobs.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such job"})
@click.argument("job")
@pass_session
def show(session: Session, job: str) -> None:
    """Show one job with its policy and the tenants that fail."""
    detail = session.ask(show_job, JobAsked(name=job))
    session.out.one("rota.jobs.show/1", detail, _lines(session, detail))


def _marks(row: JobRow) -> str:
    return "".join(MARKS.get(state, "?") for state in row.recent)


def _took(row: JobRow) -> str:
    return "" if row.last_duration_s is None else rough_duration(row.last_duration_s)


def _tenants(row: JobRow) -> str:
    if not row.per_tenant:
        return ""
    return f"{row.tenants_ok} ok" + (f" {row.tenants_failed} failed" if row.tenants_failed else "")


def _lines(session: Session, detail: JobDetail) -> list[str]:
    row, policy = detail.row, detail.policy
    limit = duration_text(policy.timeout) if policy.timeout else "none"
    facts = {
        "job": row.name,
        "does": row.description or "(no description)",
        "state": f"{row.state}" + (f": {row.reason}" if row.reason else ""),
        "schedule": row.schedule or "none",
        "next": session.shown(row.next_at) or "none",
        "last": session.shown(row.last_at) or "never",
        "queue": f"{policy.queue}, executor {policy.executor}, priority {policy.priority}",
        "retries": retry_text(policy.retry),
        "policy": f"time limit {limit}, catch-up {policy.catch_up.mode}, overlap {policy.overlap}",
        "tenants": f"{row.tenants_ok} ok, {row.tenants_failed} failed" if row.per_tenant else "not per tenant",
        "defined": policy.place,
    }
    lines = [f"{name:<10}{safe_text(text)}" for name, text in facts.items()]
    failing = [f"  {entry.tenant or entry.schedule}: {entry.failures} times in a row" for entry in detail.failing]
    return [*lines, *(["failing now:"] if failing else []), *map(safe_text, failing)]
