"""What channels to a web address share: how it may be reached, and what the answer means."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from rota.clock import Clock
from rota.errors import AddressRefused, DeliveryFailed, NotReached
from rota.notifiers.options import check_timeout
from rota.reach import Answer, Terms, ask, parsed

LONGEST_WAIT = timedelta(days=1)
MAY_PASS = (408, 425, 429)
"""Refusals by their numbers that another try may not meet again."""


class WebOptions(Struct, frozen=True, kw_only=True):
    """How the address may be reached."""

    timeout: timedelta = timedelta(seconds=10)
    """For all of one delivery, redirects and all."""
    networks: tuple[str, ...] = ()
    """Addresses inside that may be reached all the same: `10.1.0.0/16`. Everything else that is not public is refused,
    also where a name leads to it."""
    ports: tuple[int, ...] = ()
    """Ports that may be reached instead of 443 (and 80 with `insecure_http`)."""
    redirects: int = 0
    """How many redirects are followed; each is judged like the first address."""
    ca_file: str = ""
    """A file of certificates to trust instead of the system's, for a server of your own."""
    insecure_http: bool = False
    """Allow `http://`: whoever is between reads and changes what goes by."""
    insecure_certificate: bool = False
    """Take any certificate for the server's: whoever is between can read along."""


def terms_of(options: WebOptions) -> Terms:
    """Return on which terms the options let an address be reached.

    Raises:
        ValueError: a network, a port or a number that is none.
    """
    return Terms(**{name: getattr(options, name) for name in WebOptions.__struct_fields__})


def check(url: str, options: WebOptions, *, name: str) -> None:
    """Refuse a URL that could never be reached.

    Raises:
        ValueError: why, without the URL itself.
    """
    check_timeout(options.timeout)
    try:
        parsed(url, terms_of(options))
    except AddressRefused as error:
        raise ValueError(f"{name}: {error}") from error


def post(url: str, content: object, *, headers: Mapping[str, str], terms: Terms, clock: Clock) -> None:
    """Post bytes, or what has a JSON form, and return once it is accepted.

    Raises:
        DeliveryFailed: it was not; nothing that the other end wrote is in the message but a number.
    """
    body = content if isinstance(content, bytes) else msgspec.json.encode(content)
    sent = {"Content-Type": "application/json"} | dict(headers)
    try:
        answer = ask("POST", url, headers=sent, body=body, terms=terms, clock=clock)
    except AddressRefused as error:
        raise DeliveryFailed(str(error), permanent=True) from error
    except NotReached as error:
        raise DeliveryFailed(str(error)) from error
    if not 200 <= answer.status < 300:
        raise _failure(parsed(url, terms).authority, answer, now=clock.now())


def _failure(authority: str, answer: Answer, *, now: datetime) -> DeliveryFailed:
    if 300 <= answer.status < 400:
        return DeliveryFailed(
            f"{authority} answered {answer.status}: it has moved; give its new address", permanent=True
        )
    permanent = answer.status < 500 and answer.status not in MAY_PASS
    wait = retry_after(answer.headers.get("retry-after", ""), now=now)
    return DeliveryFailed(f"{authority} answered {answer.status}", permanent=permanent, retry_after=wait)


def retry_after(written: str, *, now: datetime) -> timedelta | None:
    """Return for how long the other end wants to be left alone, a day at most; None where it says nothing that can be
    understood (RFC 9110, 10.2.3: seconds, or a date)."""
    if written.isascii() and written.isdigit():
        # Longer numbers overflow, and mean the same.
        return min(timedelta(seconds=int(written[:9])), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(written)
    except (ValueError, IndexError, OverflowError):
        return None
    wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta(0)), LONGEST_WAIT)
