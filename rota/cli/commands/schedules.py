"""`rota schedules`: list, show and change them."""

from collections.abc import Sequence

import click

from rota.cli.arguments import from_json, keywords, names
from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.commands.shadowing import compare, shadow
from rota.cli.output import Column, by_state
from rota.cli.pausing import end_of, missed_lines
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import parse_duration
from rota.core.model import Schedule, ScheduleState
from rota.core.policy import CatchUp, CatchUpMode, Overlap
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.schedule_changes import (
    DeleteAsked,
    OverrideAsked,
    PutAsked,
    ScheduleNamed,
    SchedulePauseAsked,
    delete_schedule,
    override_schedule,
    pause_schedule,
    put_schedule,
    restore_schedule,
    resume_schedule,
    run_schedule,
)
from rota.operations.schedules import ScheduleAsked, SchedulesAsked, list_schedules, show_schedule
from rota.views.schedule import Planned

UNKNOWN = {Exit.NOT_FOUND: "no such schedule, job or tenant"}
FRESH_WITHIN = click.option(
    "--fresh-within", metavar="DURATION", help="How old its last success may be; else as its job says."
)
PAGE = 1000
"""Schedules that are asked for at once."""

REASON = click.option("--reason", help="Kept in the audit.")


@click.group(cls=RotaGroup, default="list")
def schedules() -> None:
    """List, show and change schedules."""


@schedules.command(name="list", cls=RotaCommand)
@click.option("--job", help="Only those of this job.")
@click.option("--state", type=click.Choice([str(state) for state in ScheduleState]), help="Only those in this state.")
@click.option("--after", metavar="NAME", help="Only names after this one: the next page.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="At most this many.")
@pass_session
def list_(session: Session, *, job: str | None, state: str | None, after: str | None, limit: int) -> None:
    """List schedules by name: what is due when, where it was declared, and what does not fire."""
    rows, more = _listed(session, job=job, state=state, after=after, limit=limit)
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("SCHEDULE", lambda row: row.name),
        Column("JOB", lambda row: row.job),
        Column("WHEN", lambda row: row.text),
        Column("FROM", _origin),
        Column("LAST", lambda row: session.shown(row.last_run_at)),
        Column("NEXT", lambda row: session.shown(row.next_at) if row.state is ScheduleState.ACTIVE else ""),
        Column("WHY", lambda row: _why(session, row)),
    ]
    foot = counted(len(rows), "schedule") + (f"; more: --after {more}" if more else "")
    session.out.rows("rota.schedules/1", rows, columns, next_page=more, foot=foot)


@schedules.command(cls=RotaCommand, exits=UNKNOWN)
@click.argument("name")
@click.option("-n", "--count", type=click.IntRange(0, 1000), default=5, show_default=True, help="How many slots.")
@pass_session
def show(session: Session, name: str, *, count: int) -> None:
    """Show a schedule: its policy, what the code says where it is overridden, and its next slots."""
    shown = session.ask(show_schedule, ScheduleAsked(name=name, count=count))
    times = [("until", shown.schedule.paused_until), ("last run", shown.schedule.last_run_at)]
    facts = [*shown.facts, *((label, session.shown(instant)) for label, instant in times if instant)]
    lines = [f"{label:<14}{safe_text(text)}" for label, text in facts]
    for slot in shown.slots:
        local = slot.slot.astimezone(session.zone)
        note = f"   {slot.note}" if slot.note else ""
        lines.append(f"  {local:%a %d %b %Y %H:%M:%S %Z}   {slot.slot:%Y-%m-%d %H:%M} UTC{note}")
    session.out.one("rota.schedules.show/1", shown, lines)


