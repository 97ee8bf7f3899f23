"""`rota ping`: a script outside of Rota says how it is."""

import sys

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.core.duration import rough_duration
from rota.core.safe import safe_text
from rota.core.watched import Ping, PingKind
from rota.exits import Exit
from rota.pings import LONGEST_TEXT


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
    kept = session.app.pings.record(name, kind, text=said)
    session.out.one("rota.ping/1", kept, [safe_text(_line(kept))])


def _read() -> str:
    """Return the end of what stands on standard input: that is where a script says how it ended."""
    kept = ""
    while piece := sys.stdin.read(1 << 16):
        # Twice as much as is kept: of a secret that is cut in two here, neither half could be found later.
        kept = (kept + piece)[-2 * LONGEST_TEXT :]
    return kept


def _line(ping: Ping) -> str:
    took = "" if ping.duration is None else f" after {rough_duration(ping.duration.total_seconds())}"
    return f"{ping.name}: {ping.kind}{took}"
