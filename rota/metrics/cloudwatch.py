"""Metrics for CloudWatch: as lines in its embedded metric format, or through its API (R53).

A minute is told by one process, once it is over: of several that watch, whoever takes its number first. What is counted
later, by a process that was cut off from the store meanwhile, is in the sums and not there.
"""

import json
import logging
import math
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Protocol
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from rota.core.rollup import (
    BAD,
    BEGINNING,
    EDGES_S,
    End,
    Grain,
    Rollup,
    Sheet,
    Subject,
    added,
    start_of,
)
from rota.core.safe import safe_text
from rota.errors import ConfigurationError, MissingExtra
from rota.metrics.reading import KEPT, Standing, standing
from rota.premises import Premises
from rota.queries import RollupQuery
from rota.settings import CloudWatchMode, MetricsSettings

log: logging.Logger = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
LATE = timedelta(seconds=20)
"""How long after its end a minute is told: processes add what they counted every few seconds."""

MOST_JOBS = 500
"""Jobs that are told of: each is several metrics, and CloudWatch is paid for by the metric."""
MOST_WAITING = 15
"""Minutes that are kept for a sink that fails, and told when it works again."""
LONGEST_NAME = 1024
MOST_VALUES = 100
"""Values of one metric in a line of the embedded format."""
MOST_DATA = 500
"""Metrics in one call of the API; its limit is 1,000, and 1 MB."""
CONNECT_S = 3
ANSWER_S = 10


class Datum(Struct, frozen=True, kw_only=True):
    """One metric of one minute."""

    name: str
    unit: str
    dimensions: dict[str, str]
    values: tuple[float, ...]
    counts: tuple[int, ...]
    """How often each of the values was met."""


class Minute(Struct, frozen=True, kw_only=True):
    """What is told of one minute."""

    at: datetime
    data: tuple[Datum, ...]


class Sink(Protocol):
    """Where minutes are sent."""

    failures: tuple[type[Exception], ...]
    """What it raises when it cannot send."""

    def send(self, minute: Minute) -> None:
        """Send a minute; it may be sent again after an error."""


