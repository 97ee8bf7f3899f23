"""What can be configured, its defaults, and what does not fit together.

Each field says its unit, default and meaning below it; the reference page is made from that. Where a value comes from
is the business of `loading`.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from rota.core.duration import duration_text
from rota.core.limits import Limit, LimitScope, parse_limit
from rota.core.policy import Retry
from rota.core.size import Size, size_text
from rota.errors import ConfigurationError
from rota.redaction import redacted
from rota.settings.alerts import AlertSettings
from rota.settings.freshness import FreshnessSettings
from rota.settings.metrics import MetricsSettings
from rota.settings.web import AuthSettings, WebSettings

DEFAULT = "default"

NOTHING_TO_MIGRATE = ("sqlite", "memory", "redis", "valkey")
"""What the URLs of stores begin with that any process may set up: they are its own, or there is nothing to create."""

LEAST_CAPTURED = Size(16 << 10)
"""Below this the head and the tail of a log would be a line or two."""


class Mode(StrEnum):
    """Where this process runs. Development is what conveniences need that are dangerous elsewhere."""

    PRODUCTION = "production"
    DEVELOPMENT = "development"


class Migrate(StrEnum):
    """What opening the store does about its schema."""

    AUTO = "auto"
    CHECK = "check"
    OFF = "off"


class LogFormat(StrEnum):
    """How log lines look: `auto` is `console` on a terminal and `json` elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least severe record that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class StoreSettings(Struct, frozen=True, kw_only=True):
    """The one store: runs, history, schedules, leases."""

    url: str = "sqlite:///rota.db"
    """Where the store is: `sqlite:///file`, `postgresql://…`, `mysql://…`, `mariadb://…`, `redis://…`, `memory://`,
    `blackhole://`. `env:NAME` reads it from that environment variable. A secret: also as `url_file`."""
    table_prefix: str = "rota_"
    """What the names of all tables start with."""
    schema: str = ""
    """The PostgreSQL schema of the tables; empty is the search path's first."""
    pool_size: int = 5
    """Connections that one process keeps open to the store; on a server as many again for single statements."""
    migrate: Migrate | None = None
    """What opening the store does about its schema: `auto` brings it up to date, `check` refuses one that does not
    fit, `off` asks nothing. Unset: `auto` on SQLite, on Redis and in development, `check` elsewhere."""

    def __repr__(self) -> str:
        # Settings end up in logs and tracebacks; the password of the store does not (R65).
        return f"StoreSettings(url={redacted(self.url)!r}, schema={self.schema!r}, table_prefix={self.table_prefix!r})"


class SchedulerSettings(Struct, frozen=True, kw_only=True):
    """Firing of slots."""

    tick: timedelta = timedelta(seconds=1)
    """How often the scheduler looks for slots that came due, at the latest."""
    max_catch_up: timedelta = timedelta(days=7)
    """How far back missed slots are made up. Runs of younger slots are never pruned: they show that the slot ran."""
    max_catch_up_parallel: int = 16
    """How many runs of one schedule's missed slots are out at once, over all tenants."""
    rows: timedelta = timedelta(seconds=15)
    """How often schedules that somebody wrote with SQL are looked for."""


