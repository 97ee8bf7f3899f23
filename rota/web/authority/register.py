"""What the store says of keys and of tokens that were called back, as of a moment ago."""

import logging

from anyio import to_thread

from rota.clock import Clock
from rota.credentials import Credentials, Known
from rota.errors import StoreUnavailable

FRESH_S = 2.0
"""Seconds for which nobody asks again: of thousands of requests one pays for it."""

STALE_S = 5.0
"""Seconds after which it is not gone by any more: what was called back has to end, also with a store that is slow."""

log: logging.Logger = logging.getLogger(__name__)


class Register:
    """A copy, read again every few seconds by whichever request comes next; the others do not wait for it."""

    def __init__(self, credentials: Credentials, *, clock: Clock) -> None:
        self.credentials: Credentials = credentials
        self._clock = clock
        self._known: Known | None = None
        self._read_at = 0.0
        self._is_reading = False

    async def known(self) -> Known:
        """Return what holds, or held a moment ago.

        Raises:
            StoreUnavailable: that is too long ago, and the store cannot be asked: then nobody is believed.
        """
        age = self._clock.monotonic() - self._read_at
        known = self._known
        if known is not None and (age < FRESH_S or (age < STALE_S and self._is_reading)):
            return known
        self._is_reading = True
        at = self._clock.monotonic()
        try:
            known = await to_thread.run_sync(self.credentials.known)
        except StoreUnavailable:
            if known is not None and age < STALE_S:
                return known
            raise
        finally:
            self._is_reading = False
        self._known, self._read_at = known, at
        return known
