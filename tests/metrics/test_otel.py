"""Spans and metrics of runs, as OpenTelemetry's own exporters get them."""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from rota import Fail, Result, Retry, RunContext
from rota.metrics.otel import instrument
from rota.queries import RunQuery
from rota.settings import MetricsSettings, Settings
from tests.clocks import FakeClock
from tests.engine.house import Driven
from tests.engine.house import an_app as a_plain_app
from tests.values import HOUR, NOON, a_run

ONCE = Retry(attempts=1)


class Watched:
    """An application that is traced, and what has been seen of it."""

    def __init__(self, **settings):
        self.spans = InMemorySpanExporter()
        self.tracing = TracerProvider()
        self.tracing.add_span_processor(SimpleSpanProcessor(self.spans))
        self.reader = InMemoryMetricReader()
        self.metering = MeterProvider(metric_readers=[self.reader])
        self.clock = FakeClock()
        self.app = a_plain_app(clock=self.clock, settings=Settings(**settings))
        instrument(self.app, tracer_provider=self.tracing, meter_provider=self.metering)

    def work(self):
        house = Driven(self.app, self.clock)
        house.settle_down()
        return house

    def span(self):
        [span] = [span for span in self.spans.get_finished_spans() if span.kind is SpanKind.CONSUMER]
        return span

    def points(self, name):
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


def ran(function, *, watched=None, **policy):
    """Return what was seen of one run of this function."""
    watched = watched or Watched()
    job = watched.app.job(name="work", retry=ONCE, **policy)(function)
    job.enqueue()
    watched.work()
    return watched


def test_a_run_is_one_span_by_the_conventions_for_messages():  # R53
    watched = ran(lambda: None)

    span = watched.span()
    [run] = watched.app.store.runs(RunQuery())
    assert span.name == "run work"
    assert span.status.status_code is StatusCode.UNSET
    assert {
        "messaging.system": "rota",
        "messaging.operation.name": "run",
        "messaging.operation.type": "process",
        "messaging.destination.name": "default",
        "messaging.message.id": run.id,
        "rota.job": "work",
        "rota.attempt": 1,
    }.items() <= dict(span.attributes).items()


def test_a_run_is_linked_to_the_trace_that_it_was_enqueued_in():  # R53
    watched = Watched()
    work = watched.app.job(name="work")(lambda: None)
    with watched.tracing.get_tracer("web").start_as_current_span("request") as request:
        work.enqueue()

    watched.work()

    span = watched.span()
    [link] = span.links
    assert link.context.trace_id == request.get_span_context().trace_id
    assert link.context.span_id == request.get_span_context().span_id
    assert span.parent is None and span.context.trace_id != link.context.trace_id


def test_a_run_that_nobody_traced_is_linked_to_nothing():  # R53
    assert not ran(lambda: None).span().links


def test_spans_of_the_job_are_within_the_span_of_its_run():  # R53
    watched = Watched()

    def work():
        with watched.tracing.get_tracer("app").start_as_current_span("query"):
            pass

    ran(work, watched=watched)

    [query] = [span for span in watched.spans.get_finished_spans() if span.name == "query"]
    assert query.parent.span_id == watched.span().context.span_id


def raising():
    raise ValueError("password=hunter2")


def result():
    return Result(success=False, error=KeyError("hunter2"))


def said():
    return Result(success=False, error="hunter2")


def fail():
    return Fail("hunter2")


@pytest.mark.parametrize(
    ("function", "kind"), [(raising, "ValueError"), (result, "KeyError"), (said, "Unsuccessful"), (fail, "Fail")]
)
def test_a_failure_is_told_by_its_class_and_nothing_else_of_it(function, kind):  # R53, R65
    watched = ran(function)

    span = watched.span()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == kind
    assert "hunter2" not in span.to_json()
    assert not span.events


def test_a_coroutine_is_traced_too():  # R53
    async def work():
        return Fail("no")

    assert ran(work).span().attributes["error.type"] == "Fail"


def test_runs_are_counted_and_timed_by_the_conventions():  # R53
    watched = Watched()

    def work():
        watched.clock.tick(2 * HOUR / 3600)

    ran(work, watched=watched)

    [duration] = watched.points("messaging.process.duration")
    [consumed] = watched.points("messaging.client.consumed.messages")
    expected = {
        "messaging.system": "rota",
        "messaging.operation.name": "run",
        "messaging.destination.name": "default",
        "rota.job": "work",
    }
    assert dict(duration.attributes) == dict(consumed.attributes) == expected
    assert (duration.count, duration.sum, consumed.value) == (1, 2.0, 1)


@pytest.mark.parametrize(
    ("listed", "tenants"), [((), {None}), (("acme",), {None, "acme"}), (("*",), {"acme", "globex"})]
)
def test_metrics_name_only_tenants_on_the_list(listed, tenants):  # R53
    watched = Watched(metrics=MetricsSettings(tenant_label=listed))

    @watched.app.job(per_tenant=True)
    def work(ctx: RunContext):
        pass

    for tenant in ("acme", "globex"):
        work.using(tenant=tenant).enqueue()
    watched.work()

    points = watched.points("messaging.client.consumed.messages")
    assert {point.attributes.get("rota.tenant") for point in points} == tenants


class Broken(SpanProcessor):
    def on_start(self, span, parent_context=None):
        raise RuntimeError("no exporter")

    def on_end(self, span):
        raise RuntimeError("no exporter")


def test_telemetry_that_fails_fails_no_run(caplog):  # R53
    watched = Watched()
    watched.tracing.add_span_processor(Broken())

    ran(lambda: None, watched=watched)

    [run] = watched.app.store.runs(RunQuery())
    assert (run.state, run.error) == ("succeeded", None)
    assert "a run is not traced: RuntimeError" in caplog.text


@pytest.mark.parametrize("headers", ['{"traceparent":"nonsense"}', '"nonsense"', "7"])
def test_a_trace_that_is_none_is_no_link(headers):  # R53
    watched = Watched()
    watched.app.job(name="work")(lambda: None)
    text = f'{{"version":1,"values":{{"otel":{headers}}}}}'
    watched.app.store.enqueue([a_run(job="work", carried=text)], now=NOON)

    watched.work()

    assert not watched.span().links


def test_the_setting_instruments_with_the_providers_of_the_application():  # R53
    app = a_plain_app(settings=Settings(metrics=MetricsSettings(otel=True)))
    instrument(app)

    assert len(app._arounds) == 1


def test_nothing_is_traced_where_nothing_is_configured():  # R53
    assert a_plain_app()._arounds == []
