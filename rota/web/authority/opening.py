"""The authority that the settings `[auth]` mean, and whether a door may open under them."""

from rota.app import Rota
from rota.believing import Believed
from rota.core.exposure import Exposure, trouble
from rota.errors import ConfigurationError
from rota.reach.address import is_loopback
from rota.settings import AuthMode, Settings
from rota.settings.values import Mode
from rota.web.authority import Authority
from rota.web.authority.bearers import Bearers
from rota.web.authority.browsers import Browsers
from rota.web.authority.host import Host, ResolveUser
from rota.web.authority.nobody import Nobody
from rota.web.authority.register import Register


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


def authority_of(app: Rota, *, resolve_user: ResolveUser | None = None) -> Authority:
    """Return the authority that the settings mean; with `resolve_user` the application decides.

    Raises:
        ConfigurationError: there is no key, or an unsafe one.
    """
    auth = app.settings.auth
    check_exposure(app.settings, bind=None, has_host=resolve_user is not None)
    if auth.is_off:
        return Nobody()
    if resolve_user is not None:
        return Host(resolve_user)
    register = Register(app.credentials, clock=app.clock)
    bearers = Bearers(Believed(auth, clock=app.clock), register)
    return Browsers(bearers, app.sessions, register) if auth.sessions else bearers