@schedules.command(cls=RotaCommand, exits=UNKNOWN | {Exit.REFUSED: "the one time is over"})
@click.argument("name")
@click.argument("job")
@click.argument("when")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG|all", help="Only these tenants.")
@click.option("--exclude", "exclude", multiple=True, metavar="A,B|@TAG", help="Not these tenants.")
@click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="An argument; JSON or text.")
@click.option("--args-json", metavar="JSON", help="All arguments: a list or an object; - reads standard input.")
@click.option("--user", metavar="ID", help="Given to the job as ctx.user_id.")
@click.option("--catch-up", type=click.Choice([str(mode) for mode in CatchUpMode]), help="What missed slots become.")
@click.option("--catch-up-limit", type=click.IntRange(min=1), help="With all: at most so many, the newest.")
@click.option("--catch-up-within", metavar="DURATION", help="With all: only slots at most so old.")
@click.option("--overlap", type=click.Choice([str(policy) for policy in Overlap]), help="When the last is not over.")
@click.option("--jitter", metavar="DURATION", help="Each run is due up to so much after its slot.")
@FRESH_WITHIN
@click.option("--keep", is_flag=True, help="Keep a one-time schedule as done.")
@click.option("--force", is_flag=True, help="Also for a time that is over: it runs now.")
@REASON
@pass_session
def put(
    session: Session,
    name: str,
    job: str,
    when: str,
    *,
    tenants: tuple[str, ...],
    exclude: tuple[str, ...],
    args: tuple[str, ...],
    args_json: str | None,
    user: str | None,
    catch_up: str | None,
    catch_up_limit: int | None,
    catch_up_within: str | None,
    overlap: str | None,
    jitter: str | None,
    fresh_within: str | None,
    keep: bool,
    force: bool,
    reason: str | None,
) -> None:
    """Store a schedule under a name, or change the one that has it. The past is not run again.

    WHEN is words, a cron expression, or one time: 'daily at 02:30 Europe/Paris', '30 2 * * *', 'at 2026-12-01T09:00'.
    Without a zone it is in --tz, else in that of the settings.
    """
    positional, named = from_json(args_json)
    asked = PutAsked(
        name=name,
        job=job,
        when=when,
        tz=session.flags.zone or None,
        tenants=names(tenants),
        exclude=names(exclude),
        args=tuple(positional),
        kwargs=named | keywords(args),
        user_id=user,
        catch_up=_catch_up(catch_up, catch_up_limit, catch_up_within),
        overlap=Overlap(overlap) if overlap else None,
        jitter=jitter,
        fresh_within=fresh_within,
        keep=keep,
        force=force,
        reason=reason,
    )
    stored = session.ask(put_schedule, asked)
    _told(session, stored, "put")


@schedules.command(cls=RotaCommand, exits=UNKNOWN | {Exit.REFUSED: "it does not fire anyway"})
@click.argument("name")
@click.option("--reason", required=True, help="For those who will wonder.")
@click.option("--until", metavar="TIME", help="Go on by itself then, or `never`. Default: the end it has, if any.")
@pass_session
def pause(session: Session, name: str, *, reason: str, until: str | None) -> None:
    """Stop firing a schedule. What runs already goes on, and nothing fails for it."""
    asked = SchedulePauseAsked(name=name, reason=reason, until=end_of(session, until))
    _told(session, session.ask(pause_schedule, asked), "pause")


@schedules.command(cls=RotaCommand, exits=UNKNOWN | {Exit.REFUSED: "it is not paused"})
@click.argument("name")
@REASON
@pass_session
def resume(session: Session, name: str, *, reason: str | None) -> None:
    """Fire again, from now on: slots that passed meanwhile are not made up. See `rota backfill`."""
    again = session.ask(resume_schedule, ScheduleNamed(name=name, reason=reason))
    more = [] if again.since is None else missed_lines(session, again.missed, since=again.since)
    _told(session, again.schedule, "resume", more)


@schedules.command(name="run-now", cls=RotaCommand, exits=UNKNOWN)
@click.argument("name")
@REASON
@pass_session
def run_now(session: Session, name: str, *, reason: str | None) -> None:
    """Start its job now, with its arguments and tenants. It uses up no slot and moves none."""
    made = session.ask(run_schedule, ScheduleNamed(name=name, reason=reason))
    session.out.one("rota.schedules.run_now/1", {"round": made.round}, [f"round {made.round} of {made.job} is queued"])
    session.out.say(f"how it goes:  rota show {made.round}")


@schedules.command(cls=RotaCommand, exits=UNKNOWN | {Exit.REFUSED: "it is declared in the code"})
@click.argument("name")
@REASON
@pass_session
def delete(session: Session, name: str, *, reason: str | None) -> None:
    """Delete a schedule; its history and progress stay."""
    session.ask(delete_schedule, DeleteAsked(name=name, dry_run=True))
    session.confirm(f"Delete schedule {safe_text(name)}?")
    gone = session.ask(delete_schedule, DeleteAsked(name=name, reason=reason))
    session.out.one("rota.schedules.delete/1", gone, [f"schedule {safe_text(name)} is deleted"])


