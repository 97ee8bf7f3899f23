"""`rota import`: schedules from a crontab, or from the configuration of another scheduler."""

from collections.abc import Mapping, Sequence
from typing import IO

import click
from msgspec.structs import replace

from rota.cli.command import RotaCommand
from rota.cli.output import Column, Form
from rota.cli.session import Session, pass_session
from rota.core.safe import safe_text
from rota.core.zone import is_zone
from rota.errors import SourceUnreadable, close_names
from rota.exits import Exit
from rota.importers.found import Finding
from rota.importers.text import LARGEST, text_of
from rota.operations.importing import (
    Action,
    Begins,
    ImportAsked,
    Imported,
    Line,
    System,
    findings_in,
    import_schedules,
    refused,
)
from rota.redaction import redacted

COLUMNS = (
    Column("LINE", lambda line: line.line, right=True),
    Column("ACTION", lambda line: line.action),
    Column("SCHEDULE", lambda line: line.schedule),
    Column("JOB", lambda line: f"{line.job} @{line.tenant}" if line.tenant else line.job),
    Column("WHEN", lambda line: line.when),
)

NEXT: Mapping[Begins, str] = {
    Begins.PAUSED: "they are paused: stop the other system, then `rota schedules resume NAME`",
    Begins.SHADOW: "they fire and start nothing: `rota schedules compare NAME`, then `... shadow NAME --end`",
    Begins.ACTIVE: "they work: the other system must be stopped",
}
"""What is to be done after an import."""