class WorkerSettings(Struct, frozen=True, kw_only=True):
    """Taking and executing of runs."""

    processes: int = 0
    """How many worker processes `rota start` keeps; 0 is one for each processor core."""
    concurrency: int = 8
    """How many runs one process executes at once in threads and child processes."""
    coroutines: int = 500
    """How many `async def` jobs one process executes at once, beside those of `concurrency`."""
    queues: Mapping[str, int] = MappingProxyType({})
    """Queues that are worked, each with the number of runs it may have at once: `{ mail = 4, default = 8 }`. Empty:
    every queue that a job of the app names, each up to `concurrency`."""
    timeout: timedelta | None = timedelta(minutes=15)
    """How long an attempt may take where the job does not say; `"none"` is for ever."""
    lease: timedelta = timedelta(seconds=20)
    """How long a worker owns a run without renewing. At least three times `heartbeat`, so that one missed renewal and
    two seconds of clock skew do not hand a live run to another worker."""
    heartbeat: timedelta = timedelta(seconds=5)
    """How often a worker renews its leases."""
    margin: timedelta = timedelta(seconds=7)
    """How long before the end of a lease that could not be renewed its run is told to stop, so that it has stopped
    when another worker may start it. `lease - margin` is at least 1.5 times `heartbeat`."""
    drain: timedelta = timedelta(seconds=30)
    """How long a stopping process lets its runs finish before it tells them to stop and gives them back."""
    grace: timedelta = timedelta(seconds=30)
    """How long a run that is out of time, or cancelled, has to stop by itself, from the stop signal on."""
    kill_grace: timedelta = timedelta(seconds=5)
    """How long it has after that: a child process from SIGTERM to SIGKILL; a thread or coroutine until its worker
    process gives back everything else and replaces itself. A run whose lease is lost has only this time, and never more
    than `margin`, so that its code has stopped when the lease ends."""
    max_runs_per_child: int = 1
    """How many runs of process jobs one child process executes. 1 is a fresh child for each run; more makes small jobs
    cheap, and lets one run see what another left in the memory of its process."""
    max_rss: Size = Size(512 << 20)
    """A child process that holds more memory than this after a run is not used again."""
    preload: tuple[str, ...] = ()
    """Modules that are imported once, before child processes are made, so that none of them has to; the application's
    own always is."""
    environment: tuple[str, ...] = ("*",)
    """Which environment variables child processes get, as names with `*`. Never: variables that start with `ROTA_`; and
    those that hold the store's URL with its password, or the password, unless they are named here without `*`."""


class TenantSettings(Struct, frozen=True, kw_only=True):
    """Where tenants come from, where the app does not say."""

    source: str = ""
    """A list, callable or source of tenants, as `module:name`. Empty: what the app was given."""
    max_open_engines: int = 32
    """Tenant databases that one process keeps open; the one not used for longest is closed first."""
    max_per_host: int = 0
    """Runs of one process that use databases of the same host at once; 0 is without limit."""
    park_after: int = 3
    """A tenant whose database could not be reached so often in a row is parked; 0 parks nobody."""
    probe: timedelta = timedelta(seconds=30)
    """How long a parked tenant waits for its first probe; each one in vain doubles that."""
    probe_most: timedelta = timedelta(minutes=15)
    """The longest wait between two probes of a parked tenant."""
    allow_empty: bool = False
    """Whether a source that lists nobody is right. Otherwise it fails the round."""


class LimitSettings(Struct, frozen=True, kw_only=True):
    """How many runs run at once, and how many begin in a while, over all processes: `5`, `100/1m`, or `5 100/1m`. They
    win over what the code says, and give way to `rota limits set`. `"*"` is each one apart; `none` lifts a limit."""

    job: Mapping[str, str] = MappingProxyType({})
    """Of jobs: `{ send_mail = "5" }`."""
    queue: Mapping[str, str] = MappingProxyType({})
    """Of queues."""
    tenant: Mapping[str, str] = MappingProxyType({})
    """Of tenants: `{ "*" = "2" }`."""
    key: Mapping[str, str] = MappingProxyType({})
    """Of keys that enqueues name: `{ smtp = "10/1s" }`."""
    host: Mapping[str, str] = MappingProxyType({})
    """Of hosts of tenants' databases."""

    def read(self) -> list[Limit]:
        """Return them as the values that stores count.

        Raises:
            ConfigurationError: names the limit that is not understood.
        """
        return [
            parse_limit(scope, name, text)
            for scope, texts in (
                (LimitScope.JOB, self.job),
                (LimitScope.QUEUE, self.queue),
                (LimitScope.TENANT, self.tenant),
                (LimitScope.KEY, self.key),
                (LimitScope.HOST, self.host),
            )
            for name, text in texts.items()
        ]


