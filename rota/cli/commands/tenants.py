"""`rota tenants`: who they are, what stands in their way, and whether their databases answer."""

from shlex import quote

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column, by_state
from rota.cli.pausing import end_of
from rota.cli.progress import progress
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.operations.operation import Nothing
from rota.operations.pause_changes import PauseAsked, pause_tenant
from rota.operations.tenant_changes import TenantNamed, TenantSetAsked, recover_tenant, set_tenant
from rota.operations.tenants import TenantAsked, TrialAsked, list_tenants, show_tenant, try_databases
from rota.views.tenants import TenantRow, TenantTried, by_host


@click.group(cls=RotaGroup, default="list")
def tenants() -> None:
    """List tenants, set what is theirs alone, or try their databases."""


@tenants.command(name="list", cls=RotaCommand)
@pass_session
def list_(session: Session) -> None:
    """List the tenants, asked of their source now, with those that are paused or parked and why."""
    found = session.ask(list_tenants, Nothing())
    rows = found.data
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("TENANT", lambda row: row.id),
        Column("ZONE", lambda row: row.tz),
        Column("WEIGHT", lambda row: f"{row.weight:g}", right=True),
        Column("DATABASE", lambda row: row.database),
        Column("SCHEMA", lambda row: row.schema),
        Column("TAGS", lambda row: ", ".join(row.tags)),
        Column("NEXT PROBE", lambda row: session.shown(row.next_probe_at)),
        Column("WHY", lambda row: row.reason),
    ]
    trouble = by_host([row.host for row in rows if row.state == "parked"], total=len(rows))
    foot = counted(len(rows), "tenant") + (f"; {safe_text(trouble)}" if trouble else "")
    session.out.page("rota.tenants.list/2", found, columns, foot=foot)


@tenants.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such tenant"})
@click.argument("tenant")
@pass_session
def show(session: Session, tenant: str) -> None:
    """Show one tenant: its database, what is set for it, and what stands in its way."""
    row = session.ask(show_tenant, TenantAsked(name=tenant))
    session.out.one("rota.tenants.show/1", row, _lines(session, row))


@tenants.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "no such tenant"})
@click.argument("tenant")
@click.option("--until", metavar="TIME", help="Go on by itself then, or `never`. Default: the end it has, if any.")
@click.option("--reason", required=True, help="For those who will wonder.")
@pass_session
def pause(session: Session, *, tenant: str, until: str | None, reason: str) -> None:
    """Stop all jobs of a tenant for a while; the same as `rota pause --tenant`."""
    made = session.ask(pause_tenant, PauseAsked(name=tenant, reason=reason, until=end_of(session, until))).pause
    line = f"tenant {safe_text(tenant)} is paused; to go on: rota tenants resume {safe_text(quote(tenant))}"
    session.out.one("rota.pause/1", made, [line])


@tenants.command(
    cls=RotaCommand, exits={Exit.NOT_FOUND: "no such tenant", Exit.REFUSED: "it is neither paused nor parked"}
)
@click.argument("tenant")
@click.option("--reason", help="Kept in the audit.")
@pass_session
def resume(session: Session, *, tenant: str, reason: str | None) -> None:
    """End the pause of a tenant; have one that is parked tried at once."""
    name, lines = safe_text(tenant), []
    done = session.ask(recover_tenant, TenantNamed(name=tenant, reason=reason))
    if done.is_tried:
        lines.append(f"tenant {name} is parked, and is tried within a second: it goes on if its database answers")
    if done.is_resumed:
        lines.append(f"tenant {name} is no longer paused")
    session.out.one("rota.tenants.resume/1", done.tenant, lines)


