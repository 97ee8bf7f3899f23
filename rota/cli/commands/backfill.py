"""`rota backfill`: the slots of a past time range."""

import re

import click

from rota.campaigns import MOST, Backfill
from rota.cli.arguments import names
from rota.cli.campaign import SHORT, follow_campaign, preview_lines, runs_text
from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.campaign import Mode
from rota.core.duration import parse_duration
from rota.exits import Exit
from rota.operations.backfill_changes import BackfillWanted, preview_backfill, start_backfill
from rota.operations.backfills import BackfillAsked
from rota.operations.following import follow_backfill
from rota.preview import Preview

_RATE = re.compile(r"(?P<count>\d+(?:\.\d+)?)(?:/(?P<per>\d*\s*[a-z]+))?", re.ASCII)


class Rate(click.ParamType[float]):
    """Runs per minute, as `60/m`, `2/s`, `100/h`, or a number alone."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return runs per minute."""
        found = _RATE.fullmatch(str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is no rate; write a number and a time: 60/m, 2/s, 100/h", param, ctx)
        per = found["per"] or "m"
        try:
            every = parse_duration(per if per[0].isdigit() else f"1{per}")
        except ValueError as error:
            self.fail(f"{value!r} is no rate: {error}", param, ctx)
        if not every:
            self.fail(f"{value!r} is no rate: no time at all", param, ctx)
        return float(found["count"]) * 60 / every.total_seconds()


PARALLEL = click.option("--parallel", type=click.IntRange(min=1), help="So many of its runs at once.")
RATE = click.option("--rate", type=Rate(), metavar="N/m", help="So many of its runs begin: 60/m, 2/s, 100/h.")
STOP_AFTER = click.option("--stop-after", type=click.IntRange(min=1), help="Stop when so many runs have failed.")


@click.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "every run failed",
        Exit.NOT_FOUND: "no such job or tenant",
        Exit.PARTIAL: "some runs failed",
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
@click.option("--as-one", is_flag=True, help="One run per tenant for the whole range, not one per slot.")
@PARALLEL
@RATE
@STOP_AFTER
@click.option("--canary", metavar="ID", help="This tenant first; the others only if all its runs succeed.")
@click.option("--reason", help="Kept with it and in the audit.")
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
    as_one: bool,
    parallel: int | None,
    rate: float | None,
    stop_after: int | None,
    canary: str | None,
    reason: str | None,
    dry_run: bool,
    detach: bool,
) -> None:
    """Run the slots of a past time range.

    Shows what it would do, asks, and waits with a bar. Repeating it adds nothing twice. The work is done by whoever
    runs rota start or rota tick; rota backfills looks at it, pauses and cancels it.
    """
    now = session.clock.now()
    asked = BackfillWanted(
        job=job,
        since=session.instant(since, flag="--since", now=now),
        until=session.instant(until, flag="--until", now=now),
        tenants=names(tenants),
        exclude=names(exclude),
        mode=Mode(mode),
        newest_first=order == "new",
        as_one=as_one,
        parallel=parallel,
        rate=rate,
        stop_after=stop_after,
        canary=canary,
        reason=reason,
        # Whoever was asked has been told the number.
        most=None,
    )
    preview = session.ask(preview_backfill, asked)
    lines = preview_lines(session, preview)
    if dry_run or (preview.is_all and not preview.total):
        tail = "Nothing was started (--dry-run)." if dry_run else "There is nothing to do."
        session.out.one("rota.backfill.plan/1", preview, [*lines, f"{runs_text(preview)}. {tail}"])
        return
    for line in lines:
        session.out.say(line)
    session.confirm(f"Start {runs_text(preview)}?{_large(preview)}")
    _start(session, session.ask(start_backfill, asked), detach=detach)


def _large(preview: Preview) -> str:
    if preview.up_to is not None and preview.up_to <= MOST:
        return ""
    return f" {'That is' if preview.total > MOST else 'It may be'} more than {MOST:,}."


def _start(session: Session, started: Backfill, *, detach: bool) -> None:
    campaign = started.campaign
    if campaign is None:
        # Somebody else has made them up while the question stood.
        session.out.one("rota.backfill.start/1", started, ["There is nothing to do any more."])
        return
    if not detach:
        follow_campaign(session, campaign)
    if not session.ask(follow_backfill, BackfillAsked(id=campaign.id)).workers:
        session.out.say("no worker is alive, so nothing happens until one is: rota start")
    text = f"backfill {campaign.id} started: {runs_text(started.preview)}"
    session.out.one("rota.backfill.start/1", started, [text, f"rota backfills show {campaign.id[:SHORT]}"])