@schedules.command(cls=RotaCommand, exits=UNKNOWN)
@click.argument("name")
@click.option("--when", help="Words, a cron expression, or one time.")
@click.option("--tenant", "tenants", multiple=True, metavar="A,B|@TAG", help="Only these tenants.")
@click.option("--exclude", "exclude", multiple=True, metavar="A,B|@TAG", help="Not these tenants.")
@click.option("--catch-up", type=click.Choice([str(mode) for mode in CatchUpMode]), help="What missed slots become.")
@click.option("--overlap", type=click.Choice([str(policy) for policy in Overlap]), help="When the last is not over.")
@click.option("--jitter", metavar="DURATION", help="Each run is due up to so much after its slot; 0s: none.")
@FRESH_WITHIN
@REASON
@pass_session
def override(
    session: Session,
    name: str,
    *,
    when: str | None,
    tenants: tuple[str, ...],
    exclude: tuple[str, ...],
    catch_up: str | None,
    overlap: str | None,
    jitter: str | None,
    fresh_within: str | None,
    reason: str | None,
) -> None:
    """Change what is given of a schedule, and leave the rest. Of one of the code a deploy does not undo it."""
    if not any((when, tenants, exclude, catch_up, overlap, jitter, fresh_within)):
        raise click.UsageError(
            "say what to change: --when, --tenant, --exclude, --catch-up, --overlap, --jitter or --fresh-within"
        )
    asked = OverrideAsked(
        name=name,
        when=when,
        tz=session.flags.zone or None,
        tenants=names(tenants),
        exclude=names(exclude),
        catch_up=_catch_up(catch_up, None, None),
        overlap=Overlap(overlap) if overlap else None,
        jitter=jitter,
        fresh_within=fresh_within,
        reason=reason,
    )
    _told(session, session.ask(override_schedule, asked), "override")


@schedules.command(cls=RotaCommand, exits=UNKNOWN | {Exit.REFUSED: "it is not overridden"})
@click.argument("name")
@REASON
@pass_session
def restore(session: Session, name: str, *, reason: str | None) -> None:
    """Take an override back: the schedule is again as its code says."""
    _told(session, session.ask(restore_schedule, ScheduleNamed(name=name, reason=reason)), "restore")


schedules.add_command(shadow)
schedules.add_command(compare)


def _listed(
    session: Session, *, job: str | None, state: str | None, after: str | None, limit: int
) -> tuple[list[Planned], str | None]:
    """Return schedules, page by page, and after which name there are more."""
    rows: list[Planned] = []
    while True:
        asked = SchedulesAsked(
            job=job, state=(ScheduleState(state),) if state else (), cursor=after, limit=min(limit - len(rows), PAGE)
        )
        found = session.ask(list_schedules, asked)
        rows += found.data
        after = found.page.next
        if after is None or len(rows) >= limit:
            return rows, after


def _catch_up(mode: str | None, limit: int | None, within: str | None) -> CatchUp | None:
    if mode is None:
        if limit is not None or within is not None:
            raise click.UsageError("--catch-up-limit and --catch-up-within go with --catch-up all")
        return None
    if mode != CatchUpMode.ALL:
        if limit is not None or within is not None:
            raise click.UsageError(f"--catch-up {mode} takes no limit")
        return CatchUp(mode=CatchUpMode(mode))
    try:
        return CatchUp.all(limit=limit, within=parse_duration(within) if within else None)
    except ValueError as error:
        raise click.UsageError(f"--catch-up-within: {error}") from error


def _told(session: Session, stored: Schedule, verb: str, more: Sequence[str] = ()) -> None:
    till = f" until {session.shown(stored.paused_until)}" if stored.paused_until else ""
    said = f"{stored.name}: {stored.timing}, {stored.state}{till}" + (f" ({stored.reason})" if stored.reason else "")
    is_active = stored.state is ScheduleState.ACTIVE
    following = f"; next at {session.shown(stored.next_at)}" if is_active and stored.next_at else ""
    # Not the arguments: they are the tenant's data.
    facts = {
        "name": stored.name,
        "job": stored.job,
        "timing": stored.timing,
        "state": stored.state,
        "reason": stored.reason,
        "origin": stored.origin,
        "is_overridden": stored.declared is not None,
        "next_at": stored.next_at,
        "paused_until": stored.paused_until,
    }
    session.out.one(f"rota.schedules.{verb}/1", facts, [safe_text(line) for line in (said + following, *more)])


def _why(session: Session, row: Planned) -> str:
    if row.state is not ScheduleState.PAUSED:
        return row.reason or row.shadow or ""
    who = f" (by {row.paused_by})" if row.paused_by else ""
    return (row.reason or "") + who + (f", until {session.shown(row.paused_until)}" if row.paused_until else "")


def _origin(row: Planned) -> str:
    return f"{row.origin}*" if row.is_overridden else str(row.origin)