class RetrySettings(Struct, frozen=True, kw_only=True):
    """How failed runs are repeated where the job does not say."""

    attempts: int = 3
    """How often a run is attempted in all."""
    base: timedelta = timedelta(seconds=10)
    """The first wait."""
    factor: float = 2.0
    """By how much each wait is longer than the one before."""
    max_wait: timedelta = timedelta(hours=1)
    """The longest wait."""
    jitter: bool = True
    """Whether a wait is drawn evenly between zero and its length, so that tenants which failed together do not come
    back together."""
    max_elapsed: timedelta | None = None
    """No further attempt begins later than this after the first one began; without limit if not set."""

    @property
    def policy(self) -> Retry:
        """Return it as the value that jobs carry."""
        return Retry(
            attempts=self.attempts,
            base=self.base,
            factor=self.factor,
            max_wait=self.max_wait,
            jitter=self.jitter,
            max_elapsed=self.max_elapsed,
        )


class RetentionSettings(Struct, frozen=True, kw_only=True):
    """How long history is kept. Never pruned: open runs, slots within `scheduler.max_catch_up`, each last run."""

    succeeded: timedelta = timedelta(days=30)
    """How long runs stay that succeeded or were skipped."""
    failed: timedelta = timedelta(days=90)
    """How long runs stay that failed or were cancelled."""
    logs: timedelta = timedelta(days=14)
    """How long what a run printed and logged is kept, counted from when it was written; the run itself stays."""
    audit: timedelta = timedelta(days=365)
    """How long it is kept who changed what."""
    rollups: timedelta = timedelta(days=400)
    """How long sums of days are kept, for `rota stats` and charts; those of hours at most 35 days, of minutes 2 days.
    Never pruned: what counters of Prometheus need."""