@tenants.command(
    name="set",
    cls=RotaCommand,
    exits={Exit.NOT_FOUND: "no such tenant or schedule", Exit.REFUSED: "the schedule is not for this tenant"},
)
@click.argument("tenant")
@click.option("--zone", metavar="ZONE", help="Its time zone. An empty one gives back that of the source.")
@click.option("--weight", type=float, metavar="N", help="Its share of a queue beside others, who have 1. 0 gives back.")
@click.option(
    "--schedule", "schedules", multiple=True, metavar="NAME=TIMING",
    help="In place of schedule NAME this tenant is due so: 'mail=every monday at 06:00'. Repeatable.",
)  # fmt: skip
@click.option(
    "--general", multiple=True, metavar="NAME", help="Give schedule NAME back to the general one. Repeatable."
)
@click.option("--reason", help="Kept in the audit.")
@pass_session
def set_(
    session: Session,
    *,
    tenant: str,
    zone: str | None,
    weight: float | None,
    schedules: tuple[str, ...],
    general: tuple[str, ...],
    reason: str | None,
) -> None:
    """Set for one tenant alone: zone, weight, schedules of its own. All is checked before anything is written."""
    own: dict[str, str | None] = dict.fromkeys(general)
    for text in schedules:
        name, equals, timing = text.partition("=")
        if not equals or not timing.strip():
            raise click.UsageError(f"--schedule {text!r}: write NAME=TIMING, as in 'mail=every monday at 06:00'")
        if name in own:
            raise click.UsageError(f"schedule {name!r} is named twice")
        own[name] = timing
    if zone is None and weight is None and not own:
        raise click.UsageError("nothing to set: give --zone, --weight, --schedule or --general")
    asked = TenantSetAsked(name=tenant, zone=zone, weight=weight, schedules=own, reason=reason)
    row = session.ask(set_tenant, asked)
    session.out.one("rota.tenants.show/1", row, _lines(session, row))


@tenants.command(
    cls=RotaCommand,
    exits={
        Exit.FAILED: "no database answers",
        Exit.NOT_FOUND: "no such tenant",
        Exit.PARTIAL: "some databases do not answer",
    },
)
@click.argument("names", nargs=-1)
@pass_session
def test(session: Session, names: tuple[str, ...]) -> None:
    """Open the database of each tenant, or of those named, and say which do not answer."""
    rows: list[TenantTried] = []
    with progress(session, "tenants", monotonic=session.clock.monotonic) as report:
        while True:
            trial = session.ask(try_databases, TrialAsked(tenant=names, start=len(rows)))
            rows += trial.tried
            report(len(rows), trial.total, sum(1 for tried in rows if tried.state == "failed"))
            if len(rows) >= trial.total or not trial.tried:
                break
    columns = [
        Column("STATE", lambda row: row.state, style=by_state),
        Column("TENANT", lambda row: row.id),
        Column("TOOK", lambda row: rough_duration(row.took_s), right=True),
        Column("WHY", lambda row: row.error),
    ]
    failed = [row.host for row in rows if row.state == "failed"]
    session.out.rows("rota.tenants.test/1", rows, columns, foot=safe_text(by_host(failed, total=len(rows))))
    if failed:
        click.get_current_context().exit(Exit.PARTIAL if len(failed) < len(rows) else Exit.FAILED)


def _lines(session: Session, row: TenantRow) -> list[str]:
    why = f": {row.reason}" if row.reason else ""
    facts = {
        "tenant": row.id,
        "state": f"{row.state}{f' since {session.shown(row.since)}' if row.since else ''}{why}",
        "database": row.database or "none",
        "schema": row.schema,
        "zone": row.tz or f"none of its own: {session.settings.timezone}",
        "weight": f"{row.weight:g}",
        "tags": ", ".join(row.tags) or None,
        "next probe": session.shown(row.next_probe_at) or None,
    }
    lines = [f"{name:<12}{safe_text(text)}" for name, text in facts.items() if text is not None]
    return lines + [
        f"{'schedule':<12}{safe_text(own)} in place of {safe_text(name)}" for name, own in row.schedules.items()
    ]
