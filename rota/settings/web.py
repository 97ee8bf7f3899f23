"""What can be configured of the HTTP door."""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct


class AuthMode(StrEnum):
    """Who decides whom a request comes from."""

    JWT = "jwt"
    HOST = "host"
    NONE = "none"


class WebSettings(Struct, frozen=True, kw_only=True):
    """The HTTP server of `rota serve`, and the doors that are mounted in other applications."""

    host: str = "127.0.0.1"
    """The address that `rota serve` binds. Another one than loopback needs a key for tokens."""
    port: int = 8765
    """The port there."""
    root_path: str = ""
    """The prefix under which a proxy shows it, such as `/ops`."""
    read_only: bool = False
    """Whether everything that changes something is refused, whoever asks."""


class AuthSettings(Struct, frozen=True, kw_only=True):
    """How requests say whom they come from."""

    mode: AuthMode = AuthMode.JWT
    """`jwt`: tokens and keys of Rota's own. `host`: the application that it is mounted in says who it is. `none`:
    everybody may do everything; only in development, on loopback."""
    algorithm: str = "HS256"
    """How tokens are signed: `HS256`, `RS256`, `ES256` or `EdDSA`."""
    secret: str = ""
    """The secret of HS256, 32 bytes or more; better in a file of its own, which `auth.secret_file` names."""
    issuer: str = ""
    """What `iss` has to say. Empty: anything."""
    audience: str = "rota"
    """What `aud` has to name."""
    longest_life: timedelta = timedelta(hours=1)
    """How long a token may live from its `iat` to its `exp`."""
