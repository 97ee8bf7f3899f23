"""Failures and schedules to Sentry: each failure once, each slot as a check-in (R54)."""

import atexit
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from rota.app import Rota
from rota.core.events import AttemptEnded, RoundEnded, RunLost, RunStarted
from rota.core.freshness import Allowance
from rota.core.model import Outcome, Round, RoundState, Run, RunKind, Settlement, State, Trigger
from rota.core.policy import WITHOUT_END
from rota.errors import ConfigurationError, MissingExtra
from rota.integrations.sentry_event import check_in_of, event_of
from rota.integrations.sentry_monitor import monitor_of, slug_of
from rota.redaction import SECRETS
from rota.schedules import timing_of

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk.client import BaseClient

OWN_LOGGERS = ("rota", "rota.[!j]*")
"""Patterns of the loggers that are Rota's: all but `rota.job`, which is what jobs log with."""
FAILURES = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST)
SHUTDOWN = timedelta(seconds=2)
"""How long the end of a process waits for what is left to be sent."""
REMEMBERED = timedelta(minutes=10)
"""How long what a monitor is made of is taken for what it still is."""


def report_to_sentry(
    rota: Rota,
    *,
    dsn: str | None = None,
    environment: str | None = None,
    release: str | None = None,
    check_ins: bool = True,
) -> "SentryReports":
    """Report each run that failed for good once, and each slot of a schedule as a check-in. Of a run that is tried
    until it succeeds, as the commands of a crontabber's list are, each attempt that failed is reported.

    With a `dsn` through a client of its own, which collects nothing else; without one through the client that the
    application has made with `sentry_sdk.init()`, where there is one. Either way only what stands here is sent: no
    arguments, no local variables, no request. Sending is the SDK's own thread's business: events wait in a queue of a
    bounded length and are dropped when it is full, so that a Sentry that is away or slow holds up no job (H2).

    Raises:
        MissingExtra: sentry-sdk is not installed.
        ConfigurationError: the DSN is none.
    """
    reports = SentryReports(rota, client=_client(dsn, environment=environment, release=release) if dsn else None)
    rota.on(AttemptEnded)(lambda event: reports.settled(event.settlement))
    rota.on(RunLost)(lambda event: reports.settled(event.settlement))
    if check_ins:
        rota.on(RunStarted)(lambda event: reports.started(event.run))
        rota.on(RoundEnded)(lambda event: reports.round_ended(event.round))
    return reports


class SentryReports:
    """Turns events into what Sentry takes, and hands it to a client."""

    def __init__(self, rota: Rota, *, client: "Client | None") -> None:
        self._rota = rota
        self._own = client
        self._monitors: dict[str, tuple[datetime, Mapping[str, Any] | None]] = {}
        _leave_out_own_lines()

    @property
    def client(self) -> "BaseClient":
        """Where events go: its own client, or the one of the application, which may be made later."""
        return self._own or _sdk().get_client()

    def settled(self, settlement: Settlement) -> None:
        """Report a run that failed for good. One that is tried again has not failed yet, unless that has no end."""
        if settlement.state is State.FAILED or _is_tried_without_end(settlement):
            self.client.capture_event(event_of(settlement))

    def started(self, run: Run) -> None:
        """Check in for a slot that begins: with its only run, or with the listing of its tenants."""
        if run.trigger is not Trigger.SCHEDULE or run.schedule is None or run.round_id is None:
            return
        if run.kind is RunKind.EXPANSION or run.tenant is None:
            self._check_in(run.schedule, run.job, round_id=run.round_id, status="in_progress")

    def round_ended(self, ended: Round) -> None:
        """Check in for a slot that is over: well only if every run of it succeeded."""
        if ended.trigger is not Trigger.SCHEDULE or ended.schedule is None or ended.state is RoundState.SKIPPED:
            return
        status = "ok" if ended.state is RoundState.SUCCEEDED else "error"
        took = (ended.ended_at - ended.created_at).total_seconds() if ended.ended_at else None
        self._check_in(ended.schedule, ended.job, round_id=ended.id, status=status, duration=took)

    def close(self, *, timeout: timedelta = SHUTDOWN) -> None:
        """Send what is left, for so long at most, and stop; the application's own client goes on."""
        if self._own is not None:
            atexit.unregister(self._own.close)
            self._own.close(timeout=timeout.total_seconds())

    def _check_in(self, schedule: str, job: str, *, round_id: str, status: str, duration: float | None = None) -> None:
        monitor = self._monitor(schedule, job, may_be_old=status == "in_progress")
        if monitor is not None:
            client = self.client
            # The round is the check-in: whichever process begins it or ends it names the same one.
            event = check_in_of(
                slug_of(schedule),
                check_in=round_id,
                status=status,
                duration=duration,
                monitor=monitor,
                client=client.options,
            )
            client.capture_event(event)

    def _monitor(self, schedule: str, job: str, *, may_be_old: bool) -> Mapping[str, Any] | None:
        now = self._rota.clock.now()
        known = self._monitors.get(schedule)
        # Who begins a run asks the store only once: it is about to start what it has claimed.
        if known is None or (not may_be_old and now - known[0] > REMEMBERED):
            known = self._monitors[schedule] = (now, self._made(schedule, job, now))
        return known[1]

    def _made(self, schedule: str, job: str, now: datetime) -> Mapping[str, Any] | None:
        kept, function = self._rota.store.schedule(schedule), self._rota.jobs.get(job)
        if kept is None or function is None:
            return None
        settings = self._rota.settings
        return monitor_of(
            timing_of(kept),
            function.registered.job,
            now=now,
            zone=settings.timezone,
            within=Allowance.parse(settings.freshness.default),
            jitter=kept.jitter,
            fresh_within=kept.fresh_within,
        )


def _is_tried_without_end(settlement: Settlement) -> bool:
    return settlement.run.max_attempts >= WITHOUT_END and settlement.outcome in FAILURES


def _sdk() -> Any:
    try:
        import sentry_sdk
        import sentry_sdk.integrations.logging
        import sentry_sdk.utils
    except ImportError as error:
        raise MissingExtra("sentry", needed_for="reporting to Sentry") from error
    return sentry_sdk


def _client(dsn: str, *, environment: str | None, release: str | None) -> "Client":
    """Return a client that sends what it is given and collects nothing by itself (T50, T51)."""
    sdk = _sdk()
    SECRETS.keep(dsn)
    try:
        client: Client = sdk.Client(
            dsn=dsn,
            environment=environment,
            release=release,
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            include_source_context=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            attach_stacktrace=False,
            auto_session_tracking=False,
            shutdown_timeout=SHUTDOWN.total_seconds(),
        )
    except sdk.utils.BadDsn as error:
        raise ConfigurationError("the DSN of Sentry is none: https://KEY@HOST/PROJECT is one") from error
    atexit.register(client.close)
    return client


def _leave_out_own_lines() -> None:
    """Keep the SDK from making a second event of what Rota logs of a failure. What jobs log with `ctx.log` stays."""
    for pattern in OWN_LOGGERS:
        _sdk().integrations.logging.ignore_logger(pattern)
