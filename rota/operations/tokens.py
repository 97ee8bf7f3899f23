"""What is asked about tokens and keys, and who they stand for. For those who may do everything (R62)."""

from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from msgspec import Struct

from rota.core.access import Capability
from rota.core.claims import Untrusted
from rota.core.credential import Grant
from rota.errors import ConfigurationError
from rota.operations.operation import Desk, Nothing, Page, Question, operation
from rota.signing import sign_token
from rota.views.tokens import TokenKind, TokenRow, TokenSeen, inspected, token_rows

SHORT_LIFE = timedelta(minutes=10)
"""How long a signed token lives where nobody says."""


class MadeKind(StrEnum):
    """What can be made."""

    JWT = "jwt"
    KEY = "key"


class TokenWanted(Question, frozen=True, kw_only=True):
    """A token or key to be made."""

    kind: MadeKind = MadeKind.KEY
    """`key`: for a machine, lasts until it is revoked; `jwt`: signed, lives for minutes, is kept nowhere."""
    subject: str
    """Whom it stands for: a name that the audit will show."""
    capabilities: tuple[Capability, ...] = (Capability.READ,)
    jobs: tuple[str, ...] = ("*",)
    """Patterns of names of jobs."""
    tenants: tuple[str, ...] | None = None
    """Ids; null is all of them."""
    life_s: float | None = None
    """Seconds that it lives. Null: ten minutes of a `jwt`; a `key` until it is revoked."""
    key: str | None = None
    """The id of the key that a `jwt` is signed with. Null: the first that can sign."""
    note: str = ""
    """What a key is for."""


class TokenMade(Struct, frozen=True, kw_only=True):
    """What was made. `token` is shown this once."""

    kind: MadeKind
    id: str
    """What it is revoked by."""
    token: str
    subject: str
    ends_at: datetime | None


@operation(
    "POST",
    "/api/v1/tokens",
    needs=Capability.ADMIN,
    is_whole=True,
    status=HTTPStatus.CREATED,
    shows_secrets=True,
)
def create_token(desk: Desk, asked: TokenWanted) -> TokenMade:
    """Make a key for a machine, or sign a token. It is shown this once."""
    app = desk.app
    life = None if asked.life_s is None else timedelta(seconds=asked.life_s)
    grant = Grant(subject=asked.subject, capabilities=asked.capabilities, jobs=asked.jobs, tenants=asked.tenants)
    if asked.kind is MadeKind.KEY:
        if asked.key is not None:
            raise ConfigurationError("a key of a machine is signed with nothing: leave out which key signs")
        text, made = app.credentials.make_key(grant, life=life, note=asked.note, actor=desk.actor)
        return TokenMade(kind=asked.kind, id=text.id, token=text.text, subject=asked.subject, ends_at=made.ends_at)
    signed = sign_token(
        app.settings.auth, grant, life=SHORT_LIFE if life is None else life, key_id=asked.key, clock=app.clock
    )
    return TokenMade(kind=asked.kind, id=signed.id, token=signed.text, subject=asked.subject, ends_at=signed.ends_at)


@operation("GET", "/api/v1/tokens", needs=Capability.ADMIN, is_whole=True)
def list_tokens(desk: Desk, _asked: Nothing) -> Page[TokenRow]:
    """List keys of machines, browsers that are signed in, and tokens that were called back. Signed tokens are kept
    nowhere."""
    return Page(data=token_rows(desk.app))


class TokenRevoked(Question, frozen=True, kw_only=True):
    """A token or key that is to be believed no longer."""

    id: str
    """Of a key, or the `jti` of a token."""
    reason: str


class TokenEnded(Struct, frozen=True, kw_only=True):
    """What is believed no longer."""

    kind: TokenKind
    id: str


@operation("POST", "/api/v1/tokens/{id}/revoke", needs=Capability.ADMIN, is_whole=True)
def revoke_token(desk: Desk, asked: TokenRevoked) -> TokenEnded:
    """End a key, or call back a signed token, with the sessions that began with it. It holds everywhere within
    seconds."""
    ended = desk.app.credentials.revoke(asked.id, reason=asked.reason, actor=desk.actor)
    return TokenEnded(kind=TokenKind(ended), id=asked.id)


class TokenShown(Question, frozen=True, kw_only=True):
    """A token or key to be looked at."""

    token: str


@operation("POST", "/api/v1/tokens/inspect", needs=Capability.ADMIN, is_whole=True)
def inspect_token(desk: Desk, asked: TokenShown) -> TokenSeen:
    """Say whom a token or key stands for, and if it is not believed, why."""
    try:
        return inspected(desk.app, asked.token)
    except Untrusted as error:
        return TokenSeen(believed=False, why=str(error))
