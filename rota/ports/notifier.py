"""What a channel of alerts must do."""

from typing import Protocol

from rota.core.alert import Alert


class Notifier(Protocol):
    """Takes alerts somewhere else: a mail server, a web address, a log.

    Called in a thread of its own with nothing open: it may be slow, within bounds of its own.
    """

    def send(self, alert: Alert) -> None:
        """Deliver an alert, and return once it has been accepted at the other end.

        At least once: a repeated one has the same `alert.id`, which goes along so that a receiver can tell.

        Raises:
            DeliveryFailed: it was not accepted; the error says whether another try may help, and when.
        """
