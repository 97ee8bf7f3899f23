"""`rota generate`: files for the systems around Rota."""

import json

import click

from rota.cli.command import RotaCommand, RotaGroup
from rota.cli.session import Session, pass_session


@click.group(cls=RotaGroup)
def generate() -> None:
    """Write files for the systems around Rota: dashboards, alert rules, the document of the API."""


@generate.command(cls=RotaCommand)
@pass_session
def grafana(session: Session) -> None:
    """Print a dashboard for Grafana 10 or later, over the metrics in Prometheus."""
    from rota.metrics.dashboard import dashboard

    session.out.text(json.dumps(dashboard(), indent=2))


@generate.command(name="prometheus-rules", cls=RotaCommand)
@pass_session
def prometheus_rules(session: Session) -> None:
    """Print alert rules for Prometheus: for who is told by Alertmanager, beside or instead of Rota's own alerts."""
    from rota.metrics.rules import rules

    session.out.text(rules().rstrip("\n"))


@generate.command(cls=RotaCommand, store=False)
@pass_session
def openapi(session: Session) -> None:
    """Print the OpenAPI 3.1 document of the HTTP API."""
    from rota.operations.document import document
    from rota.operations.table import OPERATIONS

    session.out.text(json.dumps(document(OPERATIONS), indent=2))
