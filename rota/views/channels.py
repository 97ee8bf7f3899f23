"""The channels that alerts go to, and whether they accept them."""

from datetime import datetime

from msgspec import Struct

from rota.app import Rota
from rota.core.delivery import Delivery, DeliveryState
from rota.queries import DeliveryQuery

LOOKED_AT = 50
"""Newest deliveries of a channel by which it is judged."""


class ChannelRow(Struct, frozen=True, kw_only=True):
    """One channel. It is failing where the last that it was told was not accepted."""

    name: str
    kind: str
    state: str
    """`ok`, `failing`, or `silent`: it was not told anything yet."""
    waiting: int
    """How many alerts wait for it, of the newest."""
    given_up: int
    last_sent_at: datetime | None
    error: str
    """Why it did not accept the last one."""

    @property
    def is_failing(self) -> bool:
        return self.state == "failing"


def channel_rows(app: Rota) -> list[ChannelRow]:
    """Return the channels of the settings, in their order."""
    return [_row(app, one.called, one.kind) for one in app.settings.alerts.named]


def _row(app: Rota, name: str, kind: str) -> ChannelRow:
    newest = app.store.alerts.deliveries(DeliveryQuery(channel=name, limit=LOOKED_AT))
    sent = [one.ended_at for one in newest if one.state is DeliveryState.SENT and one.ended_at is not None]
    last_sent_at = max(sent, default=None)
    refused = [one for one in newest if one.state is not DeliveryState.SENT and one.error]
    failing = [one for one in refused if last_sent_at is None or _tried_at(one) > last_sent_at]
    return ChannelRow(
        name=name,
        kind=kind,
        state="failing" if failing else "ok" if sent else "silent",
        waiting=sum(one.state is DeliveryState.WAITING for one in newest),
        given_up=sum(one.state is DeliveryState.GIVEN_UP for one in newest),
        last_sent_at=last_sent_at,
        error=failing[0].error if failing else "",
    )


def _tried_at(delivery: Delivery) -> datetime:
    """Return an instant after the last try of a delivery that was not accepted: when it is given up, or due again."""
    return delivery.ended_at or delivery.due_at
