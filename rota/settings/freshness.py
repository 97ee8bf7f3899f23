"""When what has not succeeded is late, and who looks."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from types import MappingProxyType

from msgspec import Struct

from rota.core.freshness import Allowance
from rota.errors import ConfigurationError


class FreshnessSettings(Struct, frozen=True, kw_only=True):
    """When a schedule that has not succeeded for a tenant is stale, and how that is found."""

    default: str = "2 * interval + 15m"
    """How old the slot of the last success may be where the job does not say: intervals of its schedule, and a time.
    `26h` is a time alone."""
    check_every: timedelta = timedelta(seconds=60)
    """How often the watchdog looks."""
    watch: Mapping[str, str] = MappingProxyType({})
    """Scripts outside of Rota that are to say `rota ping NAME` when they have succeeded, each with when it is started
    and how old its last success may be: `{ nightly-dump = "daily at 03:00 Europe/Paris, within 26h" }`. One of the two
    is enough."""
    state_file: str = ""
    """Where the watchdog writes down what it knows, to go on from there while the store is down. Empty: `rota start`
    writes none, and `rota watchdog` writes `rota-watchdog.json`."""
    dead_man_url: str = ""
    """An address that is called after each pass of the watchdog that went well, so that a service outside notices when
    none comes any more. A secret: also as `dead_man_url_file`."""
    dead_man_networks: tuple[str, ...] = ()
    """Networks inside that this address may lie in: `10.1.0.0/16`. Then it may be plain `http://` too."""
    keep_flips: timedelta = timedelta(days=400)
    """How long it is kept when what was late or stale."""
    keep_pings: timedelta = timedelta(days=30)
    """How long it is kept what scripts outside of Rota said; when they last succeeded stays."""
    status_page: str = ""
    """A folder that the status page is written into with each look. Empty: none is written."""
    status_title: str = "Jobs"
    """What stands on top of the status page."""
    public_tags: tuple[str, ...] = ()
    """Jobs with one of these tags are on the public status page too, without tenants; it is written into `public/`."""

    def __repr__(self) -> str:
        # Settings end up in logs and tracebacks; an address that anybody may call does not (R65).
        return f"FreshnessSettings(default={self.default!r}, check_every={self.check_every!r})"

    def check(self) -> None:
        """Refuse what cannot be read.

        Raises:
            ConfigurationError: names the key.
        """
        try:
            Allowance.parse(self.default)
        except ConfigurationError as error:
            raise ConfigurationError(f"freshness.default: {error}") from error
        if not self.dead_man_url:
            return
        allowed = ("https://", "http://") if self.dead_man_networks else ("https://",)
        if not self.dead_man_url.startswith(allowed):
            raise ConfigurationError(
                "freshness.dead_man_url must begin with https://, or with http:// where freshness.dead_man_networks "
                "names the network that it lies in"
            )
        try:
            for network in self.dead_man_networks:
                ip_network(network)
        except ValueError as error:
            raise ConfigurationError(f"freshness.dead_man_networks: {error}") from error
