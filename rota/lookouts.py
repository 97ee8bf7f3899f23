"""What looks out for trouble and tells of it, made for one process."""

from collections.abc import Sequence
from pathlib import Path

from rota.alerting import alert_services
from rota.core.freshness import Allowance
from rota.engine.dead_man import DeadMan, terms_of
from rota.engine.judged import Tell
from rota.engine.last_known import Fallback, LastKnown
from rota.engine.loop import Service
from rota.engine.rulebook import Rulebook
from rota.engine.watchdog import Watchdog
from rota.metrics.cloudwatch import make_publisher
from rota.premises import Premises
from rota.status_board import StatusBoard


def lookouts(premises: Premises, *, rulebook: Rulebook) -> dict[str, Service]:
    """Return the services that whoever watches has, by name."""
    watchdog = make_watchdog(premises, rulebook=rulebook, tell=make_boards(premises))
    found: dict[str, Service] = {"watchdog": watchdog}
    if (dead_man := make_dead_man(premises, watchdog)) is not None:
        found["dead_man"] = dead_man
    if (publisher := make_publisher(premises)) is not None:
        found["cloudwatch"] = publisher
    return found | alert_services(premises)


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


def make_boards(premises: Premises) -> list[Tell]:
    """Return what writes the status page of the settings, if they name a folder for it."""
    folder = premises.settings.freshness.status_page
    if not folder:
        return []
    board = StatusBoard(
        Path(folder),
        store=lambda: premises.store,
        settings=premises.settings,
        jobs=premises.jobs,
        watches=premises.watches,
    )
    return [board]


def make_watchdog(
    premises: Premises,
    *,
    rulebook: Rulebook | None = None,
    fallback: Fallback | None = None,
    tell: Sequence[Tell] = (),
) -> Watchdog:
    """Return what finds what has not succeeded in time.

    `fallback` remembers what is known, if anything else than the settings say does; `tell` is given what each pass
    found.
    """
    settings = premises.settings.freshness
    if fallback is None and settings.state_file:
        fallback = Fallback(LastKnown(Path(settings.state_file)), bus=premises.bus)
    return Watchdog(
        premises.store,
        clock=premises.clock,
        bus=premises.bus,
        rulebook=rulebook or make_rulebook(premises),
        every=settings.check_every,
        keep_flips=settings.keep_flips,
        keep_pings=settings.keep_pings,
        fallback=fallback,
        tell=tell,
    )


def make_dead_man(premises: Premises, watchdog: Watchdog) -> DeadMan | None:
    """Return what calls the dead-man address after each good pass, where there is one."""
    settings = premises.settings.freshness
    if not settings.dead_man_url:
        return None
    return DeadMan(
        settings.dead_man_url,
        terms=terms_of(settings.dead_man_url, settings.dead_man_networks),
        clock=premises.clock,
        good_at=lambda: watchdog.good_at,
        every=settings.check_every,
    )
