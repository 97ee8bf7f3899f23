"""When what has not succeeded is late, and who looks."""

from datetime import timedelta

from msgspec import Struct


class FreshnessSettings(Struct, frozen=True, kw_only=True):
    """When a schedule that has not succeeded for a tenant is stale, and how that is found."""

    default: str = "2 * interval + 15m"
    """How old the slot of the last success may be where the job does not say: intervals of its schedule, and a time.
    `26h` is a time alone."""
    check_every: timedelta = timedelta(seconds=60)
    """How often the watchdog looks."""
    state_file: str = ""
    """Where the watchdog writes down what it knows, to go on from there while the store is down. Empty: `rota start`
    writes none, and `rota watchdog` writes `rota-watchdog.json`."""
    dead_man_url: str = ""
    """An address that is called after each pass of the watchdog that went well, so that a service outside notices when
    none comes any more. A secret: also as `dead_man_url_file`."""
    keep_flips: timedelta = timedelta(days=400)
    """How long it is kept when what was late or stale."""
    keep_pings: timedelta = timedelta(days=30)
    """How long it is kept what scripts outside of Rota said; when they last succeeded stays."""
