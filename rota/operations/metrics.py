"""What is asked about all numbers together."""

from msgspec import Struct

from rota.core.access import Capability
from rota.metrics import openmetrics, prometheus
from rota.operations.operation import Desk, Question, operation


class MetricsAsked(Question, frozen=True, kw_only=True):
    """In which form."""

    openmetrics: bool = False
    """In that of OpenMetrics 1.0, and not of Prometheus."""


class Exposition(Struct, frozen=True, kw_only=True):
    """All metrics as text. Whoever scrapes asks `/metrics`, which is nothing but the text."""

    text: str


@operation("GET", "/api/v1/metrics", needs=Capability.READ, is_whole=True)
def show_metrics(desk: Desk, asked: MetricsAsked) -> Exposition:
    """Show all metrics as text. Read from the store, so that every process says the same."""
    return Exposition(text=(openmetrics if asked.openmetrics else prometheus)(desk.app))
