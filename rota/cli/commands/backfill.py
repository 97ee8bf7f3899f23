"""`rota backfill`: the slots of a past time range."""

import click

from rota.backfill import Backfill, BackfillPlan, Mode, SlotPlan
from rota.cli.arguments import actor
from rota.cli.command import RotaCommand
from rota.cli.exits import Exit
from rota.cli.follow import follow
from rota.cli.selection import chosen, excluded
from rota.cli.session import Session, pass_session
from rota.core.safe import safe_text

SHOWN = 20


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "every slot failed",
        Exit.NOT_FOUND: "no such job or tenant",
        Exit.PARTIAL: "some slots failed",
    },
)
@click.argument("job")
@click.option("--since", metavar="TIME", required=True, help="From here on: 2026-11-17, 7d (ago).")
@click.option("--until", metavar="TIME", required=True, help="Up to here, not included: 2026-11-20, now.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only these tenants.")
@click.option("--exclude", "exclude", multiple=True, metavar="A,B|@TAG", help="Not these tenants.")
@click.option(
    "--mode",
    type=click.Choice([str(mode) for mode in Mode]),
    default="missing",
    show_default=True,
    help="Slots that never ran; those that failed, too; or every one again.",
)
@click.option("--order", type=click.Choice(["old", "new"]), default="old", show_default=True, help="Which slots first.")
@click.option("--dry-run", is_flag=True, help="Only say what would run.")
@click.option("--detach", is_flag=True, help="Do not wait for it.")
@pass_session
def backfill(
    session: Session,
    job: str,
    *,
    since: str,
    until: str,
    tenants: tuple[str, ...],
    exclude: tuple[str, ...],
    mode: str,
    order: str,
    dry_run: bool,
    detach: bool,
) -> None:
    """Run the slots of a past time range.

    Shows what it would do, asks, and waits with a bar. Repeating it adds nothing twice.
    """
    app, now = session.app, session.app.clock.now()
    starts, ends = session.instant(since, flag="--since", now=now), session.instant(until, flag="--until", now=now)
    only, without = chosen(app, tenants), excluded(app, exclude)

    def planned(*, dry: bool) -> Backfill:
        return app.backfill(
            job,
            since=starts,
            until=ends,
            tenants=only,
            exclude=without,
            mode=Mode(mode),
            newest_first=order == "new",
            dry_run=dry,
            actor=actor(),
        )

    preview = planned(dry=True).plan
    lines = _preview(session, preview)
    if dry_run or not preview.total:
        tail = "Nothing was started (--dry-run)." if dry_run else "There is nothing to do."
        session.out.one("rota.backfill.plan/1", preview, [*lines, f"{preview.total} runs. {tail}"])
        return
    for line in lines:
        session.out.say(line)
    session.confirm(f"Start {preview.total} runs?")
    started = planned(dry=False)
    if not detach and started.round_ids:
        follow(session, app, started.round_ids, job=preview.job, schema="rota.backfill.follow/1")
    text = f"{started.added} runs added, {started.reopened} opened again, in {len(started.round_ids)} rounds"
    session.out.one("rota.backfill.start/1", started, [text])


def _preview(session: Session, plan: BackfillPlan) -> list[str]:
    tenants = f" × {len(plan.tenants)} tenants" if plan.tenants != (None,) else ""
    head = f"{plan.job} · schedule {plan.schedule} · mode {plan.mode} · {len(plan.slots)} slots{tenants}"
    lines = [f"  {session.shown(slot.slot)}  {_counts(slot)}" for slot in plan.slots[:SHOWN]]
    more = [f"  and {len(plan.slots) - SHOWN} more slots"] if len(plan.slots) > SHOWN else []
    return [safe_text(head), *lines, *more]


def _counts(slot: SlotPlan) -> str:
    facts = {
        "● {} ok": slot.succeeded,
        "◇ {} missing": len(slot.missing),
        "■ {} to run again": len(slot.reopened),
        "○ {} under way": slot.open,
    }
    return "  ".join(text.format(count) for text, count in facts.items() if count) or "·"
