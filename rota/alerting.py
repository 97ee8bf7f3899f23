"""What tells of incidents in one process, made of its settings: an alerter, and a deliverer for each channel."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.incident import Condition
from rota.core.liveness import USUAL
from rota.engine.alerts import conditions
from rota.engine.alerts.alerter import Alerter, Telling
from rota.engine.alerts.deliverer import Deliverer
from rota.engine.loop import Service
from rota.engine.pulse import CHANNEL
from rota.errors import TenantListFailed
from rota.notifiers import make
from rota.ports import Notifier
from rota.premises import Premises
from rota.settings import AlertSettings, Settings

log: logging.Logger = logging.getLogger(__name__)


def alert_services(premises: Premises) -> dict[str, Service]:
    """Return the services, by name.

    Raises:
        ConfigurationError: a channel is not understood, or lacks something; nothing of it that is secret is shown.
    """
    settings = premises.settings.alerts
    alerter = Alerter(
        premises.store,
        clock=premises.clock,
        bus=premises.bus,
        telling=telling_of(settings),
        conditions=_look(premises),
        tags_of=lambda job, tenants: _tags(premises, job, tenants),
        gone=lambda tenants: _gone(premises, tenants),
    )
    found: dict[str, Service] = {"alerter": alerter}
    for name, notifier in notifiers(settings, clock=premises.clock).items():
        found[f"{CHANNEL}{name}"] = Deliverer(name, notifier, premises.store, clock=premises.clock)
    return found


def telling_of(settings: AlertSettings) -> Telling:
    """Return who is told, and when.

    Raises:
        ConfigurationError: a rule or a channel is not understood.
    """
    return Telling(
        policy=settings.policy,
        channels=settings.channels(),
        rules=settings.rules(),
        url=settings.url,
        give_up=settings.give_up,
        keep=settings.keep,
    )


def notifiers(settings: AlertSettings, *, clock: Clock) -> dict[str, Notifier]:
    """Return the channels by name. Nothing is opened yet.

    Raises:
        ConfigurationError: an option is unknown, missing or wrong.
        MissingExtra: the library of a channel is not installed.
    """
    return {
        one.called: make(one.kind, one.options, clock=clock, where=f"alerts.channel {one.called!r}")
        for one in settings.named
    }


def usual_times(settings: Settings) -> dict[str, timedelta]:
    """Return how long each loop of a process is away at most when all is well."""
    scheduler = settings.scheduler
    return dict(USUAL) | {
        "heartbeat": settings.worker.heartbeat,
        "scheduler": scheduler.tick,
        "rows": scheduler.rows,
        "cron_jobs": scheduler.rows,
        "bookkeeper": settings.metrics.flush,
        "watchdog": settings.freshness.check_every,
    }


def _look(premises: Premises) -> Callable[[datetime], Iterable[Condition]]:
    """Return what finds all that is wrong now."""
    store, worker, usual = premises.store, premises.settings.worker, usual_times(premises.settings)
    stale = conditions.Stale(store, lease=worker.lease)

    def look(now: datetime) -> Iterable[Condition]:
        yield from stale.look(now)
        yield from conditions.broken(store, now=now)
        yield from conditions.parked(store)
        yield from conditions.stopped(store, usual, heartbeat=worker.heartbeat, lease=worker.lease, now=now)

    return look


def _tags(premises: Premises, job: str, tenants: Sequence[str]) -> frozenset[str]:
    """Return the tags of a job and of tenants, those that are known: while the tenants cannot be listed, people have to
    be told of that all the same."""
    registered = premises.jobs.get(job)
    found = set(registered.job.tags if registered is not None else ())
    now = premises.clock.now()
    try:
        for tenant in tenants:
            known = premises.directory.find(tenant, now=now) if tenant else None
            found |= set(known.tags if known is not None else ())
    except TenantListFailed as error:
        log.warning("who is told does not go by the tags of tenants: %s", error)
    return frozenset(found)


def _gone(premises: Premises, tenants: Iterable[str]) -> list[str]:
    """Return those that the source does not list any more; none where nobody has listed it here."""
    known = premises.directory.known
    return [tenant for tenant in tenants if tenant and tenant not in known] if known else []
