"""A backfill campaign on the terminal: what it would do, how far it has come, how it ended (R13)."""

import click

from rota.cli.progress import progress
from rota.cli.session import Session
from rota.clock import sleep
from rota.core.campaign import Campaign, CampaignState
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.model import State
from rota.core.safe import safe_text
from rota.core.slot_plan import SlotPlan
from rota.exits import Exit
from rota.operations.backfills import BackfillAsked
from rota.operations.following import BackfillFollowed, follow_backfill
from rota.preview import Preview
from rota.views.campaigns import CampaignDetail, CampaignRow

NAMED = 8
SHORT = 16
"""Digits of an id that people copy; ids of one day differ in the first twelve."""

MARKS = {"succeeded": "●", "failed": "■", "running": "○", "waiting": "◇", "skipped": "·", "cancelled": "×"}


def preview_lines(session: Session, preview: Preview) -> list[str]:
    """Return what a backfill would do: the sums, and its first and last slots."""
    tenants = "" if preview.tenants == (None,) else f" × {counted(len(preview.tenants), 'tenant')}"
    span = f"{session.shown(preview.since)} to {session.shown(preview.until)}"
    lines = [
        safe_text(f"{preview.job} · schedule {preview.schedule} · mode {preview.mode} · {span}"),
        f"{_slots(preview)}{tenants}{_looked_at(preview)}: {_sums(preview)}",
    ]
    if preview.as_one:
        lines.append(f"one run per tenant for the whole range: {runs_text(preview)}")
    lines += [f"  {session.shown(plan.slot)}  {slot_text(plan)}" for plan in preview.first]
    if left := preview.slots - len(preview.first) - len(preview.last):
        lines.append(f"  … {'' if preview.slots_are_all else 'more than '}{counted(left, 'slot')} between …")
    lines += [f"  {session.shown(plan.slot)}  {slot_text(plan)}" for plan in preview.last]
    return [*lines, _estimate(preview)] if preview.total else lines


def runs_text(preview: Preview) -> str:
    """Return how many runs it makes, as far as that was looked at."""
    return f"{'' if preview.is_all else 'at least '}{counted(preview.total, 'run')}"


def _slots(preview: Preview) -> str:
    if preview.slots_are_all:
        return counted(preview.slots, "slot")
    return f"more than {counted(preview.slots - 1, 'slot')}"


def _looked_at(preview: Preview) -> str:
    if preview.looked_at == preview.slots:
        return ""
    which = "newest" if preview.newest_first else "first"
    return f", of which the {which} {preview.looked_at:,} were looked at"


def slot_text(plan: SlotPlan) -> str:
    """Return what one slot has and what it gets."""
    facts = {
        "● {} ok": plan.succeeded,
        "◇ {} missing": len(plan.missing),
        "■ {} to run again": len(plan.reopened),
        "■ {} failed": plan.failed,
        "○ {} under way": plan.open,
        "· {} pruned": plan.pruned,
    }
    return "  ".join(text.format(f"{count:,}") for text, count in facts.items() if count) or "·"


def _sums(preview: Preview) -> str:
    facts = {
        "missing": preview.added,
        "to run again": preview.reopened,
        "under way": preview.open,
        "ok": preview.succeeded,
        "failed": preview.failed,
        "pruned (passed, and their history is not kept any more: not missing)": preview.pruned,
    }
    return ", ".join(f"{count:,} {text}" for text, count in facts.items() if count) or "nothing"


def _estimate(preview: Preview) -> str:
    if preview.takes_s is None:
        return "How long it takes is not known: no run of this job has succeeded yet."
    each = "" if preview.run_s is None else f", {rough_duration(preview.run_s)} a run as lately"
    least = "About" if preview.is_all else "At least"
    return f"{least} {rough_duration(preview.takes_s)} at {preview.lanes} at once{each}."


def follow_campaign(session: Session, campaign: Campaign) -> None:
    """Show the bar until the campaign is over or stands still, write how it ended, and exit with 0, 6 or 1."""
    asked, started = BackfillAsked(id=campaign.id), session.clock.monotonic()
    now = session.ask(follow_backfill, asked)
    if not now.workers:
        session.out.say("no worker is alive, so nothing happens until one is: rota start")
    with progress(session, campaign.job, monotonic=session.clock.monotonic) as report:
        while True:
            row = now.row
            report(row.done, row.total, row.failed)
            if row.is_settled:
                break
            sleep(session.poll)
            now = session.ask(follow_backfill, asked)
    lines = _end_lines(now, seconds=session.clock.monotonic() - started)
    session.out.one("rota.backfill.follow/1", row, lines)
    click.get_current_context().exit(exit_of_row(row))


