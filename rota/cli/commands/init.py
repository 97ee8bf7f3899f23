"""`rota init`: a working start."""

from pathlib import Path

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.exits import Exit
from rota.hosts.starts import STARTS, start_files


@click.command(cls=RotaCommand, store=False, exits={Exit.USAGE: "a file is there already: nothing was written"})
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), metavar="[DIR]", default=Path())
@click.option("--framework", type=click.Choice(list(STARTS)), default="none", show_default=True)
@click.option("--store", metavar="URL", default="", help="Where runs are kept. Default: a SQLite file.")
@pass_session
def init(session: Session, folder: Path, *, framework: str, store: str) -> None:
    """Write a small application that works: jobs, settings, the glue to a framework, and a first test.

    Replaces no file.
    """
    from rota.cli.hosting import write_files

    place = session.directory / folder
    files = start_files(framework, store=store)
    there = [file.name for file in files if (place / file.name).exists()]
    if there:
        raise click.UsageError(f"{place} has {', '.join(there)} already: nothing was written. Name another folder")
    write_files(session, files, place)
    if folder != Path():
        session.out.say(f"next: cd {folder}")
    for line in STARTS[framework].then:
        session.out.say(f"next: {line}")
