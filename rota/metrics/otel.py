"""Traces and metrics for OpenTelemetry: a span for each run, linked to the trace that it was enqueued in (R53).

By the semantic conventions for messaging: a queue is a destination, a run a message that is processed. Where both are
sent is the business of the application's own providers.
"""

import logging
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rota.context import RunContext
from rota.core.returns import Fail
from rota.errors import CarriedUnreadable, MissingExtra
from rota.executors.call import UNSUCCESSFUL
from rota.relay import RelayStore
from rota.version import __version__

try:
    from opentelemetry import metrics, trace
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError as error:
    raise MissingExtra("otel", needed_for="OpenTelemetry") from error

if TYPE_CHECKING:
    from rota.app import Rota

log: logging.Logger = logging.getLogger(__name__)

CARRIED = "otel"
"""The name under which the trace is carried."""

FLUSH_MS = 2000
"""How long a child process may take to send its last span: it ends with its run."""

_traces = TraceContextTextMapPropagator()
_instrumented: "weakref.WeakSet[Rota]" = weakref.WeakSet()


def instrument(
    app: "Rota",
    *,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> None:
    """Make a span of each run of an application, and count it; without providers by the global ones.

    In the module that makes the application, so that every process does the same: those that enqueue carry their trace
    into the run, and child processes trace what runs in them. A second call does nothing.
    """
    if app in _instrumented:
        return
    _instrumented.add(app)
    telemetry = Telemetry(
        app,
        tracer_provider=tracer_provider or trace.get_tracer_provider(),
        meter_provider=meter_provider or metrics.get_meter_provider(),
    )
    app.carry(CARRIED, get=carried)
    app.around(telemetry.around)


def carried() -> dict[str, str] | None:
    """Return the trace that this code is in as headers; None outside of any. Nothing of its baggage, which may hold
    anything."""
    headers: dict[str, str] = {}
    _traces.inject(headers)
    return headers or None


class Telemetry:
    """Traces and counts the runs of one application."""

    def __init__(
        self, app: "Rota", *, tracer_provider: trace.TracerProvider, meter_provider: metrics.MeterProvider
    ) -> None:
        self._app = app
        self._providers = (tracer_provider, meter_provider)
        self._tracer = tracer_provider.get_tracer("rota", __version__)
        meter = meter_provider.get_meter("rota", __version__)
        self._durations = meter.create_histogram(
            "messaging.process.duration", unit="s", description="How long runs took."
        )
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages", unit="{message}", description="Attempts at runs that have begun."
        )
        self._has_complained = False

    @contextmanager
    def around(self, ctx: RunContext) -> Iterator[None]:
        """Be the span of a run. What goes wrong with it fails no run."""
        began_at = self._app.clock.monotonic()
        span = self._safely(lambda: self._begin(ctx)) or trace.INVALID_SPAN
        kind: str | None = None
        # What the job raises is described below: as it stands it may hold secrets.
        with trace.use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
            try:
                yield
                kind = _failure_of(ctx.returned)
            except BaseException as error:
                kind = type(error).__qualname__
                raise
            finally:
                took_s = self._app.clock.monotonic() - began_at
                self._safely(lambda: self._end(ctx, span, kind, took_s=took_s))

    def _begin(self, ctx: RunContext) -> trace.Span:
        run = ctx.run
        attributes: dict[str, Any] = {
            **_common(ctx),
            "messaging.operation.type": "process",
            "messaging.message.id": run.id,
            "rota.attempt": run.attempt,
            "rota.trigger": run.trigger.value,
        }
        for name, value in (("rota.tenant", run.tenant), ("rota.schedule", run.schedule)):
            if value is not None:
                attributes[name] = value
        if run.slot is not None:
            attributes["rota.slot"] = run.slot.isoformat()
        # A trace of its own: it may run a day after it was enqueued, and again.
        return self._tracer.start_span(
            f"run {run.job}", context=Context(), kind=SpanKind.CONSUMER, attributes=attributes, links=_links(ctx)
        )

    def _end(self, ctx: RunContext, span: trace.Span, kind: str | None, *, took_s: float) -> None:
        attributes = _common(ctx)
        apart = self._app.settings.metrics.tenant_label
        if ctx.run.tenant is not None and ("*" in apart or ctx.run.tenant in apart):
            attributes["rota.tenant"] = ctx.run.tenant
        if kind is not None:
            # The class and no more: messages and tracebacks are with the run, for who may see it (R65).
            attributes["error.type"] = kind
            span.set_attribute("error.type", kind)
            span.set_status(Status(StatusCode.ERROR))
        span.end()
        self._durations.record(took_s, attributes)
        self._consumed.add(1, attributes)
        if isinstance(self._app.store, RelayStore):
            # This process is about to end, and what its exporters still hold with it.
            for provider in self._providers:
                if (flush := getattr(provider, "force_flush", None)) is not None:
                    flush(FLUSH_MS)

    def _safely(self, work: Callable[[], Any]) -> Any:
        """Return what `work` does, or None: telemetry that fails never stops a job."""
        try:
            return work()
        # Exporters and processors are the application's own.
        except Exception as error:  # noqa: BLE001
            if not self._has_complained:
                self._has_complained = True
                log.warning("a run is not traced: %s: %s", type(error).__name__, error)
            return None


def _common(ctx: RunContext) -> dict[str, Any]:
    return {
        "messaging.system": "rota",
        "messaging.operation.name": "run",
        "messaging.destination.name": ctx.run.queue,
        "rota.job": ctx.run.job,
    }


def _links(ctx: RunContext) -> list[Link]:
    """Return a link to the span that the run was enqueued in, if there was one."""
    try:
        headers = ctx.carried.get(CARRIED)
    except CarriedUnreadable:
        return []
    if not isinstance(headers, Mapping):
        return []
    named = {str(name): str(value) for name, value in headers.items()}
    context = trace.get_current_span(_traces.extract(named, context=Context())).get_span_context()
    return [Link(context)] if context.is_valid else []


def _failure_of(returned: object) -> str | None:
    """Return as what a run fails by what it returned; None if it does not (R43)."""
    if isinstance(returned, Fail):
        return "Fail"
    if getattr(returned, "success", None) is not False:
        return None
    error = getattr(returned, "error", None)
    return type(error).__qualname__ if isinstance(error, BaseException) else UNSUCCESSFUL
