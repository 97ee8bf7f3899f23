"""What a store must do for alerts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from rota.core.controls import AuditEntry
from rota.core.delivery import Delivery
from rota.core.incident import Incident, Member
from rota.core.signal import Signal
from rota.queries import DeliveryQuery, IncidentQuery


class AlertStore(Protocol):
    """Keeps what went wrong until it is over, and what is to be told of it to whom (R50).

    A part of the store that holds it: atomicity, repetition and errors are as there. Signals come into being in
    `settle`: each settlement that is applied and ends its run as failed leaves one, in the same transaction.
    """

    def signals(self, *, limit: int = 500) -> list[Signal]:
        """Return signals that no incident has taken in yet, by id. One index read when there are none."""

    def incidents(self, query: IncidentQuery) -> list[Incident]:
        """Return incidents, newest first."""

    def members(self, incident: str) -> list[Member]:
        """Return whom an incident has met, by name; nobody where there is no such incident."""

    def write(
        self,
        incident: Incident,
        *,
        expected_version: int | None,
        members: Sequence[Member] = (),
        taken: Sequence[str] = (),
        deliveries: Sequence[Delivery] = (),
        audit: AuditEntry | None = None,
    ) -> bool:
        """Write an incident over the version that was read (`None`: it is new), and all that belongs to it; return
        whether.

        With it in one transaction: these members, over those of the same name; these new deliveries; these signals,
        which are gone then. Nothing is written where the version is another one, another incident has the key, or a
        signal has been taken already: a repeated call is refused.
        """

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """Return deliveries, newest first."""

    def claim_deliveries(self, channel: str, *, lease: timedelta, now: datetime, limit: int = 1) -> list[Delivery]:
        """Return up to `limit` deliveries to a channel that are due, by id, each under a new token and counted as one
        attempt more; they are due again at `now + lease`.

        One that comes after another one of its incident, to the same channel, waits until that is over. If the answer
        is lost, they come due again.
        """

    def settle_delivery(self, delivery: Delivery) -> bool:
        """Write what became of a delivery, while it waits and has this token; return whether it did.

        A repeated call with an end is refused.
        """

    def prune(self, *, before: datetime, limit: int = 500) -> int:
        """Forget up to `limit` incidents that were closed before this and have no key any more, with their members and
        deliveries, and up to `limit` deliveries that ended before it; return how many incidents."""
