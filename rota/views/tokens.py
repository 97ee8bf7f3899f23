"""Who may ask: keys of machines, browsers that are signed in, tokens that were called back, and what one of them is."""

from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct

from rota.access.api_keys import PREFIX
from rota.app import Rota
from rota.believing import Believed
from rota.core.access import Capability, Principal
from rota.core.claims import Untrusted
from rota.core.credential import Grant, grant_of


class TokenKind(StrEnum):
    """What can be listed."""

    KEY = "key"
    """Of a machine."""
    SESSION = "session"
    """A browser that is signed in."""
    TOKEN = "token"  # noqa: S105
    """A signed token; listed only where it was called back."""


class TokenRow(Struct, frozen=True, kw_only=True):
    """One of them."""

    kind: TokenKind
    id: str
    """What it is revoked by; of a session that of the token it began with."""
    subject: str | None
    """None of a token that was called back: nobody knows what it said."""
    capabilities: tuple[Capability, ...] = ()
    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] | None = ()
    """None is all of them."""
    made_at: datetime
    ends_at: datetime | None
    revoked: bool = False
    author: str | None = None
    """Who made it, or called it back."""
    note: str = ""
    """What it is for, or why it was called back."""


class TokenSeen(Struct, frozen=True, kw_only=True):
    """What a token or key is, for those who wonder why somebody is refused."""

    believed: bool
    why: str | None = None
    """Why not."""
    kind: TokenKind | None = None
    id: str = ""
    subject: str | None = None
    capabilities: tuple[Capability, ...] = ()
    jobs: tuple[str, ...] = ()
    tenants: tuple[str, ...] | None = ()
    """None is all of them."""
    ends_at: datetime | None = None


def token_rows(app: Rota) -> list[TokenRow]:
    """Return keys, then sessions, then tokens that were called back; the newest first."""
    credentials = app.credentials
    keys = [
        _row(TokenKind.KEY, name, key.grant, made_at=key.made_at, ends_at=key.ends_at, author=key.author, note=key.note)
        for name, key in credentials.keys().items()
    ]
    sessions = [
        _row(TokenKind.SESSION, one.token_id, one.grant, made_at=one.made_at, ends_at=one.ends_at)
        for one in credentials.sessions().values()
    ]
    revoked = [
        TokenRow(
            kind=TokenKind.TOKEN,
            id=name,
            subject=None,
            made_at=one.since,
            ends_at=one.until,
            revoked=True,
            author=one.author,
            note=one.reason,
        )
        for name, one in credentials.revocations().items()
    ]
    return [
        row for rows in (keys, sessions, revoked) for row in sorted(rows, key=lambda row: row.made_at, reverse=True)
    ]


def inspected(app: Rota, token: str) -> TokenSeen:
    """Return what a token or key is and allows.

    Raises:
        Untrusted: it is not believed, with the reason.
        ConfigurationError: there is no key that a token could be signed with.
    """
    now, known = app.clock.now(), app.credentials.known()
    if token.startswith(PREFIX):
        principal = app.credentials.principal(token, known, now=now)
        key = known.keys.get(principal.token_id)
        return _seen(TokenKind.KEY, principal, ends_at=None if key is None else key.ends_at)
    believed = Believed(app.settings.auth, clock=app.clock)
    if believed.remote is not None:
        believed.remote.fetch_due(now)
    principal = believed.tokens.verify(token, now=now)
    if principal.token_id in known.revoked:
        raise Untrusted("jti: it was called back")
    expires = datetime.fromtimestamp(believed.tokens.claims(token, now=now)["exp"], tz=UTC)
    return _seen(TokenKind.TOKEN, principal, ends_at=expires)


def _row(
    kind: TokenKind,
    token_id: str,
    grant: Grant,
    *,
    made_at: datetime,
    ends_at: datetime | None,
    author: str | None = None,
    note: str = "",
) -> TokenRow:
    return TokenRow(
        kind=kind,
        id=token_id,
        subject=grant.subject,
        capabilities=grant.capabilities,
        jobs=grant.jobs,
        tenants=grant.tenants,
        made_at=made_at,
        ends_at=ends_at,
        author=author,
        note=note,
    )


def _seen(kind: TokenKind, principal: Principal, *, ends_at: datetime | None) -> TokenSeen:
    grant = grant_of(principal)
    return TokenSeen(
        believed=True,
        kind=kind,
        id=principal.token_id,
        subject=grant.subject,
        capabilities=grant.capabilities,
        jobs=grant.jobs,
        tenants=grant.tenants,
        ends_at=ends_at,
    )
