"""Whether the HTTP door may open at an address: who can reach it there, and what they have to show (R62, T8, T9)."""

from msgspec import Struct


class Exposure(Struct, frozen=True, kw_only=True):
    """What is known of a door before it opens."""

    on_loopback: bool | None
    """Whether only this machine reaches it; None where another application binds."""
    in_development: bool
    is_off: bool
    """Whether nobody has to show anything."""
    by_host: bool = False
    """Whether the application around it says who asks."""
    has_host: bool = False
    """Whether there is such an application, and it was told how."""
    has_keys: bool = False
    has_names: bool = False
    """Whether it is said by which names it may be asked for."""


def trouble(door: Exposure) -> str | None:
    """Return why a door must not open like this, with the way out; None if it may."""
    if door.is_off:
        return _trouble_without(door)
    if door.by_host:
        if not door.has_host:
            return (
                'auth.mode is "host", and no application says who asks: mount the door with '
                'rota.asgi_app(resolve_user=...), or set auth.mode = "jwt"'
            )
        return None
    if not door.has_keys:
        return (
            "there is no key for tokens: set auth.secret_file to a file with 32 random bytes; in development, on "
            "loopback, DISABLE_AUTH=true does without"
        )
    if door.on_loopback is False and not door.has_names:
        return (
            "web.host is no loopback address, and web.allowed_hosts is empty: name the hosts that it is asked for as, "
            'such as ["jobs.example.org"]'
        )
    return None


def _trouble_without(door: Exposure) -> str | None:
    if not door.in_development:
        return (
            'auth is off (DISABLE_AUTH or auth.mode = "none"), and mode is not "development": set a key with '
            "auth.secret_file, and take that away"
        )
    if door.on_loopback is False:
        return (
            'auth is off (DISABLE_AUTH or auth.mode = "none"), and web.host is no loopback address: everybody who '
            "reaches it could run jobs. Bind 127.0.0.1, or set a key with auth.secret_file"
        )
    return None
