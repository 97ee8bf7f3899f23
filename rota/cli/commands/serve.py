"""`rota serve`: the HTTP door."""

import click

from rota.cli.command import RotaCommand
from rota.cli.logs import start_logging
from rota.cli.session import Session, pass_session
from rota.core.safe import safe_text
from rota.errors import MissingExtra


@click.command(cls=RotaCommand)
@click.option("--host", help="Bind this address. Default: the setting web.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Bind this port; 0 is a free one.")
@click.option("--root-path", help="The prefix under which a proxy shows it.")
@pass_session
def serve(session: Session, *, host: str | None, port: int | None, root_path: str | None) -> None:
    """Answer over HTTP: the API, triggers, health and metrics."""
    session.override({"web.host": host, "web.port": port, "web.root_path": root_path})
    app = session.app
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("web", needed_for="rota serve") from error
    web = app.settings.web
    start_logging(app.settings, verbosity=session.flags.verbose)
    config = uvicorn.Config(
        app.asgi_app(), host=web.host, port=web.port, root_path=web.root_path, log_config=None, access_log=False
    )
    session.out.say(f"rota: http://{safe_text(web.host)}:{web.port}")
    uvicorn.Server(config).run()
