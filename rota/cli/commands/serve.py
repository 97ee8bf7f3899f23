"""`rota serve`: the HTTP door."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.clock import SystemClock
from rota.exits import Exit

if TYPE_CHECKING:
    from rota.web.serving import OpenDoor


@click.command(
    cls=RotaCommand,
    exits={
        Exit.REFUSED: "the schema does not fit this code: rota db upgrade",
        Exit.INTERRUPTED: "a second Ctrl-C ended it at once",
    },
)
@click.option("--host", help="Bind this address. Default: the setting web.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Bind this port; 0 is a free one.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes that answer. Default: web.workers.")
@click.option("--read-only", is_flag=True, default=None, help="Refuse everything that changes something.")
@click.option("--root-path", help="The prefix under which a proxy shows it.")
@click.option("--door-process", nargs=3, type=int, hidden=True, help="Its place, and the descriptors that it has.")
@pass_session
def serve(
    session: Session,
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    read_only: bool | None,
    root_path: str | None,
    door_process: tuple[int, int, int] | None,
) -> None:
    """Answer over HTTP: the API, triggers, health and metrics.

    The first SIGTERM or Ctrl-C lets requests end that it has begun to answer, for web.drain at most, and it ends with
    0; a second Ctrl-C ends it at once. With several workers SIGHUP replaces them one by one, with the code and the
    settings of now, and no request is refused meanwhile.
    """
    session.override(
        {
            "web.host": host,
            "web.port": port,
            "web.workers": workers,
            "web.read_only": read_only,
            "web.root_path": root_path,
        }
    )
    app = session.app
    start_logging(app.settings, verbosity=session.out.verbosity)
    # Weight by choice: only who serves loads the server.
    from rota.web.door_process import answer_for
    from rota.web.serving import Ending, listening, serve_until_told

    if door_process is not None:
        _, descriptor, socket_descriptor = door_process
        answer_for(app, descriptor=descriptor, socket_descriptor=socket_descriptor)
        return
    with listening(app.settings) as door:
        session.out.say(f"rota: {door.url}")
        if app.settings.web.workers > 1:
            click.get_current_context().exit(_supervised(session, door))
        if not serve_until_told(app, door.socket, Ending(), ready=lambda: None):
            raise KeyboardInterrupt


def _supervised(session: Session, door: "OpenDoor") -> int:
    """Keep as many processes answering at the socket as the settings say, and return the exit code."""
    from rota.engine.supervisor import Supervisor

    words: Sequence[str] = click.get_current_context().find_root().meta["rota.args"]
    number = door.socket.fileno()

    def command(place: int, descriptor: int) -> list[str]:
        own = ["--door-process", str(place), str(descriptor), str(number)]
        return [sys.executable, "-m", "rota", *words, *own]

    supervisor = Supervisor(command, say=session.out.say, monotonic=SystemClock().monotonic, keeps=(number,))
    return supervisor.run()
