"""Alerts as JSON to a web address, signed, for machines."""

import re

import msgspec

from rota.clock import Clock
from rota.core.alert import Alert
from rota.core.masking import Secret
from rota.notifiers.message import line
from rota.notifiers.options import shown
from rota.notifiers.signing import keys_of, signed
from rota.notifiers.web import WebOptions, check, post, terms_of

LONGEST_ID = 128


class WebhookOptions(WebOptions, frozen=True, kw_only=True):
    """A web address that takes alerts as JSON."""

    url: Secret[str]
    """Where alerts are posted to, `https://…`. A secret: also `url_file`, or `env:NAME`."""
    key: Secret[str]
    """What they are signed with: `whsec_` and the base64 form of 24 random bytes or more; two with a space between
    while receivers change theirs. A secret: also `key_file`, or `env:NAME`."""
    authorization: Secret[str] = ""
    """The header `Authorization`, for receivers that ask for one. A secret: also `authorization_file`, or
    `env:NAME`."""

    __repr__ = shown

    def __post_init__(self) -> None:
        check(self.url, self, name="url")
        if not self.authorization.isascii() or not self.authorization.isprintable():
            raise ValueError("authorization: it has characters that no header can have")
        try:
            keys_of(self.key)
        except ValueError as error:
            raise ValueError(f"key: {error}") from error


class WebhookChannel:
    """Post each alert as JSON, with its id, the time and a signature of both and the body."""

    def __init__(self, options: WebhookOptions, clock: Clock) -> None:
        self._url = options.url
        self._keys = keys_of(options.key)
        self._headers = {"Authorization": options.authorization} if options.authorization else {}
        self._terms = terms_of(options)
        self._clock = clock

    def send(self, alert: Alert) -> None:
        """Post it. A repeated one has the same `webhook-id` and a time and a signature of its own.

        Raises:
            DeliveryFailed: it was not accepted with a status of 2xx.
        """
        body = msgspec.json.encode(content_of(alert))
        proof = signed(self._keys, message_id=_header_id(alert.id), at=int(self._clock.now().timestamp()), body=body)
        post(self._url, body, headers=self._headers | dict(proof), terms=self._terms, clock=self._clock)


def _header_id(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", text)[:LONGEST_ID]


def content_of(alert: Alert) -> dict[str, object]:
    """Return what receivers get: fields may be added in later versions, and none is taken away."""
    return {
        "type": f"incident.{alert.stage}",
        "id": alert.id,
        "incident": alert.incident,
        "kind": alert.kind,
        "job": line(alert.job),
        "title": line(alert.title),
        "error": line(alert.error),
        "place": line(alert.place),
        "tenants": [line(tenant) for tenant in alert.tenants],
        "number_of_tenants": alert.number_of_tenants,
        "slot": alert.slot,
        "run": line(alert.run_id) if alert.run_id else None,
        "number": alert.number,
        "first_at": alert.first_at,
        "last_at": alert.last_at,
        "at": alert.at,
        "note": line(alert.note),
        "advice": line(alert.advice),
        "url": line(alert.url),
    }
