"""A round as text: its sum, its times, and who failed, waits or runs (R23)."""

from collections.abc import Iterable, Mapping, Sequence

from rota.cli.follow import cause_lines
from rota.cli.output import Form
from rota.cli.session import Session
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.redaction import redacted
from rota.views.rounds import RoundDetail, RoundRow, TenantAside, TenantRunning

NAMED = 8
MOST_RUNNING = 10


def facts(named: Mapping[str, object]) -> list[str]:
    """Return a line per fact that there is."""
    return [f"{name:<10}{safe_text(redacted(str(value)))}" for name, value in named.items() if value not in (None, "")]


def counts_text(row: RoundRow) -> str:
    """Return how many runs of a round stand where: what is good first."""
    order = ("succeeded", "failed", "cancelled", "skipped", "running", "queued", "scheduled")
    return ", ".join(f"{row.counts[state]} {state}" for state in order if row.counts.get(state))


def round_lines(session: Session, detail: RoundDetail) -> list[str]:
    """Return a round with what went wrong, who waits, and how long it took."""
    row = detail.round
    took = "" if row.duration_s is None else f", {rough_duration(row.duration_s)} in all"
    until = f" from {session.shown(row.skipped_from)} on" if row.skipped_from is not None else ""
    lines = facts(
        {
            "round": row.id,
            "job": row.job,
            "schedule": row.schedule if row.schedule != row.job else None,
            "state": row.state + (f": {row.reason}" if row.reason else ""),
            "slot": f"{session.shown(row.slot)}{until}",
            "made": f"{session.shown(row.created_at)} by {row.actor or row.trigger}{took}",
            "tenants": f"{row.expected} expected" if row.expected is not None else None,
            "places": detail.places,
            "runs": counts_text(row),
        }
    )
    lines += cause_lines(detail.causes)
    if detail.timed_out:
        lines += facts({"timed out": _named(detail.timed_out)})
    for title, aside in (("skipped", detail.skipped), ("held", detail.held), ("retrying", detail.retrying)):
        lines += _aside_lines(title, aside)
    lines += _running_lines(detail.running)
    return [*lines, *_time_lines(detail)]


def say_retry(session: Session, detail: RoundDetail) -> None:
    """Say how what failed is run again."""
    if detail.can_retry and session.out.form is Form.TABLE:
        session.out.say(f"retry them:  rota retry {detail.round.id}")


def _aside_lines(title: str, aside: Sequence[TenantAside]) -> Iterable[str]:
    by_reason: dict[str, list[str]] = {}
    for one in aside:
        by_reason.setdefault(one.why, []).append(one.tenant)
    for why, tenants in sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0])):
        named = _named(tenants)
        yield from facts({title: f"{named}: {why}" if named else why})


def _running_lines(running: Sequence[TenantRunning]) -> Iterable[str]:
    for one in running[:MOST_RUNNING]:
        come = "" if one.done is None else f", {one.done:,}/{one.total:,}" if one.total else f", {one.done:,}"
        attempt = f", attempt {one.attempt}" if one.attempt > 1 else ""
        yield from facts({"running": f"{one.tenant} {rough_duration(one.elapsed_s)}{come}{attempt}".strip()})
    if len(running) > MOST_RUNNING:
        yield from facts({"running": f"and {len(running) - MOST_RUNNING} more"})


def _time_lines(detail: RoundDetail) -> Iterable[str]:
    times = detail.times
    if times is not None and times.count > 1:
        yield from facts(
            {
                "times": f"{rough_duration(times.sum_s)} for all, half of them within {rough_duration(times.p50_s)}, "
                f"95 % within {rough_duration(times.p95_s)}"
            }
        )
    slow = [f"{row.tenant or row.job} {rough_duration(row.duration_s or 0)}" for row in detail.slowest]
    if slow:
        yield from facts({"slowest": ", ".join(slow)})


def _named(tenants: Sequence[str]) -> str:
    more = f" and {len(tenants) - NAMED} more" if len(tenants) > NAMED else ""
    return ", ".join(tenants[:NAMED]) + more
