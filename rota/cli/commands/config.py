"""`rota config`: what is set, and where."""

import os

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.output import Column
from rota.cli.session import Session, pass_session
from rota.core.counting import counted
from rota.operations.configuration import show_settings
from rota.operations.operation import Nothing
from rota.settings.loading import unread_names
from rota.views.configuration import Setting, configuration


@click.group(cls=RotaGroup, default="show")
def config() -> None:
    """Show and check the settings."""


@config.command(cls=RotaCommand, store=False)
@click.option("--origin", is_flag=True, help="Say where each value was set.")
@click.option("--all", "everything", is_flag=True, help="With those that have their default.")
@pass_session
def show(session: Session, *, origin: bool, everything: bool) -> None:
    """Show the settings that are set, or all of them."""
    # What is set here needs no application.
    rows = session.ask(show_settings, Nothing()).data if session.is_far else configuration(session.settings)
    chosen = [row for row in rows if everything or row.origin != "default"] or rows
    columns = [Column("KEY", lambda row: row.key), Column("VALUE", lambda row: row.value)]
    if origin:
        columns.append(Column("ORIGIN", lambda row: row.origin))
    session.out.rows("rota.config.show/1", chosen, columns)


@config.command(cls=RotaCommand, store=False)
@pass_session
def check(session: Session) -> None:
    """Read all settings and say whether they are right. Ends with 2 where they are not."""
    session.check_is_here()
    rows = configuration(session.settings)
    for name in unread_names(os.environ):
        session.out.warn(f"{name} is in the environment, and nothing reads it")
    changed = [row for row in rows if row.origin != "default"]
    session.out.one(
        "rota.config.check/1", changed, [f"{counted(len(rows), 'setting')}, {len(changed)} set; all fit together"]
    )


@config.command(cls=RotaCommand, store=False)
@pass_session
def env(session: Session) -> None:
    """List the environment variable of each setting, with its default."""
    columns = [
        Column("VARIABLE", lambda row: row.variable),
        Column("KEY", lambda row: row.key),
        Column("DEFAULT", _default),
    ]
    session.out.rows("rota.config.env/1", configuration(session.settings), columns)


def _default(row: Setting) -> str:
    return row.default
