"""What a store keeps of those who ask: keys of machines, tokens that were called back, browsers that are signed in."""

from datetime import datetime, timedelta

from msgspec import Struct

from rota.core.access import Capability, Principal
from rota.core.controls import Setting


class Grant(Struct, frozen=True, kw_only=True):
    """Whom something stands for, and what he is allowed."""

    subject: str
    capabilities: tuple[Capability, ...]
    jobs: tuple[str, ...] = ("*",)
    tenants: tuple[str, ...] | None = None
    """None is all of them."""

    def principal(self, *, token_id: str) -> Principal:
        """Return him as somebody who asks."""
        return Principal(
            subject=self.subject,
            capabilities=frozenset(self.capabilities),
            jobs=self.jobs,
            tenants=None if self.tenants is None else frozenset(self.tenants),
            token_id=token_id,
        )


def grant_of(principal: Principal) -> Grant:
    """Return what a principal is allowed, in an order that is always the same."""
    return Grant(
        subject=principal.subject,
        capabilities=tuple(sorted(principal.capabilities)),
        jobs=principal.jobs,
        tenants=None if principal.tenants is None else tuple(sorted(principal.tenants)),
    )


class ApiKey(Setting, frozen=True, kw_only=True):
    """A key of a machine. The control's name is its id; the secret itself is kept by whoever was given it."""

    grant: Grant
    digest: str
    """SHA-256 of the secret, in hex: it has 256 bits of chance, which no table of digests comes near."""
    made_at: datetime
    ends_at: datetime | None = None
    """None is never."""
    author: str | None = None
    note: str = ""

    def is_over(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


class Revocation(Setting, frozen=True, kw_only=True):
    """A token that is believed no longer, though it is signed. The control's name is its id (`jti`)."""

    until: datetime
    """By then it has expired by itself."""
    reason: str
    author: str | None = None
    since: datetime

    def is_over(self, now: datetime) -> bool:
        return self.until <= now


class BrowserSession(Setting, frozen=True, kw_only=True):
    """A browser that signed in. The control's name is the SHA-256 of what its cookie says."""

    grant: Grant
    token_id: str
    """Of the token or key that it signed in with: when that is called back, this ends too."""
    made_at: datetime
    seen_at: datetime
    """When it last asked, to the minute or so."""
    ends_at: datetime

    def is_over(self, now: datetime, *, idle: timedelta) -> bool:
        """Whether it has lasted as long as it may, in all or without a request."""
        return self.ends_at <= now or self.seen_at + idle <= now
