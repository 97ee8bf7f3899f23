"""Whom a request comes from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from rota.access.keys import Algorithm, Key, KeyRing
from rota.access.tokens import Tokens
from rota.core.access import Principal
from rota.core.claims import Expected, Untrusted
from rota.errors import ConfigurationError
from rota.settings import Settings

BEARER = "bearer "


class Authority(Protocol):
    """Says whom a request comes from."""

    def principal(self, headers: Mapping[str, str], *, now: datetime) -> Principal:
        """Return who it is; headers by their names in lower case.

        Raises:
            Untrusted: nobody that is known. Why is for the log, never for the answer (J19).
        """


class Bearers:
    """Whoever has a token that is signed with a key of ours."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def principal(self, headers: Mapping[str, str], *, now: datetime) -> Principal:
        given = headers.get("authorization", "")
        if not given.lower().startswith(BEARER):
            raise Untrusted("no token")
        return self._tokens.verify(given[len(BEARER) :], now=now)


def authority_of(settings: Settings) -> Authority:
    """Return the authority that the settings `[auth]` mean.

    Raises:
        ConfigurationError: there is no key, or an unsafe one.
    """
    auth = settings.auth
    if not auth.secret:
        raise ConfigurationError("there is no key for tokens: set auth.secret_file to a file with 32 random bytes")
    key = Key(algorithm=Algorithm(auth.algorithm), material=auth.secret.encode())
    expected = Expected(audience=auth.audience, issuer=auth.issuer or None, longest_life=auth.longest_life)
    return Bearers(Tokens(KeyRing([key]), expected=expected))
