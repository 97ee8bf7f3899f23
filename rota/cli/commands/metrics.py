"""`rota metrics`: the exposition for Prometheus."""

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session


@click.command(cls=RotaCommand)
@click.option("--openmetrics", is_flag=True, help="In the format of OpenMetrics 1.0.")
@pass_session
def metrics(session: Session, *, openmetrics: bool) -> None:
    """Print all metrics as Prometheus reads them.

    Read from the store, so that every process says the same. With node_exporter's textfile collector it needs no port:
    rota metrics > rota.prom.new && mv rota.prom.new rota.prom
    """
    # Weight by choice: only who asks for metrics loads the client.
    from rota.metrics import openmetrics as open_text
    from rota.metrics import prometheus

    session.out.text((open_text if openmetrics else prometheus)(session.app).rstrip("\n"))
