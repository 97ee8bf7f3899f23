"""`rota db`: look after the store."""

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.core.duration import parse_duration
from rota.core.safe import safe_text
from rota.exits import Exit
from rota.redaction import redacted
from rota.views.store import pruned, upgrade_sql

SCHEMA = {Exit.REFUSED: "the schema does not fit this code, or the store cannot keep its promises"}


@click.group(cls=RotaGroup)
def db() -> None:
    """Look after the store."""


@db.command(cls=RotaCommand)
@pass_session
def upgrade(session: Session) -> None:
    """Create the schema, or bring it up to date. Safe while older processes run, and to repeat."""
    store = session.app.open_store()
    store.setup()
    facts = dict(store.facts())
    session.out.one("rota.db.upgrade/1", facts, [f"schema {facts.get('schema', 'none')} is in place"])


@db.command(cls=RotaCommand)
@pass_session
def status(session: Session) -> None:
    """Show engine, version, schema and how durable it is."""
    facts = {name: redacted(value) for name, value in session.app.open_store().facts().items()}
    session.out.one("rota.db.status/1", facts, [f"{name:<12}{safe_text(value)}" for name, value in facts.items()])


@db.command(cls=RotaCommand, exits={Exit.REFUSED: "the store has no schema"})
@click.option("--start", type=click.IntRange(min=0), default=0, show_default=True, help="The schema there is; 0: none.")
@pass_session
def sql(session: Session, *, start: int) -> None:
    """Print the statements of `db upgrade`, for a database whose schema somebody else changes."""
    text = upgrade_sql(session.app, start=start)
    session.out.one("rota.db.sql/1", {"sql": text}, [text.rstrip()])


@db.command(cls=RotaCommand, exits=SCHEMA)
@pass_session
def check(session: Session) -> None:
    """Say whether this code may work on this store."""
    session.app.open_store().check()
    session.out.one("rota.db.check/1", {"ok": True}, ["the store fits this code"])


@db.command(cls=RotaCommand, exits=SCHEMA)
@click.option("--succeeded", metavar="DURATION", help="Keep these. Default: retention.succeeded.")
@click.option("--failed", metavar="DURATION", help="Keep these. Default: retention.failed.")
@click.option("--logs", metavar="DURATION", help="Keep what runs printed and logged. Default: retention.logs.")
@pass_session
def prune(session: Session, *, succeeded: str | None, failed: str | None, logs: str | None) -> None:
    """Delete old history: never what is open, never the last run of a schedule and tenant."""
    keep = session.settings.retention
    try:
        kept = (
            parse_duration(succeeded) if succeeded else keep.succeeded,
            parse_duration(failed) if failed else keep.failed,
            parse_duration(logs) if logs else keep.logs,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    count = pruned(session.app, succeeded=kept[0], failed=kept[1], logs=kept[2])
    session.out.one("rota.db.prune/1", {"deleted": count}, [f"{counted(count, 'run')} deleted"])
