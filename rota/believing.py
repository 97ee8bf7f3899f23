"""The keys that tokens are believed by, as the settings name them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from rota.access.jwks import LARGEST, RemoteKeys
from rota.access.key_files import KeyFile, KeyFiles, KeySetFile
from rota.access.keys import Algorithm, Key, KeyRing, KeyRings, Keys
from rota.access.tokens import Tokens
from rota.clock import Clock
from rota.core.claims import Expected
from rota.errors import ConfigurationError
from rota.reach import Terms, parsed
from rota.settings import AuthSettings

HTTPS = 443
PATIENCE = timedelta(seconds=5)
"""How long an identity provider may take: somebody may wait for it."""


class Believed:
    """What verifies tokens: secrets and public keys from files, and the key set of an identity provider."""

    def __init__(self, auth: AuthSettings, *, clock: Clock) -> None:
        """Read what is in files; the key set at a URL is asked for by whoever has this.

        Raises:
            ConfigurationError: there is no key at all, or an unsafe one.
        """
        if not auth.has_keys:
            raise ConfigurationError("there is no key for tokens: set auth.secret_file to a file with 32 random bytes")
        self.remote: RemoteKeys | None = _remote(auth, clock)
        rings = [*_rings(auth), *([] if self.remote is None else [self.remote])]
        self.tokens: Tokens = Tokens(
            KeyRings(rings),
            expected=Expected(audience=auth.audience, issuer=auth.issuer or None, longest_life=auth.longest_life),
        )


def _rings(auth: AuthSettings) -> Iterator[Keys]:
    if auth.secret:
        yield KeyRing([Key(algorithm=Algorithm(auth.algorithm), material=auth.secret.encode())])
    if auth.key:
        yield KeyFiles(
            [
                KeyFile(
                    Key(algorithm=Algorithm(one.algorithm), material=b"", id=one.id, until=one.until), Path(one.file)
                )
                for one in auth.key
            ]
        )
    if auth.jwks and "://" not in auth.jwks:
        yield KeySetFile(Path(auth.jwks))


def _remote(auth: AuthSettings, clock: Clock) -> RemoteKeys | None:
    if "://" not in auth.jwks:
        return None
    if auth.jwks.startswith("http://"):
        raise ConfigurationError("auth.jwks: it must begin with https://: else whoever stands between says who asks")
    try:
        terms = Terms(
            networks=auth.jwks_networks,
            # A provider inside seldom has the port of the web.
            ports=(urlsplit(auth.jwks).port or HTTPS,),
            ca_file=auth.jwks_ca_file,
            timeout=PATIENCE,
            most=LARGEST,
        )
        parsed(auth.jwks, terms)
    except ValueError as error:
        raise ConfigurationError(f"auth.jwks: {error}") from error
    return RemoteKeys(auth.jwks, every=auth.jwks_every, terms=terms, clock=clock)
