"""What `rota pause` and `rota resume` are about: one job, schedule, tenant or queue."""

from shlex import quote

import click
from msgspec import Struct

from rota.core.controls import Paused


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


def named(job: str | None, *, schedule: str | None, tenant: str | None, queue: str | None) -> Named:
    """Return the one thing that was named."""
    given = [
        Named(kind=kind, name=name)
        for kind, name in ((Paused.JOB, job), (None, schedule), (Paused.TENANT, tenant), (Paused.QUEUE, queue))
        if name
    ]
    if len(given) != 1:
        raise click.UsageError("name one thing: a job, or --schedule, --tenant or --queue")
    return given[0]
