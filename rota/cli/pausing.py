"""What `rota pause` and `rota resume` are about: one job, schedule, tenant or queue."""

from collections.abc import Sequence
from datetime import datetime
from shlex import quote

import click
from msgspec import UNSET, Struct, UnsetType

from rota.cli.session import Session
from rota.core.controls import Paused
from rota.core.counting import counted

MOST = 5
"""Schedules for which a line is written."""

NEVER = "never"
"""In place of a time, for a pause without an end; also where it had one."""


class Named(Struct, frozen=True, kw_only=True):
    """One thing that can be paused."""

    kind: Paused | None
    """None for a schedule: its pause stands on its own row."""
    name: str

    @property
    def said(self) -> str:
        return f"{self.kind or 'schedule'} {self.name}"

    @property
    def words(self) -> str:
        """Return it as the command line names it."""
        return quote(self.name) if self.kind is Paused.JOB else f"--{self.kind or 'schedule'} {quote(self.name)}"


def missed_lines(session: Session, missed: Sequence[str], *, since: datetime, tenant: str | None = None) -> list[str]:
    """Return what to type to make up the slots of schedules that were not fired since a pause began."""
    whose = f" --tenant {quote(tenant)}" if tenant is not None else ""
    begin = since.astimezone(session.zone).isoformat(timespec="seconds")
    lines = [
        f"to make up what was not fired: rota backfill {quote(name)}{whose} --since {begin} --until now"
        for name in missed[:MOST]
    ]
    more = len(missed) - MOST
    return [*lines, f"and the same for {counted(more, 'schedule')} more: rota schedules"] if more > 0 else lines


def named(job: str | None, *, schedule: str | None, tenant: str | None, queue: str | None) -> Named:
    """Return the one thing that was named."""
    given = [
        Named(kind=kind, name=name)
        for kind, name in ((Paused.JOB, job), (None, schedule), (Paused.TENANT, tenant), (Paused.QUEUE, queue))
        if name is not None
    ]
    if len(given) != 1 or not given[0].name:
        # A name that came out empty is none either.
        raise click.UsageError("name one thing: a job, or --schedule, --tenant or --queue")
    return given[0]


def end_of(session: Session, until: str | None) -> datetime | UnsetType | None:
    """Return the end that was asked for: a time, none at all, or that of the pause there is."""
    if until is None:
        return UNSET
    return None if until == NEVER else session.instant(until, flag="--until", now=session.clock.now())
