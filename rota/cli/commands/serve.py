"""`rota serve`: the HTTP door."""

import click

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.exits import Exit


@click.command(cls=RotaCommand, exits={Exit.REFUSED: "the schema does not fit this code: rota db upgrade"})
@click.option("--host", help="Bind this address. Default: the setting web.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Bind this port; 0 is a free one.")
@click.option("--read-only", is_flag=True, default=None, help="Refuse everything that changes something.")
@click.option("--root-path", help="The prefix under which a proxy shows it.")
@pass_session
def serve(
    session: Session, *, host: str | None, port: int | None, read_only: bool | None, root_path: str | None
) -> None:
    """Answer over HTTP: the API, triggers, health and metrics.

    SIGTERM and Ctrl-C let requests end that it has begun to answer, for web.drain at most; a second one ends at once.
    """
    session.override({"web.host": host, "web.port": port, "web.read_only": read_only, "web.root_path": root_path})
    app = session.app
    # Weight by choice: only who serves loads the server.
    from rota.web.serving import listening, serve_until_told

    start_logging(app.settings, verbosity=session.out.verbosity)
    with listening(app.settings) as door:
        session.out.say(f"rota: {door.url}")
        serve_until_told(app, door)
