"""Tokens that are made here, with a key that verifies them here (R62)."""

from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from rota.access.key_files import KeyFile
from rota.access.keys import Algorithm, Key, KeyRing
from rota.access.tokens import sign
from rota.clock import Clock
from rota.core.credential import Grant
from rota.core.duration import duration_text
from rota.credentials import check_grant
from rota.errors import ConfigurationError
from rota.settings import AuthSettings


class SignedToken(Struct, frozen=True, kw_only=True):
    """A token, and what it says of itself."""

    text: str
    id: str
    """Its `jti`: what it is called back by."""
    ends_at: datetime

    def __repr__(self) -> str:
        return f"SignedToken({self.id})"


def sign_token(
    auth: AuthSettings, grant: Grant, *, life: timedelta, key_id: str | None = None, clock: Clock
) -> SignedToken:
    """Return a token for somebody that is believed for `life`. `key_id`: with which key; None is the first that can.

    Raises:
        ConfigurationError: it would live longer than tokens may, or there is no key that signs.
    """
    check_grant(grant)
    if not timedelta(0) < life <= auth.longest_life:
        raise ConfigurationError(
            f"a token may live for up to {duration_text(auth.longest_life)} (auth.longest_life), not for "
            f"{duration_text(life)}: make a key with --kind key for what lasts longer"
        )
    issued = int(clock.now().timestamp())
    token_id = clock.new_id()
    payload: dict[str, object] = {
        "sub": grant.subject,
        "aud": auth.audience,
        "iat": issued,
        "exp": issued + int(life.total_seconds()),
        "jti": token_id,
        "scope": " ".join(grant.capabilities),
        "jobs": list(grant.jobs),
        "tenants": "*" if grant.tenants is None else list(grant.tenants),
    }
    if auth.issuer:
        payload["iss"] = auth.issuer
    return SignedToken(
        text=sign(payload, _signing_key(auth, key_id, now=clock.now())), id=token_id, ends_at=clock.now() + life
    )


def _signing_key(auth: AuthSettings, key_id: str | None, *, now: datetime) -> Key:
    """Return the key to sign with, checked like those that are believed: what nobody would believe is not made."""
    keys = [Key(algorithm=Algorithm(auth.algorithm), material=auth.secret.encode())] if auth.secret else []
    keys += [_from_file(one.file, one.algorithm, one.id, one.until) for one in auth.key]
    for key in keys:
        if key.can_sign and (key_id is None or key.id == key_id) and (key.until is None or now < key.until):
            KeyRing([key])
            return key
    named = "no key of the settings" if key_id is None else f"no key {key_id!r} in the settings that"
    raise ConfigurationError(
        f"{named} can sign: a secret (auth.secret_file), or an [[auth.key]] with a private key. With an identity "
        "provider, tokens are made there; --kind key makes keys for machines"
    )


def _from_file(file: str, algorithm: str, key_id: str, until: datetime | None) -> Key:
    found = KeyFile(Key(algorithm=Algorithm(algorithm), material=b"", id=key_id, until=until), Path(file)).now()
    assert found is not None, "a file without a key is refused when it is first read"
    return found[0]