class Publisher:
    """Tells CloudWatch of each minute that is over. In a loop of its own: a sink that fails delays nobody, keeps some
    minutes waiting, and is complained about once."""

    def __init__(self, premises: Premises, sink: Sink) -> None:
        self._premises = premises
        self._sink = sink
        self._settings = premises.settings.metrics
        # One for each namespace and kind of sink: the number of a minute is taken once in each.
        named = f"{self._settings.cloudwatch}\0{self._settings.cloudwatch_namespace}"
        self._source = f"cw{blake2b(named.encode(), digest_size=15).hexdigest()}"
        self._waiting: deque[Minute] = deque(maxlen=MOST_WAITING)
        self._is_failing = False

    def tick(self, now: datetime) -> timedelta:
        """Tell the last minute that is over, unless somebody has."""
        minute = start_of(Grain.MINUTE, now - LATE) - MINUTE
        store = self._premises.store
        # An empty sheet: of all who bring this number, one is told that it was new.
        if store.rollups.add(Sheet(source=self._source, number=(minute - BEGINNING) // MINUTE), now=now):
            self._waiting.append(Minute(at=minute, data=tuple(map(_as_taken, self._data(minute, now)))))
        self._send()
        return minute + 2 * MINUTE + LATE - now

    def _send(self) -> None:
        while self._waiting:
            try:
                self._sink.send(self._waiting[0])
            except self._sink.failures as error:
                if not self._is_failing:
                    # Its class and no more: a message may hold an address with a token in it.
                    log.warning("metrics do not get to CloudWatch: %s; tried again each minute", type(error).__name__)
                self._is_failing = True
                return
            if self._is_failing:
                log.info("metrics get to CloudWatch again")
            self._is_failing = False
            self._waiting.popleft()

    def _data(self, minute: datetime, now: datetime) -> Iterable[Datum]:
        apart = self._settings.tenant_label
        query = RollupQuery(
            grain=Grain.MINUTE,
            since=minute,
            until=minute + MINUTE,
            by=(KEPT if apart else KEPT - {"tenant"}) - {"queue"},
        )
        sums = self._premises.store.rollups.rollups(query)
        yield from _of_jobs(sums, apart=lambda tenant: bool(tenant) and ("*" in apart or tenant in apart))
        yield from _of_now(standing(self._premises.store, now=now, lease=self._premises.settings.worker.lease))


def make_publisher(premises: Premises) -> Publisher | None:
    """Return what tells CloudWatch, if the settings say so.

    Raises:
        MissingExtra: boto3 is not installed, and `api` needs it.
        ConfigurationError: the address of the agent cannot be understood.
    """
    settings = premises.settings.metrics
    match settings.cloudwatch:
        case CloudWatchMode.OFF:
            return None
        case CloudWatchMode.EMF:
            return Publisher(premises, Lines(settings.cloudwatch_namespace, agent=settings.cloudwatch_agent))
        case CloudWatchMode.API:
            return Publisher(premises, Api(settings))


# --- what is told ---


def _as_taken(datum: Datum) -> Datum:
    """Return a metric whose dimensions CloudWatch takes: one that it refuses takes all metrics of its call along."""
    return replace(datum, dimensions={name: _plain(value) for name, value in datum.dimensions.items()})


def _plain(name: str) -> str:
    """Return a name of a job, a queue or a tenant in printable ASCII: nothing else may be a dimension."""
    plain = safe_text(name).encode("ascii", "backslashreplace").decode()
    return plain[:LONGEST_NAME] if plain.strip() else f"'{plain[: LONGEST_NAME - 2]}'"


def _of_jobs(sums: Sequence[Rollup], *, apart: Callable[[str], bool]) -> Iterable[Datum]:
    jobs = sorted({one.key.job for one in sums})
    if len(jobs) > MOST_JOBS:
        log.warning("CloudWatch is told of %d jobs of %d", MOST_JOBS, len(jobs))
        jobs = jobs[:MOST_JOBS]
    for job in jobs:
        own = [one for one in sums if one.key.job == job]
        runs = [one for one in own if one.key.subject is Subject.RUN]
        yield from _of_runs(runs, {"Job": job})
        for tenant in sorted({one.key.tenant for one in runs if apart(one.key.tenant)}):
            yield from _of_runs([one for one in runs if one.key.tenant == tenant], {"Job": job, "Tenant": tenant})
        yield from _counted(own, Subject.ROUND, "Rounds", {"Job": job})
        yield from _counted(own, Subject.PART, "Parts", {"Job": job})
        failed = [one for one in own if one.key.subject is Subject.TENANT and one.key.outcome == End.FAILED]
        if failed:
            yield _one("TenantsFailed", sum(one.number for one in failed), {"Job": job})


def _of_runs(runs: Sequence[Rollup], dimensions: dict[str, str]) -> Iterable[Datum]:
    over = [one for one in runs if End(one.key.outcome).is_last]
    if not over:
        return
    yield _one("Runs", sum(one.number for one in over), dimensions)
    # Also when it is none: an alarm needs the zero.
    yield _one("FailedRuns", sum(one.number for one in over if End(one.key.outcome) in BAD), dimensions)
    whole = over[0]
    for one in over[1:]:
        whole = added(whole, one)
    begun = sum(whole.buckets)
    if begun:
        found = [(_middle(i, whole), number) for i, number in enumerate(whole.buckets) if number]
        values, counts = zip(*found, strict=True)
        yield Datum(name="RunDuration", unit="Seconds", dimensions=dimensions, values=values, counts=counts)
        yield _one("RunWait", whole.wait_sum.total_seconds() / begun, dimensions, unit="Seconds")


def _counted(sums: Sequence[Rollup], subject: Subject, name: str, dimensions: dict[str, str]) -> Iterable[Datum]:
    numbers: dict[str, int] = {}
    for one in sums:
        if one.key.subject is subject:
            numbers[one.key.outcome] = numbers.get(one.key.outcome, 0) + one.number
    for outcome, number in sorted(numbers.items()):
        yield _one(name, number, dimensions | {"Outcome": outcome})


def _of_now(now: Standing) -> Iterable[Datum]:
    for queue, states in sorted(now.queued.items()):
        for state, number in sorted(states.items()):
            yield _one("QueueRuns", number, {"Queue": queue, "State": state.value})
    for queue, age in sorted(now.oldest.items()):
        yield _one("QueueOldestAge", age.total_seconds(), {"Queue": queue}, unit="Seconds")
    yield _one("ScheduleLag", now.lag.total_seconds(), {}, unit="Seconds")
    yield _one("Workers", now.workers["alive"], {})
    yield _one("StalePairs", now.overdue["stale"], {})
    yield _one("Incidents", sum(now.incidents.values()), {})


def _one(name: str, value: float, dimensions: dict[str, str], *, unit: str = "Count") -> Datum:
    return Datum(name=name, unit=unit, dimensions=dimensions, values=(float(value),), counts=(1,))


def _middle(bucket: int, whole: Rollup) -> float:
    """Return the duration that stands for a bucket: its middle as people see it, and none longer than there was."""
    most = whole.duration_most.total_seconds()
    if bucket == 0:
        return min(EDGES_S[0] / 2, most)
    if bucket == len(EDGES_S):
        return most
    return min(math.sqrt(EDGES_S[bucket - 1] * EDGES_S[bucket]), most)


# --- where it goes ---


class Lines:
    """Lines in the embedded metric format, to standard output or to the socket of an agent."""

    failures: tuple[type[Exception], ...] = (OSError, ValueError)

    def __init__(self, namespace: str, *, agent: str = "") -> None:
        self._namespace = namespace
        parts = urlsplit(agent)
        if agent and (parts.scheme not in ("tcp", "udp") or parts.hostname is None or parts.port is None):
            raise ConfigurationError("metrics.cloudwatch_agent: expected tcp://HOST:PORT or udp://HOST:PORT")
        self._kind, self._host, self._port = parts.scheme, parts.hostname or "", parts.port or 0

    def send(self, minute: Minute) -> None:
        lines = [line.encode() + b"\n" for line in lines_of(minute, self._namespace)]
        match self._kind:
            case "tcp":
                with socket.create_connection((self._host, self._port), timeout=CONNECT_S) as connection:
                    connection.sendall(b"".join(lines))
            case "udp":
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    for line in lines:
                        sender.sendto(line, (self._host, self._port))
            case _:
                sys.stdout.write(b"".join(lines).decode())
                sys.stdout.flush()


def lines_of(minute: Minute, namespace: str) -> list[str]:
    """Return the lines of a minute: one for all metrics of the same dimensions."""
    by_dimensions: dict[tuple[tuple[str, str], ...], list[Datum]] = {}
    for datum in minute.data:
        by_dimensions.setdefault(tuple(sorted(datum.dimensions.items())), []).append(datum)
    return [_line(minute.at, namespace, dict(named), data) for named, data in by_dimensions.items()]


def _line(at: datetime, namespace: str, dimensions: dict[str, str], data: Sequence[Datum]) -> str:
    directive = {
        "Namespace": namespace,
        "Dimensions": [sorted(dimensions)],
        "Metrics": [{"Name": datum.name, "Unit": datum.unit} for datum in data],
    }
    root = {"_aws": {"Timestamp": (at - BEGINNING) // timedelta(milliseconds=1), "CloudWatchMetrics": [directive]}}
    # ASCII only: no character of a tenant's reaches a terminal as it is.
    return json.dumps(root | dimensions | {datum.name: _target(datum) for datum in data}, separators=(",", ":"))


def _target(datum: Datum) -> float | list[float]:
    """Return the value of a metric. The format has no counts: of more values than fit, their shares are told."""
    if datum.counts == (1,):
        return datum.values[0]
    total = sum(datum.counts)
    # At least one of each: what was met once in a thousand is what percentiles are about. Never over the most.
    room = MOST_VALUES - len(datum.counts)
    scale = min(1.0, room / total)
    times = datum.counts if total <= MOST_VALUES else tuple(1 + int(count * scale) for count in datum.counts)
    return [value for value, number in zip(datum.values, times, strict=True) for _ in range(number)]


class Api:
    """The API of CloudWatch, by boto3."""

    def __init__(self, settings: MetricsSettings) -> None:
        # Weight by choice: half a second, for who sends to the API and nobody else.
        try:
            import boto3
            from botocore.config import Config
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as error:
            raise MissingExtra("cloudwatch", needed_for="metrics.cloudwatch = 'api'") from error
        self.failures: tuple[type[Exception], ...] = (BotoCoreError, ClientError, OSError)
        self._namespace = settings.cloudwatch_namespace
        self._client = boto3.client(
            "cloudwatch",
            region_name=settings.cloudwatch_region or None,
            config=Config(connect_timeout=CONNECT_S, read_timeout=ANSWER_S, retries={"total_max_attempts": 2}),
        )

    def send(self, minute: Minute) -> None:
        for first in range(0, len(minute.data), MOST_DATA):
            self._client.put_metric_data(
                Namespace=self._namespace,
                MetricData=[
                    {
                        "MetricName": datum.name,
                        "Dimensions": [{"Name": name, "Value": value} for name, value in datum.dimensions.items()],
                        "Timestamp": minute.at,
                        "Unit": datum.unit,  # type: ignore[typeddict-item]  # one of ours, which are a few of theirs
                        "Values": list(datum.values),
                        "Counts": [float(count) for count in datum.counts],
                    }
                    for datum in minute.data[first : first + MOST_DATA]
                ],
            )
