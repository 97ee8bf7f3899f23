"""What is asked about tenants."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Annotated

from msgspec import Meta, Struct

from rota.core.access import Capability
from rota.operations.operation import Desk, Nothing, Page, Question, operation
from rota.views.chosen import chosen
from rota.views.tenants import TenantRow, TenantTried, tenant_row, tenant_rows, try_tenants

LONGEST = timedelta(seconds=5)
"""After so long no further database is tried for one question: whoever asked waits."""


@operation("GET", "/api/v1/tenants", needs=Capability.READ)
def list_tenants(desk: Desk, _asked: Nothing) -> Page[TenantRow]:
    """List the tenants, asked of their source now, with those that are paused or parked and why."""
    return Page(data=tenant_rows(desk.app))


class TenantAsked(Question, frozen=True, kw_only=True):
    """Which tenant."""

    name: str


@operation("GET", "/api/v1/tenants/{name}", needs=Capability.READ)
def show_tenant(desk: Desk, asked: TenantAsked) -> TenantRow:
    """Show one tenant: its database, what is set for it, and what stands in its way."""
    return tenant_row(desk.app, asked.name)


class TrialAsked(Question, frozen=True, kw_only=True):
    """Whose databases are tried."""

    tenant: tuple[str, ...] = ()
    """Ids, or `@tag` for all that have it; without any everybody's."""
    start: Annotated[int, Meta(ge=0)] = 0
    """How many of them were tried already: what `done` of the answer before said."""
    limit: Annotated[int, Meta(ge=1, le=100)] = 10


class Trial(Struct, frozen=True, kw_only=True):
    """Whose databases answered, of some tenants."""

    tried: list[TenantTried]
    """In the order of their source."""
    done: int
    """How many were tried, with those before."""
    total: int
    """How many there are: while it is more, ask again."""


@operation("POST", "/api/v1/tenants/try", needs=Capability.MANAGE)
def try_databases(desk: Desk, asked: TrialAsked) -> Trial:
    """Open the databases of some tenants, one after the other, for at most some seconds. Nothing is written."""
    app = desk.app
    trial = try_tenants(app, chosen(app, asked.tenant), start=asked.start)
    tried = list(_in_time(islice(trial.each, asked.limit), desk))
    return Trial(tried=tried, done=asked.start + len(tried), total=trial.total)


def _in_time(each: Iterator[TenantTried], desk: Desk) -> Iterator[TenantTried]:
    began = desk.app.clock.monotonic()
    for tried in each:
        yield tried
        if desk.app.clock.monotonic() - began > LONGEST.total_seconds():
            return
