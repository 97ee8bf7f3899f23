"""What happens, as values. Services publish them; logging, metrics, alerts and applications subscribe with `on`."""

from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.freshness import Freshness
from rota.core.incident import Incident
from rota.core.model import ErrorReport, Round, Run, Settlement


class Event(Struct, frozen=True, kw_only=True):
    """Anything that can be subscribed to; subscribing to this class hears everything."""


class RunStarted(Event, frozen=True, kw_only=True):
    """An attempt is about to call its function."""

    run: Run


class RunsStarted(Event, frozen=True, kw_only=True):
    """All attempts that a worker began together, in one event: for subscribers that would be slow with one for each."""

    runs: tuple[Run, ...]


class AttemptEnded(Event, frozen=True, kw_only=True):
    """An attempt ended and its settlement is recorded: success, failure, retry, interruption."""

    settlement: Settlement


class AttemptFailed(AttemptEnded, frozen=True, kw_only=True):
    """An attempt ended otherwise than by success: failed, timed out, cancelled, skipped, snoozed, given back."""


class AttemptsEnded(Event, frozen=True, kw_only=True):
    """All attempts whose settlements were recorded together, in one event: for subscribers that would be slow with one
    for each."""

    settlements: tuple[Settlement, ...]


class RunsReleased(Event, frozen=True, kw_only=True):
    """A worker gave back runs that it had claimed and not begun."""

    worker: str
    number: int
    reason: str


class RunLost(Event, frozen=True, kw_only=True):
    """A rescuer found a run whose worker stopped renewing; the settlement says what becomes of it."""

    settlement: Settlement


class LeaseLost(Event, frozen=True, kw_only=True):
    """This worker no longer owns a run that it was executing; whatever it does from here on is not recorded."""

    run: Run


class AttemptStuck(Event, frozen=True, kw_only=True):
    """An attempt goes on though its time to stop is over. Threads and coroutines cannot be killed: its worker process
    gives back its other runs and is replaced."""

    run: Run
    reason: str
    """Why it was asked to stop."""


class LoopBlocked(Event, frozen=True, kw_only=True):
    """The event loop of the coroutine jobs has not come round for a while: every coroutine of this process waits."""

    lag: timedelta
    """For how long by now."""
    run: Run | None
    """The run whose coroutine has not given the loop back, where it is one of Rota's."""
    stack: str
    """Where its thread stands."""


class ProcessChanged(Event, frozen=True, kw_only=True):
    """A job in a thread changed what every job of its process shares: working directory, environment, umask, locale,
    or a standard stream."""

    what: tuple[str, ...]
    jobs: tuple[str, ...]
    """The jobs that ran since it was last as before."""


class UnknownJob(Event, frozen=True, kw_only=True):
    """A run of a job that this worker does not know was given back for one that does."""

    run: Run


class ScheduleFired(Event, frozen=True, kw_only=True):
    """A slot of a schedule was fired: its round or its run is in the store."""

    schedule: str
    job: str
    slot: datetime


class RoundEnded(Event, frozen=True, kw_only=True):
    """Every run of a round is final; the round has its state and counts."""

    round: Round


class TenantsDropped(Event, frozen=True, kw_only=True):
    """The tenant source listed over a third fewer tenants than the last round had."""

    round_id: str
    job: str
    before: int
    now: int


class ScheduleBroken(Event, frozen=True, kw_only=True):
    """A stored schedule cannot be understood; it is marked and fires no more until it is mended."""

    schedule: str
    reason: str


class ScheduleFailed(Event, frozen=True, kw_only=True):
    """The run of a one-time schedule has used up its attempts; the schedule is kept as `failed` (R7)."""

    schedule: str
    reason: str


class FreshnessChanged(Event, frozen=True, kw_only=True):
    """The watchdog sees a schedule and tenant in another state than before (R51). Into and out of `paused` it is this
    event itself; every other change is one of those below."""

    job: str
    """That of the schedule; of a script outside of Rota its name."""
    schedule: str
    tenant: str
    before: Freshness
    after: Freshness
    at: datetime
    last_success: datetime | None
    """The newest slot that succeeded."""
    stale_at: datetime | None
    reason: str | None = None
    is_from_memory: bool = False
    """Whether the store could not be asked, so that this is judged by what was known last."""


class ScheduleLate(FreshnessChanged, frozen=True, kw_only=True):
    """The next slot has passed, and the time that its run may take, without a success."""


class ScheduleStale(FreshnessChanged, frozen=True, kw_only=True):
    """The last success is older than it may be."""


class ScheduleFresh(FreshnessChanged, frozen=True, kw_only=True):
    """What was late or stale, or had not run yet, has succeeded."""


class PingFailed(Event, frozen=True, kw_only=True):
    """A script outside of Rota said that it failed."""

    name: str
    at: datetime
    text: str | None


class TenantParked(Event, frozen=True, kw_only=True):
    """A tenant's database could not be reached several times in a row: its runs are held until it can (R25)."""

    tenant: str
    reason: str


class TenantRecovered(Event, frozen=True, kw_only=True):
    """A parked tenant's database could be reached again."""

    tenant: str
    parked_for: timedelta


class CampaignEnded(Event, frozen=True, kw_only=True):
    """A backfill campaign is over, or has stopped after too many failures (R13)."""

    campaign: str
    state: str
    reason: str | None


class IncidentOpened(Event, frozen=True, kw_only=True):
    """Something is wrong, and whoever has to know is about to be told; what failed with it has been waited for (R50).

    Heard in the one process that decided on it. For what must not be missed: channels, which are told again.
    """

    incident: Incident


class IncidentClosed(Event, frozen=True, kw_only=True):
    """An incident is over: whatever it met has succeeded, or is as it should be (R50)."""

    incident: Incident


class WorkerStarted(Event, frozen=True, kw_only=True):
    """A process is registered and works."""

    worker: str
    places: int
    """How many runs it may have at once; 0 for one that only schedules."""
    queues: tuple[str, ...]


class WorkerStopped(Event, frozen=True, kw_only=True):
    """A process has given back what it had, and works no more."""

    worker: str
    is_clean: bool
    """Whether all its runs had ended."""


class ServiceFailed(Event, frozen=True, kw_only=True):
    """A pass of a service raised; it is repeated after a pause."""

    service: str
    error: ErrorReport


class ClockStepped(Event, frozen=True, kw_only=True):
    """The store's clock moved against the monotonic one; rescue pauses for a lease so that live workers renew."""

    by: timedelta
