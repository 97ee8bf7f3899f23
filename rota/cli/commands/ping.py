"""`rota ping`: a script outside of Rota says how it is."""

import sys

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.core.watched import Ping, PingKind
from rota.exits import Exit
from rota.operations.pings import PingAsked
from rota.operations.pings import ping as tell
from rota.pings import LONGEST_TEXT

MOST_SAID = 2 * LONGEST_TEXT
"""Twice as much as is kept: of a secret that is cut in two here, neither half could be found later."""


@click.command(cls=RotaCommand, exits={Exit.NOT_FOUND: "nothing is watched under this name"})
@click.argument("name")
@click.argument("kind", type=click.Choice([str(kind) for kind in PingKind]), default="success")
@click.option("--text", help="What it printed, or has to say; `-` reads it from standard input.")
@pass_session
def ping(session: Session, *, name: str, kind: str, text: str | None) -> None:
    """Say for a script outside of Rota that it has succeeded, or failed, or starts.

    At the end of a line of a crontab: `dump.sh && rota ping nightly-dump`. When no success comes in time, that is
    late, then stale, as a job of Rota would be. What is watched is declared with `rota.watch` or in `freshness.watch`.
    """
    said = _read() if text == "-" else text
    kept = session.ask(tell, PingAsked(name=name, kind=PingKind(kind), output=said and _sent(said)))
    session.out.one("rota.ping/1", kept, [safe_text(_line(kept))])


def _read() -> str:
    """Return the end of what stands on standard input: that is where a script says how it ended."""
    kept = ""
    while piece := sys.stdin.read(1 << 16):
        kept = (kept + piece)[-MOST_SAID:]
    return kept


def _sent(text: str) -> str:
    """Return the end of a text, without what no store keeps."""
    return text[-MOST_SAID:].replace("\0", "").encode(errors="replace").decode()


def _line(ping: Ping) -> str:
    took = "" if ping.duration is None else f" after {rough_duration(ping.duration.total_seconds())}"
    return f"{ping.name}: {ping.kind}{took}"