def exit_of_row(row: CampaignRow) -> Exit:
    """Return 0 when every run succeeded, 6 when some did, 1 when none did."""
    good = row.counts.get(State.SUCCEEDED, 0)
    if row.campaign.state is CampaignState.DONE and good == row.total:
        return Exit.OK
    return Exit.PARTIAL if good else Exit.FAILED


def _end_lines(ended: BackfillFollowed, *, seconds: float) -> list[str]:
    row, campaign = ended.row, ended.row.campaign
    counts = ", ".join(f"{count:,} {state}" for state, count in sorted(row.counts.items(), reverse=True))
    why = f" ({campaign.why})" if campaign.why else ""
    lines = [safe_text(f"{campaign.job} {campaign.state} after {seconds:.1f}s{why}: {counts or 'nothing was run'}")]
    for cause in ended.causes:
        more = f" and {len(cause.tenants) - NAMED} more" if len(cause.tenants) > NAMED else ""
        named = ", ".join(cause.tenants[:NAMED]) + more
        lines.append(safe_text(f"  {cause.count} × {cause.error}" + (f"  ({named})" if named else "")))
    if not campaign.state.is_over:
        lines.append(f"go on:  rota backfills resume {campaign.id[:SHORT]}")
    return lines


def detail_lines(session: Session, detail: CampaignDetail) -> list[str]:
    """Return all about a campaign."""
    row, campaign = detail.row, detail.row.campaign
    eta = f", {rough_duration(row.eta_s)} left" if row.eta_s is not None else ""
    rate = f", {row.per_minute:g} a minute" if row.per_minute is not None else ""
    who = ", ".join(campaign.tenants) if campaign.tenants is not None else "all that the schedule is for"
    facts = {
        "id": campaign.id,
        "job": campaign.job if campaign.job == campaign.schedule else f"{campaign.job}, schedule {campaign.schedule}",
        "state": f"{campaign.state}" + (f": {campaign.why}" if campaign.why else ""),
        "range": f"{session.shown(campaign.since)} to {session.shown(campaign.until)}",
        "tenants": who + (f", but for {', '.join(campaign.exclude)}" if campaign.exclude else ""),
        "how": how(campaign),
        "progress": f"{share(row)}{rate}{eta}",
        "runs": ", ".join(f"{count:,} {state}" for state, count in row.counts.items()) or "none yet",
        "asked": f"{session.shown(campaign.created_at)} by {campaign.actor or 'somebody'}"
        + (f": {campaign.reason}" if campaign.reason else ""),
        "ended": session.shown(campaign.ended_at),
    }
    lines = [f"{name:<10}{safe_text(text)}" for name, text in facts.items() if text]
    if detail.strip:
        lines.append(f"{'slots':<10}{''.join(MARKS.get(cell.state, '?') for cell in detail.strip)}")
    for cause in detail.causes:
        named = ", ".join(cause.tenants[:NAMED])
        lines.append(safe_text(f"  {cause.count} × {cause.error}" + (f"  ({named})" if named else "")))
    return lines


def share(row: CampaignRow) -> str:
    """Return how many runs are over, of how many."""
    return f"{row.done:,}/{row.total:,}" + (f" ({100 * row.done // row.total} %)" if row.total else "")


def how(campaign: Campaign) -> str:
    """Return the choices of a campaign in words."""
    order = "newest first" if campaign.newest_first else "oldest first"
    words = [f"mode {campaign.mode}", "one run for the range" if campaign.as_one else order]
    if campaign.parallel is not None:
        words.append(f"{campaign.parallel} at once")
    if campaign.rate is not None:
        words.append(f"{campaign.rate:g} a minute")
    if campaign.canary is not None:
        words.append(safe_text(f"canary {campaign.canary}"))
    if campaign.stop_after is not None:
        words.append(f"stops after {counted(campaign.stop_after, 'failure')}")
    return ", ".join(words)
