"""What happens, as values. Services publish them; logging, metrics, alerts and applications subscribe with `on`."""

from datetime import timedelta

from msgspec import Struct

from rota.core.model import ErrorReport, Round, Run, Settlement


class Event(Struct, frozen=True, kw_only=True):
    """Anything that can be subscribed to; subscribing to this class hears everything."""


class RunStarted(Event, frozen=True, kw_only=True):
    """An attempt is about to call its function."""

    run: Run


class AttemptEnded(Event, frozen=True, kw_only=True):
    """An attempt ended and its settlement is recorded: success, failure, retry, interruption."""

    settlement: Settlement


class RunLost(Event, frozen=True, kw_only=True):
    """A rescuer found a run whose worker stopped renewing; the settlement says what becomes of it."""

    settlement: Settlement


class LeaseLost(Event, frozen=True, kw_only=True):
    """This worker no longer owns a run that it was executing; whatever it does from here on is not recorded."""

    run: Run


class UnknownJob(Event, frozen=True, kw_only=True):
    """A run of a job that this worker does not know was given back for one that does."""

    run: Run


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


class ServiceFailed(Event, frozen=True, kw_only=True):
    """A pass of a service raised; it is repeated after a pause."""

    service: str
    error: ErrorReport


class ClockStepped(Event, frozen=True, kw_only=True):
    """The store's clock moved against the monotonic one; rescue pauses for a lease so that live workers renew."""

    by: timedelta
