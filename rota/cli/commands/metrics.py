"""`rota metrics`: the exposition for Prometheus."""

import click

from rota.cli.command import RotaCommand
from rota.cli.session import Session, pass_session
from rota.operations.metrics import MetricsAsked, show_metrics


@click.command(cls=RotaCommand)
@click.option("--openmetrics", is_flag=True, help="In the format of OpenMetrics 1.0.")
@pass_session
def metrics(session: Session, *, openmetrics: bool) -> None:
    """Print all metrics as Prometheus reads them.

    Read from the store, so that every process says the same. With node_exporter's textfile collector it needs no port:
    rota metrics > rota.prom.new && mv rota.prom.new rota.prom
    """
    session.out.text(session.ask(show_metrics, MetricsAsked(openmetrics=openmetrics)).text.rstrip("\n"))
