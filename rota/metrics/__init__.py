"""What jobs count of their own parts, and what monitoring reads (R53)."""

from typing import TYPE_CHECKING

from rota import numbers

if TYPE_CHECKING:
    from rota.app import Rota

__all__ = ["openmetrics", "prometheus", "record_failure", "record_success"]


def record_success(job: str, tenant: str | None = None) -> None:
    """Count that a part of a job, or work that a job does for somebody else, has succeeded.

    Apart from runs, under the name that is given: a job that visits tenants by itself records each of them. Also from
    child processes. Cheap, and never an error: what cannot be counted is said in the log.
    """
    numbers.record(numbers.here(), job, tenant, is_success=True)


def record_failure(job: str, tenant: str | None = None, error: object = None) -> None:
    """Count that a part of a job has failed; as `record_success`.

    Nothing of `error` is kept but its class, which is shown in the log of the run: a message may hold secrets.
    """
    if error is not None:
        numbers.log.warning("%s failed for %s: %s", job, tenant or "nobody in particular", _kind(error))
    numbers.record(numbers.here(), job, tenant, is_success=False)


def prometheus(app: "Rota") -> str:
    """Return all metrics as Prometheus reads them, the same from any process.

    Raises:
        MissingExtra: prometheus-client is not installed.
        StoreUnavailable: they could not be read.
    """
    return _exposition(app, is_open=False)


def openmetrics(app: "Rota") -> str:
    """As `prometheus`, in the format of OpenMetrics 1.0."""
    return _exposition(app, is_open=True)


def _exposition(app: "Rota", *, is_open: bool) -> str:
    # Weight by choice: a job that counts loads no client of Prometheus.
    from rota.metrics.exposition import exposition
    from rota.metrics.reading import read

    declared = [(name, function.registered.job.queue) for name, function in app.jobs.items()]
    reading = read(app.store, now=app.clock.now(), settings=app.settings, declared=declared)
    return exposition(reading, shows_tenants=bool(app.settings.metrics.tenant_label), is_open=is_open)


def _kind(error: object) -> str:
    return type(error).__qualname__ if isinstance(error, BaseException) else "error"
