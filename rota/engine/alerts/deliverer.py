"""Takes alerts to one channel, in a thread of its own: a channel that is slow or down holds up nothing else (R50)."""

import logging
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.delivery import LEASE, Delivery, DeliveryState, failed, sent
from rota.core.safe import safe_text
from rota.errors import DeliveryFailed
from rota.ports import Notifier, Store
from rota.redaction import redacted

log: logging.Logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=1)


class Messenger:
    """Hands alerts over to one channel, and says what became of each.

    What cannot be delivered is written down with its delivery and in the log, and nowhere else: an alert about a
    failing alert would need the same channel (H4).
    """

    def __init__(self, channel: str, notifier: Notifier, *, clock: Clock) -> None:
        self._channel = channel
        self._notifier = notifier
        self._clock = clock
        self._is_failing = False

    def tried(self, delivery: Delivery) -> Delivery:
        """Hand it over, and return it as it is then: sent, or due again. Raises nothing that the channel raises."""
        try:
            self._notifier.send(delivery.alert)
        except DeliveryFailed as error:
            reason = self._say(delivery, str(error))
            now = self._clock.now()
            return failed(delivery, reason, now=now, retry_after=error.retry_after, permanent=error.permanent)
        except Exception as error:
            # A notifier may be anybody's: what it raises is its failure and ends no loop.
            log.debug("the traceback of that", exc_info=True)
            reason = self._say(delivery, f"{type(error).__name__}: {error}")
            return failed(delivery, reason, now=self._clock.now())
        if self._is_failing:
            self._is_failing = False
            log.info("channel %s accepts alerts again", self._channel)
        return sent(delivery, now=self._clock.now())

    def _say(self, delivery: Delivery, raised: str) -> str:
        """Say the first failure aloud, later ones quietly: they stand with the delivery. Return it without secrets."""
        reason = redacted(raised)
        level = logging.DEBUG if self._is_failing else logging.ERROR
        self._is_failing = True
        facts = {"alert": delivery.alert.id, "channel": self._channel}
        log.log(level, "channel %s did not accept an alert: %s", self._channel, safe_text(reason), extra=facts)
        return reason


class Deliverer:
    """Claims what is due for its channel, hands it over, and writes down what became of it.

    One at a time, in the order of the news of each incident. Whoever dies in between has sent it or not: it comes due
    again, and goes out with the same id (A17).
    """

    def __init__(
        self, channel: str, notifier: Notifier, store: Store, *, clock: Clock, lease: timedelta = LEASE
    ) -> None:
        """`lease` is how long one try may take; afterwards somebody else may try too."""
        self._channel = channel
        self._messenger = Messenger(channel, notifier, clock=clock)
        self._store = store
        self._lease = lease

    def tick(self, now: datetime) -> timedelta:
        for delivery in self._store.alerts.claim_deliveries(self._channel, lease=self._lease, now=now):
            tried = self._messenger.tried(delivery)
            self._store.alerts.settle_delivery(tried)
            # A channel that is down takes up to a time-out for each: who goes round by hand is not held up by all.
            return timedelta(0) if tried.state is DeliveryState.SENT else EVERY
        return EVERY