class LoggingSettings(Struct, frozen=True, kw_only=True):
    """The log of `rota start` and `rota tick`, on standard error."""

    format: LogFormat = LogFormat.AUTO
    """`console`, `json`, or `auto`: console on a terminal, JSON elsewhere."""
    level: LogLevel = LogLevel.INFO
    """`DEBUG`, `INFO`, `WARNING` or `ERROR`."""
    capture: bool = True
    """Whether what a run prints and logs is kept with the run, for `rota logs`. It goes to the log of the process too,
    with run, job and tenant on each line."""
    capture_level: LogLevel = LogLevel.INFO
    """The least severe log record that is kept with its run: `DEBUG`, `INFO`, `WARNING` or `ERROR`. What a job prints
    is always kept."""
    mask: tuple[str, ...] = ()
    """Names of arguments, and of fields in them and in results, whose values are never shown, beside the usual ones
    such as `password` and `token`."""
    capture_bytes: Size = Size(1 << 20)
    """How much of the output of one attempt is kept: the first half and the last; what comes between is dropped and
    counted. At least 16KB."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be configured."""

    app: str = ""
    """The Rota object, as `module:name`. Empty: looked for in `app.py`, `jobs.py` and `main.py`."""
    mode: Mode = Mode.PRODUCTION
    """`production` or `development`."""
    timezone: str = "UTC"
    """The zone of schedules that name none."""
    store: StoreSettings = StoreSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    worker: WorkerSettings = WorkerSettings()
    tenants: TenantSettings = TenantSettings()
    limits: LimitSettings = LimitSettings()
    retry: RetrySettings = RetrySettings()
    freshness: FreshnessSettings = FreshnessSettings()
    retention: RetentionSettings = RetentionSettings()
    logging: LoggingSettings = LoggingSettings()
    alerts: AlertSettings = AlertSettings()
    metrics: MetricsSettings = MetricsSettings()
    web: WebSettings = WebSettings()
    auth: AuthSettings = AuthSettings()
    origins: Mapping[str, str] = MappingProxyType({})
    """Where each key was set that does not have its default: `{"store.url": "environment ROTA_STORE"}`."""

    def origin(self, key: str) -> str:
        """Return where `key` was set, `default` if nowhere. A key that was set wins over what the code says."""
        return self.origins.get(key, DEFAULT)

    def migrate(self, url: str) -> Migrate:
        """Return what to do about the schema of the store at `url`."""
        if self.store.migrate is not None:
            return self.store.migrate
        relaxed = self.mode is Mode.DEVELOPMENT or url.startswith(NOTHING_TO_MIGRATE)
        return Migrate.AUTO if relaxed else Migrate.CHECK

    def check(self) -> None:
        """Refuse values that do not fit together.

        Raises:
            ConfigurationError: names both keys, what they are, and what would do.
        """
        for key, value, least in (
            ("store.pool_size", self.store.pool_size, 1),
            ("worker.processes", self.worker.processes, 0),
            ("worker.concurrency", self.worker.concurrency, 1),
            ("worker.coroutines", self.worker.coroutines, 1),
            ("worker.max_runs_per_child", self.worker.max_runs_per_child, 1),
            ("scheduler.max_catch_up_parallel", self.scheduler.max_catch_up_parallel, 1),
            ("tenants.max_open_engines", self.tenants.max_open_engines, 1),
            ("tenants.max_per_host", self.tenants.max_per_host, 0),
            ("tenants.park_after", self.tenants.park_after, 0),
            ("retry.attempts", self.retry.attempts, 1),
            ("retry.factor", self.retry.factor, 1),
            *((f"worker.queues.{name}", count, 1) for name, count in self.worker.queues.items()),
        ):
            if value < least:
                raise ConfigurationError(f"{key} is {value}: it must be at least {least}")
        if self.logging.capture_bytes < LEAST_CAPTURED:
            raise ConfigurationError(
                f"logging.capture_bytes is {size_text(self.logging.capture_bytes)}: it must be at least "
                f"{size_text(LEAST_CAPTURED)}; logging.capture = false keeps nothing"
            )
        for key, duration in (
            ("scheduler.tick", self.scheduler.tick),
            ("scheduler.rows", self.scheduler.rows),
            ("tenants.probe", self.tenants.probe),
            ("metrics.flush", self.metrics.flush),
            ("retention.rollups", self.retention.rollups),
            ("tenants.probe_most", self.tenants.probe_most),
            ("worker.lease", self.worker.lease),
            ("worker.heartbeat", self.worker.heartbeat),
            ("worker.kill_grace", self.worker.kill_grace),
            ("freshness.check_every", self.freshness.check_every),
            ("freshness.keep_flips", self.freshness.keep_flips),
            ("freshness.keep_pings", self.freshness.keep_pings),
            ("retry.max_elapsed", self.retry.max_elapsed),
        ):
            if duration is not None and duration <= timedelta(0):
                raise ConfigurationError(f"{key} is {duration_text(duration)}: it must be longer than nothing")
        self.limits.read()
        self.freshness.check()
        self.alerts.check()
        self.web.check()
        self.auth.check()
        self._check_lease()

    def _check_lease(self) -> None:
        worker = self.worker
        if worker.lease < 3 * worker.heartbeat:
            raise ConfigurationError(
                f"worker.lease is {duration_text(worker.lease)}: it must be at least three times worker.heartbeat "
                f"({duration_text(worker.heartbeat)}), so {duration_text(3 * worker.heartbeat)} or more"
            )
        if worker.lease - worker.margin < 1.5 * worker.heartbeat:
            most = max(worker.lease - 1.5 * worker.heartbeat, timedelta(0))
            raise ConfigurationError(
                f"worker.margin is {duration_text(worker.margin)}: with worker.lease {duration_text(worker.lease)} "
                f"and worker.heartbeat {duration_text(worker.heartbeat)} it must be at most {duration_text(most)}"
            )
