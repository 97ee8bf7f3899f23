"""Failed runs counted by cause, job or tenant, over windows that end now."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from rota.app import Rota
from rota.core.cause import print_of, said
from rota.core.duration import duration_text
from rota.core.model import Run, State
from rota.core.search import Search
from rota.queries import RunQuery
from rota.views.search import MOST, hits_of

WINDOWS = {
    timedelta(hours=1): "1h",
    timedelta(hours=3): "3h",
    timedelta(hours=24): "24h",
    timedelta(days=3): "3d",
    timedelta(days=7): "7d",
}


class By(StrEnum):
    """What failed runs are put together by."""

    ERROR = "error"
    JOB = "job"
    TENANT = "tenant"


class FailureRow(Struct, frozen=True, kw_only=True):
    """Failed runs that have something in common."""

    name: str
    """A job, a tenant, or the beginning of an error's fingerprint."""
    what: str
    """The first line of the newest error."""
    counts: dict[str, int]
    """By window: `{"1h": 0, "24h": 12}`."""
    jobs: list[str]
    tenants: int
    first_at: datetime
    last_at: datetime
    last_run_id: str


class Failures(Struct, frozen=True, kw_only=True):
    """The pivot over failed runs."""

    windows: list[str]
    rows: list[FailureRow]
    """Most in the longest window first."""
    is_cut: bool
    """Whether there were more runs than are looked at."""


def windows(since: timedelta) -> dict[str, timedelta]:
    """Return the windows up to this one, and this one itself last, by their names."""
    shorter = {name: window for window, name in WINDOWS.items() if window < since}
    return shorter | {WINDOWS.get(since) or duration_text(since): since}


def failures_of(app: Rota, search: Search, *, by: By, since: timedelta) -> Failures:
    """Return the runs that failed since so long ago, counted."""
    now = app.clock.now()
    base = RunQuery(states=(State.FAILED,), ended_since=now - since, limit=MOST)
    found = hits_of(app, search, base=base)
    groups: dict[str, list[Run]] = {}
    for run in found.runs:
        groups.setdefault(_name(run, by), []).append(run)
    spans = windows(since)
    rows = [_row(name, runs, spans, now=now) for name, runs in groups.items()]
    longest = list(spans)[-1]
    return Failures(
        windows=list(spans),
        rows=sorted(rows, key=lambda row: (-row.counts[longest], row.name)),
        is_cut=found.next_page is not None,
    )


def _name(run: Run, by: By) -> str:
    match by:
        case By.ERROR:
            return print_of(run)
        case By.JOB:
            return run.job
        case By.TENANT:
            return run.tenant or ""


def _row(name: str, runs: Sequence[Run], spans: Mapping[str, timedelta], *, now: datetime) -> FailureRow:
    ends = [run.ended_at for run in runs if run.ended_at is not None]
    newest = max(runs, key=lambda run: (run.ended_at or now, run.id))
    return FailureRow(
        name=name,
        what=said(newest),
        counts={named: sum(end >= now - span for end in ends) for named, span in spans.items()},
        jobs=sorted({run.job for run in runs}),
        tenants=len({run.tenant for run in runs if run.tenant is not None}),
        first_at=min(ends),
        last_at=max(ends),
        last_run_id=newest.id,
    )
