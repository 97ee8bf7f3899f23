"""What looks out for trouble and tells of it, made for one process."""

from collections.abc import Sequence
from pathlib import Path

from rota.alerting import alert_services
from rota.core.freshness import Allowance
from rota.engine.last_known import LastKnown
from rota.engine.loop import Service
from rota.engine.rulebook import Rulebook
from rota.engine.watchdog import Tell, Watchdog
from rota.premises import Premises


def lookouts(premises: Premises, *, worker: str, rulebook: Rulebook) -> dict[str, Service]:  # noqa: ARG001
    """Return the services that whoever watches has, by name; `worker` is the id of this process."""
    return {"watchdog": make_watchdog(premises, rulebook=rulebook)} | alert_services(premises)


def make_rulebook(premises: Premises) -> Rulebook:
    """Return what knows by when schedules must have succeeded."""
    return Rulebook(
        premises.store,
        jobs=premises.jobs,
        directory=premises.directory,
        default=Allowance.parse(premises.settings.freshness.default),
        zone=premises.settings.timezone,
        watches=premises.watches,
    )


def make_watchdog(
    premises: Premises, *, rulebook: Rulebook | None = None, state_file: Path | None = None, tell: Sequence[Tell] = ()
) -> Watchdog:
    """Return what finds what has not succeeded in time.

    `state_file` is where it writes down what it knows, if anywhere else than the settings say; `tell` is given what
    each pass found.
    """
    settings = premises.settings.freshness
    path = state_file or (Path(settings.state_file) if settings.state_file else None)
    return Watchdog(
        premises.store,
        clock=premises.clock,
        bus=premises.bus,
        rulebook=rulebook or make_rulebook(premises),
        every=settings.check_every,
        keep_flips=settings.keep_flips,
        keep_pings=settings.keep_pings,
        last_known=None if path is None else LastKnown(path),
        tell=tell,
    )
