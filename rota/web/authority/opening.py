"""The authority that the settings `[auth]` mean, and whether a door may open under them."""

from collections.abc import Iterator
from pathlib import Path

from rota.access.key_files import KeyFile, KeyFiles
from rota.access.keys import Algorithm, Key, KeyRing, KeyRings, Keys
from rota.access.tokens import Tokens
from rota.core.claims import Expected
from rota.core.exposure import Exposure, trouble
from rota.errors import ConfigurationError
from rota.reach.address import is_loopback
from rota.settings import AuthMode, AuthSettings, Settings
from rota.settings.values import Mode
from rota.web.authority import Authority
from rota.web.authority.bearers import Bearers
from rota.web.authority.host import Host, ResolveUser
from rota.web.authority.nobody import Nobody


def check_exposure(settings: Settings, *, bind: str | None, has_host: bool = False) -> None:
    """Refuse a door that must not open like this. `bind`: the address; None where another application has one.

    Raises:
        ConfigurationError: with the reason and the way out (T8, T9).
    """
    auth = settings.auth
    door = Exposure(
        on_loopback=None if bind is None else is_loopback(bind),
        in_development=settings.mode is Mode.DEVELOPMENT,
        is_off=auth.is_off,
        by_host=auth.mode is AuthMode.HOST or has_host,
        has_host=has_host,
        has_keys=auth.has_keys,
        has_names=bool(settings.web.allowed_hosts),
    )
    reason = trouble(door)
    if reason is not None:
        raise ConfigurationError(reason)


def authority_of(settings: Settings, *, resolve_user: ResolveUser | None = None) -> Authority:
    """Return the authority that the settings mean; with `resolve_user` the application decides.

    Raises:
        ConfigurationError: there is no key, or an unsafe one.
    """
    check_exposure(settings, bind=None, has_host=resolve_user is not None)
    if settings.auth.is_off:
        return Nobody()
    if resolve_user is not None:
        return Host(resolve_user)
    auth = settings.auth
    expected = Expected(audience=auth.audience, issuer=auth.issuer or None, longest_life=auth.longest_life)
    return Bearers(Tokens(KeyRings(_rings(auth)), expected=expected))


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
