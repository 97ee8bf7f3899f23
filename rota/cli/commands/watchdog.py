"""`rota watchdog`: watches from outside of the processes that do the work."""

import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.core.events import FreshnessChanged
from rota.core.freshness import WORSE, Freshness
from rota.core.safe import safe_text
from rota.core.watched import WATCH, Watched
from rota.engine.judged import Judged
from rota.engine.last_known import write_atomically
from rota.exits import Exit

NAMED = 20
"""How many pairs are named for people; the file has all."""


@click.command(
    cls=RotaCommand,
    exits={Exit.FAILED: "something is stale", Exit.UNREACHABLE: "the store is away, and nothing is known from before"},
)
@click.option("--once", is_flag=True, help="Do one pass, and end with 1 when something is stale.")
@click.option("--notify", is_flag=True, help="Send alerts too, to the channels of the settings.")
@click.option("--write-json", type=click.Path(path_type=Path), metavar="FILE", help="Write what each pass found there.")
@click.option(
    "--write-html",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the status page into this folder, besides that of the settings.",
)
@click.option(
    "--state-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What it knew last, to go on from while the store is down. Default: freshness.state_file, or "
    "rota-watchdog.json here.",
)
@pass_session
def watchdog(
    session: Session,
    *,
    once: bool,
    notify: bool,
    write_json: Path | None,
    write_html: Path | None,
    state_file: Path | None,
) -> None:
    """Find what has not succeeded in time, in a process of its own.

    It needs neither scheduler nor worker, and goes on without the store from what it knew last, and says so. Its file
    shows when it last looked: whoever watches the watchdog looks at that.
    """
    # Only here: other commands have no use for the engine.
    from rota.outpost import STATE_FILE, Outpost

    app = session.app
    start_logging(session.settings, verbosity=session.out.verbosity)
    tell = [_writer(session, write_json)] if write_json is not None else []
    said = session.settings.freshness.status_page
    pages = [folder for folder in (write_html, Path(said) if said else None) if folder is not None]
    path = state_file or Path(session.settings.freshness.state_file or STATE_FILE)
    outpost = Outpost(app, state_file=path, tell=tell, notify=notify, pages=pages)
    if once:
        outpost.anchor()
        judged = outpost.look(app.clock.now())
        is_well = not _bad(judged) and judged.known_at == judged.at and not judged.clock
        session.out.pass_("rota.watchdog/1", judged, _lines(session, judged), is_well=is_well)
        if judged.worst is Freshness.STALE:
            click.get_current_context().exit(Exit.FAILED)
        return
    app.on(FreshnessChanged)(lambda event: session.out.say(safe_text(_told(event))))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    outpost.run(stop)


def _writer(session: Session, path: Path) -> Callable[[Judged], None]:
    def write(judged: Judged) -> None:
        try:
            write_atomically(path, msgspec.json.encode(judged))
        except OSError as error:
            # The old one is there, and shows its age; the pass goes on.
            session.out.warn(f"cannot write {path}: {error}")

    return write


def _lines(session: Session, judged: Judged) -> list[str]:
    bad = _bad(judged)
    bad.sort(key=lambda pair: (-WORSE[pair.state], pair.key))
    lines = [_line(session, pair) for pair in bad[:NAMED]]
    if len(bad) > NAMED:
        lines.append(f"and {len(bad) - NAMED} more")
    if judged.known_at != judged.at:
        lines.append(f"the store could not be asked: known at {session.shown(judged.known_at)}; {judged.store}")
    if judged.clock:
        lines.append(f"{judged.clock}: nothing is called late or stale for a while")
    counts = Counter(pair.state for pair in judged.pairs)
    return [safe_text(line) for line in [*lines, _sum(counts)]]


def _bad(judged: Judged) -> list[Watched]:
    return [pair for pair in judged.pairs if WORSE[pair.state] > WORSE[Freshness.FRESH]]


def _sum(counts: "Counter[Freshness]") -> str:
    named: Sequence[Freshness] = sorted(counts, key=lambda state: -WORSE[state])
    return ", ".join(f"{counts[state]} {state}" for state in named) or "nothing is watched"


def _line(session: Session, pair: Watched) -> str:
    name = _name(pair.schedule, pair.tenant)
    return f"{pair.state:<6} {name}  last success {session.shown(pair.last_success) or 'never'}"


def _told(event: FreshnessChanged) -> str:
    memory = " (the store is down: by what was known last)" if event.is_from_memory else ""
    return f"{_name(event.schedule, event.tenant)}: {event.before} → {event.after}{memory}"


def _name(schedule: str, tenant: str) -> str:
    name = schedule.removeprefix(WATCH)
    return f"{name} / {tenant}" if tenant else name
