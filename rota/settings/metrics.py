"""What can be configured of metrics."""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct


class CloudWatchMode(StrEnum):
    """How metrics go to CloudWatch."""

    OFF = "off"
    EMF = "emf"
    API = "api"


class MetricsSettings(Struct, frozen=True, kw_only=True):
    """Sums of what ran, and where they are shown."""

    flush: timedelta = timedelta(seconds=5)
    """How often each process adds what it has counted to the sums in the store. A process that is killed takes what it
    counted since then with it; the runs themselves are in the store."""
    tenant_label: tuple[str, ...] = ()
    """The tenants that have series of their own in Prometheus, OpenTelemetry and CloudWatch; `"*"` is every one. All
    others are counted together, so that a thousand tenants are not a thousand series of each job."""
    otel: bool = False
    """Whether each run is a span of OpenTelemetry, linked to the trace that it was enqueued in, and counted there. Goes
    where the application's own tracer and meter providers send it."""
    cloudwatch: CloudWatchMode = CloudWatchMode.OFF
    """`off`; `emf` writes lines in CloudWatch's embedded metric format; `api` sends to CloudWatch itself, with the
    credentials that boto3 finds. By whoever watches; of several, one sends each minute."""
    cloudwatch_namespace: str = "Rota"
    """The namespace there."""
    cloudwatch_agent: str = ""
    """Where `emf` lines go: `tcp://127.0.0.1:25888` or `udp://127.0.0.1:25888`, an agent's socket. Empty: standard
    output."""
    cloudwatch_region: str = ""
    """The region of `api`. Empty: what boto3 finds."""