@click.command(
    "import",
    cls=RotaCommand,
    exits={
        Exit.NOT_FOUND: "no such job; no schedules in the file",
        Exit.REFUSED: "some lines cannot be created; nothing was",
    },
)
@click.argument("system", type=click.Choice([str(system) for system in System]))
@click.argument("file", type=click.File("rb"))
@click.option("--job", "jobs", multiple=True, metavar="OLD=NEW", help="Start job NEW where the file says OLD.")
@click.option("--prefix", default="", metavar="TEXT", help="Put this before the names of the schedules.")
@click.option("--system", "is_system", is_flag=True, help="A system crontab: a user's name stands before the command.")
@click.option("--replace", "replaces", is_flag=True, help="Put schedules in the place of those that have their names.")
@click.option("--skip-unknown", is_flag=True, help="Create the others where lines cannot be created.")
@click.option(
    "--as",
    "begins",
    type=click.Choice([str(begin) for begin in Begins]),
    default=str(Begins.PAUSED),
    show_default=True,
    help="Paused, firing beside the other system without starting anything, or at work at once.",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be created.")
@pass_session
def import_(
    session: Session,
    system: str,
    file: IO[bytes],
    *,
    jobs: tuple[str, ...],
    prefix: str,
    is_system: bool,
    replaces: bool,
    skip_unknown: bool,
    begins: str,
    dry_run: bool,
) -> None:
    """Create schedules from a crontab, or the configuration of another scheduler.

    FILE is read as text, `-` is standard input; nothing of it is run. Shows what it would create, what differs in
    meaning and what has no equal, and asks. All of it is created, or nothing. Times whose zone the file does not say
    are those of --tz. Nothing is taken out of the other system: stop it there, and let the schedules work then.
    """
    asked = ImportAsked(
        system=System(system),
        source=_text(file),
        is_system=is_system,
        zone=session.flags.zone or None,
        prefix=prefix,
        replaces=replaces,
        skip_unknown=skip_unknown,
        begins=Begins(begins),
    )
    asked = replace(asked, jobs=_meant(jobs, _read(asked, file)))
    done = replace(session.ask(import_schedules, replace(asked, dry_run=True)), dry_run=dry_run)
    problems = done.problems if not skip_unknown else 0
    if dry_run or problems or not done.created + done.replaced:
        _show(session, done)
        if problems:
            raise refused(done)
        session.out.say("Nothing was created (--dry-run)." if dry_run else "There is nothing to create.")
        return
    shown_before = session.out.form is Form.TABLE
    if shown_before:
        _show(session, done)
    session.confirm(f"Create {done.created} schedules{f' and replace {done.replaced}' if done.replaced else ''}?")
    done = session.ask(import_schedules, asked)
    if not shown_before:
        # Exactly one document, of what was done.
        _show(session, done)
    session.out.say(
        f"{done.created} created, {done.replaced} replaced, {len(done.lines) - done.created - done.replaced} not."
    )
    session.out.say(NEXT[asked.begins])


def _text(file: IO[bytes]) -> str:
    try:
        return text_of(file.read(LARGEST + 1))
    except SourceUnreadable as error:
        raise SourceUnreadable(f"{file.name}: {error}") from error


def _read(asked: ImportAsked, file: IO[bytes]) -> list[Finding]:
    """Return what stands in the file: what is wrong with it or with the flags is told before anybody is asked."""
    if asked.is_system and asked.system is not System.CRONTAB:
        raise click.UsageError("--system goes with a crontab")
    if asked.zone is not None and not is_zone(asked.zone):
        raise click.UsageError(f"--tz: {asked.zone!r} is no time zone, such as Europe/Paris")
    try:
        return findings_in(asked.source, asked.system, zone=asked.zone, is_system=asked.is_system)
    except SourceUnreadable as error:
        raise SourceUnreadable(f"{file.name}: {error}") from error


def _meant(texts: Sequence[str], findings: Sequence[Finding]) -> dict[str, str]:
    meant = {}
    known = {finding.job for finding in findings}
    for text in texts:
        old, equals, new = text.partition("=")
        if not equals or not old or not new:
            raise click.UsageError(f"--job {text!r}: write OLD=NEW")
        if old not in known:
            close = ", ".join(close_names(old, known))
            raise click.UsageError(
                f"--job {text!r}: the file names no {old!r}" + (f"; it names {close}" if close else "")
            )
        meant[old] = new
    return meant


def _show(session: Session, done: Imported) -> None:
    """Write the table, under it each difference once, and what is not created with its reason."""
    out = session.out
    if out.form in (Form.JSON, Form.NDJSON):
        out.one("rota.import/1", done, [])
        return
    if out.form is not Form.TABLE:
        out.rows(
            "rota.import/1",
            done.lines,
            [
                *COLUMNS,
                Column("DIFFERS", lambda line: "; ".join(line.differences)),
                Column("REASON", lambda line: line.reason),
            ],
        )
        return
    wanted = [line for line in done.lines if line.action in (Action.CREATE, Action.REPLACE)]
    of_all, of_some = _shared(wanted)
    if wanted:
        out.rows("rota.import/1", wanted, [*COLUMNS, *([_numbers(of_some)] if of_some else [])])
    told = {
        "What differs, of all of them:": [f"  - {text}" for text in of_all],
        "What differs:": [f"  {number:>2}  {text}" for number, text in enumerate(of_some, start=1)],
        "Left out:": _reasons(done, Action.LEAVE_OUT),
        "Cannot be created:": _reasons(done, Action.PROBLEM),
    }
    for title, texts in told.items():
        for text in ["", title, *texts] if texts else []:
            out.text(safe_text(redacted(text)))


def _shared(lines: Sequence[Line]) -> tuple[list[str], list[str]]:
    """Return the differences that every line has, and the others, each once and in their order."""
    texts = dict.fromkeys(text for line in lines for text in line.differences)
    of_all = [text for text in texts if len(lines) > 1 and all(text in line.differences for line in lines)]
    return of_all, [text for text in texts if text not in of_all]


def _reasons(done: Imported, action: Action) -> list[str]:
    return [f"  line {line.line}  {line.schedule}: {line.reason}" for line in done.lines if line.action is action]


def _numbers(numbered: Sequence[str]) -> Column:
    places = {text: str(number) for number, text in enumerate(numbered, start=1)}
    return Column("DIFFERS", lambda line: ",".join(places[text] for text in line.differences if text in places))
