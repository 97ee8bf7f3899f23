"""One alert on its way to one channel: a piece of work with a claim of its own, tried until it is accepted."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rota.core.alert import Alert
from rota.core.secret_shape import without_shapes

LEASE = timedelta(minutes=2)
"""How long whoever claimed a delivery has for it; a channel gives up earlier by itself."""

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(minutes=10)
LONGEST_ASKED = timedelta(hours=1)
"""How long a channel may ask to be left alone: one that says "next year" is tried all the same."""

LONGEST_ERROR = 300


class DeliveryState(StrEnum):
    WAITING = "waiting"
    """To be tried when it is due; also while somebody is at it."""
    SENT = "sent"
    GIVEN_UP = "given_up"


class Delivery(Struct, frozen=True, kw_only=True):
    """An alert for a channel, by the channel's name."""

    id: str
    incident: str
    channel: str
    alert: Alert
    """With each try the same, also its id."""
    state: DeliveryState = DeliveryState.WAITING
    due_at: datetime
    """When it may be claimed; claimed, when it may be again: whoever claimed it has died by then."""
    attempt: int = 0
    token: int = 0
    """Grows with each claim: whoever holds an older one changes nothing."""
    error: str = ""
    """Why the last try failed."""
    created_at: datetime
    ended_at: datetime | None = None


def sent(delivery: Delivery, *, now: datetime) -> Delivery:
    """Return a delivery that was accepted at the other end."""
    return replace(delivery, state=DeliveryState.SENT, ended_at=now)


def failed(
    delivery: Delivery, reason: str, *, now: datetime, retry_after: timedelta | None = None, permanent: bool = False
) -> Delivery:
    """Return a delivery that was not accepted: due again after a while that doubles, and not before it was asked for.

    One that fails `permanent`ly is tried again too, rarely: somebody mends the channel, and has missed nothing.
    """
    wait = LONGEST_WAIT if permanent else min(FIRST_WAIT * 2 ** min(max(delivery.attempt - 1, 0), 16), LONGEST_WAIT)
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_ASKED))
    return replace(delivery, due_at=now + wait, error=_line(reason))


def given_up(delivery: Delivery, *, now: datetime) -> Delivery:
    """Return a delivery that nobody will try any more, with why it failed last."""
    reason = delivery.error or "no process sends to this channel"
    return replace(delivery, state=DeliveryState.GIVEN_UP, ended_at=now, error=reason)


def _line(reason: str) -> str:
    known = without_shapes(reason).encode("utf-8", "replace").decode()
    line = next(iter(known.strip().splitlines()), "no reason was given")
    return line if len(line) <= LONGEST_ERROR else f"{line[: LONGEST_ERROR - 1]}…"
