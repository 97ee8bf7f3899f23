"""Says to a service outside that the watchdog is alive: when it says nothing any more, that service tells (R52)."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from rota.clock import Clock
from rota.errors import NotReached
from rota.reach import Terms, ask

log: logging.Logger = logging.getLogger(__name__)

MOST_WAIT = timedelta(seconds=10)


class DeadMan:
    """Calls an address once after each pass that went well. Beside the watchdog: a slow address delays no pass."""

    def __init__(
        self, url: str, *, terms: Terms, clock: Clock, good_at: Callable[[], datetime | None], every: timedelta
    ) -> None:
        """`good_at` tells when the last pass was that went well."""
        self._url = url
        self._terms = terms
        self._clock = clock
        self._good_at = good_at
        self._every = every
        self._told_at: datetime | None = None
        self._is_lost = False

    def tick(self, now: datetime) -> timedelta:
        good_at = self._good_at()
        if good_at is not None and good_at != self._told_at:
            self._told_at = good_at
            self._call()
        return min(self._every, timedelta(seconds=5))

    def _call(self) -> None:
        try:
            answer = ask("GET", self._url, terms=self._terms, clock=self._clock)
        except NotReached as error:
            said = str(error)
        else:
            said = "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        if said and not self._is_lost:
            # Once: whoever waits for the call will tell. The address is a secret.
            log.warning("the dead-man address was not reached: %s", said)
        self._is_lost = bool(said)


def terms_of(url: str, networks: tuple[str, ...]) -> Terms:
    """Return on which terms an address is called: in public by https, in these networks as it says.

    Raises:
        ValueError: a network or a port that is none.
    """
    port = urlsplit(url).port
    return Terms(
        networks=networks,
        ports=() if port is None else (port,),
        insecure_http=bool(networks) and url.startswith("http://"),
        timeout=MOST_WAIT,
    )
