"""The exposition: metrics as Prometheus and OpenMetrics read them (R53)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from rota.core.model import RoundState
from rota.core.rollup import BAD, EDGES_S, End, Rollup, Subject, added
from rota.core.safe import safe_text
from rota.errors import MissingExtra
from rota.metrics.reading import Reading
from rota.version import __version__

try:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        InfoMetricFamily,
        Metric,
        SummaryMetricFamily,
    )
    from prometheus_client.openmetrics import exposition as open_metrics
    from prometheus_client.registry import Collector

    from rota.metrics.text import text_of
except ImportError as error:
    raise MissingExtra("prometheus", needed_for="the exposition of metrics") from error

UNWELL = (RoundState.FAILED, RoundState.PARTIAL)

BOUNDS = (*(str(edge) for edge in EDGES_S), "+Inf")


def exposition(reading: Reading, *, shows_tenants: bool, is_open: bool = False) -> str:
    """Return all metrics as text, in the format of Prometheus or of OpenMetrics 1.0."""
    collector = ReadingCollector(reading, shows_tenants=shows_tenants)
    if not is_open:
        return text_of(collector.collect())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    # It has no types.
    text: bytes = open_metrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    return text.decode()


class ReadingCollector(Collector):
    """What the client collects: one reading of the store."""

    def __init__(self, reading: Reading, *, shows_tenants: bool) -> None:
        self._reading = reading
        self._names = ("tenant",) if shows_tenants else ()

    def collect(self) -> Iterator[Metric]:
        runs = self._reading.sums[Subject.RUN]
        places = {(one.key.job, one.key.queue, one.key.tenant) for one in runs}
        places |= {(job, queue, "") for job, queue in self._reading.declared}
        yield from self._runs([one for one in runs if End(one.key.outcome).is_last], places)
        yield self._counted(
            "rota_retries",
            "Attempts after which a run goes on: retried, snoozed, interrupted by a stop, or lost with its worker.",
            [one for one in runs if not End(one.key.outcome).is_last],
            ("queue", "reason"),
            lambda one: (one.key.queue, one.key.outcome),
            from_zero=[((job, queue, End.LOST), tenant) for job, queue, tenant in places],
        )
        yield from self._rounds()
        yield from self._own()
        yield from self._queues()
        yield from self._processes()

    def _runs(self, ended: Sequence[Rollup], places: Iterable[tuple[str, str, str]]) -> Iterator[Metric]:
        yield self._counted(
            "rota_runs",
            "Runs that are over, by how they ended.",
            ended,
            ("queue", "outcome"),
            lambda one: (one.key.queue, one.key.outcome),
            from_zero=[((job, queue, end), tenant) for job, queue, tenant in places for end in sorted(BAD)],
        )
        durations = HistogramMetricFamily(
            "rota_run_duration_seconds",
            "How long the last attempts of runs took.",
            labels=("job", "queue", *self._names),
        )
        waits = SummaryMetricFamily(
            "rota_run_wait_seconds",
            "How long after they were due the last attempts of runs began.",
            labels=("job", "queue", *self._names),
        )
        for one in _together(ended, lambda one: (one.key.job, one.key.queue, one.key.tenant)):
            labels = self._labels(one, one.key.queue)
            buckets = [*zip(BOUNDS, map(float, accumulate(one.buckets)), strict=True)]
            durations.add_metric(labels, buckets, sum_value=one.duration_sum.total_seconds())
            waits.add_metric(labels, count_value=sum(one.buckets), sum_value=one.wait_sum.total_seconds())
        yield durations
        yield waits

    def _rounds(self) -> Iterator[Metric]:
        rounds, tenants = self._reading.sums[Subject.ROUND], self._reading.sums[Subject.TENANT]
        yield self._counted(
            "rota_rounds",
            "Rounds that are over, by their sum.",
            rounds,
            ("outcome",),
            lambda one: (one.key.outcome,),
            from_zero=[((job, end), "") for job in {one.key.job for one in rounds} for end in UNWELL],
        )
        yield self._counted(
            "rota_round_tenants",
            "Runs of rounds that are over, one for each tenant, by how they ended.",
            tenants,
            ("outcome",),
            lambda one: (one.key.outcome,),
            from_zero=[((one.key.job, End.FAILED), "") for one in tenants],
        )
        passes = SummaryMetricFamily(
            "rota_round_duration_seconds",
            "How long rounds took over all tenants, from their firing to their end.",
            labels=("job", *self._names),
        )
        for one in _together(rounds, lambda one: (one.key.job, one.key.tenant)):
            passes.add_metric(self._labels(one), count_value=one.number, sum_value=one.duration_sum.total_seconds())
        yield passes

    def _own(self) -> Iterator[Metric]:
        parts = self._reading.sums[Subject.PART]
        yield self._counted(
            "rota_parts",
            "Parts that jobs measured by themselves: rota.metrics.record_success and record_failure.",
            parts,
            ("outcome",),
            lambda one: (one.key.outcome,),
            from_zero=[((one.key.job, End.FAILED), one.key.tenant) for one in parts],
        )
        numbers = SummaryMetricFamily(
            "rota_job_number", "Numbers that jobs count or return, summed up.", labels=("job", "name", *self._names)
        )
        for measure in self._reading.measures:
            key = measure.key
            labels = (safe_text(key.job), safe_text(key.name), *(safe_text(key.tenant) for _ in self._names))
            numbers.add_metric(labels, count_value=measure.number, sum_value=measure.total)
        yield numbers

    def _queues(self) -> Iterator[Metric]:
        standing = self._reading.standing
        runs = GaugeMetricFamily("rota_queue_runs", "Open runs of a queue, by state.", labels=("queue", "state"))
        for queue, states in sorted(standing.queued.items()):
            for state, number in sorted(states.items()):
                runs.add_metric((safe_text(queue), state.value), number)
        yield runs
        yield _gauges(
            "rota_queue_oldest_age_seconds",
            "How long ago the run was due that waits longest in a queue.",
            "queue",
            {queue: age.total_seconds() for queue, age in standing.oldest.items()},
        )

    def _processes(self) -> Iterator[Metric]:
        standing = self._reading.standing
        lag = GaugeMetricFamily("rota_schedule_lag_seconds", "How late the slot is that should have fired longest ago.")
        lag.add_metric((), standing.lag.total_seconds())
        yield lag
        yield _gauges(
            "rota_loop_age_seconds",
            "How long a loop of a live worker process has not come round, where that is longest.",
            "loop",
            {name: age.total_seconds() for name, age in standing.loops.items()},
        )
        yield _gauges("rota_workers", "Worker processes, by whether they are heard of.", "state", standing.workers)
        yield _gauges(
            "rota_pairs",
            "Pairs of schedule and tenant that have not succeeded in time, by state.",
            "state",
            standing.overdue,
        )
        yield _gauges("rota_incidents", "Incidents that are not over, by kind.", "kind", standing.incidents)
        yield InfoMetricFamily("rota_build", "The version of Rota that answered.", value={"version": __version__})

    def _counted(
        self,
        name: str,
        text: str,
        rollups: Iterable[Rollup],
        also: Sequence[str],
        values: Callable[[Rollup], Sequence[str]],
        *,
        from_zero: Iterable[tuple[Sequence[str], str]],
    ) -> Metric:
        """Return a counter with a series for each sum, labelled with job, `also`, and tenant where it is shown.

        Those `from_zero`, with their labels and tenant, are there before anything is counted: of a series that begins
        with 1 Prometheus sees no increase, and the first failure of a job would ring nowhere.
        """
        family = CounterMetricFamily(name, text, labels=("job", *also, *self._names))
        counted = {self._labels(one, *values(one)): one.number for one in rollups}
        zeros = {self._named(labels, tenant) for labels, tenant in from_zero} - counted.keys()
        for labels, number in [*counted.items(), *((labels, 0) for labels in sorted(zeros))]:
            family.add_metric(labels, number)
        return family

    def _labels(self, one: Rollup, *also: str) -> tuple[str, ...]:
        return self._named((one.key.job, *also), one.key.tenant)

    def _named(self, labels: Sequence[str], tenant: str) -> tuple[str, ...]:
        return (*map(safe_text, labels), *(safe_text(tenant) for _ in self._names))


def _together(rollups: Iterable[Rollup], by: Callable[[Rollup], tuple[str, ...]]) -> Iterator[Rollup]:
    """Yield sums over all outcomes, in the order of what they are put together by."""
    found: dict[tuple[str, ...], Rollup] = {}
    for one in rollups:
        key = by(one)
        found[key] = added(found[key], one) if key in found else one
    for key in sorted(found):
        yield found[key]


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value in sorted(values):
        family.add_metric((safe_text(value),), values[value])
    return family
