"""From a URL to a store."""

import re
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from rota.errors import ConfigurationError
from rota.redaction import redacted
from rota.stores.redis.safety import LOOPBACK, Durability, Permits
from rota.stores.redis.server import Server, plain_connection, secure_connection, socket_connection
from rota.stores.redis.store import RedisStore

_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
KNOWN = ("allow_volatile", "allow_open", "durability", "ca", "socket")
EXAMPLE = "redis://user:password@host:6379/0"


def open_redis(url: str, *, prefix: str, pool_size: int) -> RedisStore:
    """Return the store of a Redis or Valkey server: `redis://`, `valkey://`, with TLS `rediss://`, `valkeys://`.

    The path is the number of the database. In the query: `allow_volatile=true`, `allow_open=true` and
    `durability=always|everysec`, see `safety.Permits`; `ca=FILE` for the certificate of TLS; `socket=PATH` for a
    socket of the system in place of a host.

    Raises:
        ConfigurationError: the URL cannot be read, or asks for what nobody knows.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(f"table_prefix={prefix!r}: letters, digits and underscores, 40 at most")
    parts = urlsplit(url)
    query = _query(parts.query)
    options: dict[str, Any] = {"db": _database(parts.path)}
    is_secure = parts.scheme in ("rediss", "valkeys")
    connection = secure_connection if is_secure else plain_connection
    if "socket" in query:
        connection = socket_connection
        options["path"] = query["socket"]
    else:
        options |= {"host": parts.hostname or "localhost", "port": _port(parts)}
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    if "ca" in query:
        options["ssl_ca_certs"] = query["ca"]
    permits = Permits(
        volatile=_is_true(query, "allow_volatile"),
        open=_is_true(query, "allow_open"),
        durability=_stated(query.get("durability")),
    )
    is_private = is_secure or bool(parts.password) or "socket" in query or parts.hostname in (None, *LOOPBACK)
    # The braces are the hash tag: in a cluster all keys are on one node, and a script is one transaction there.
    server = Server(options, connection=connection, prefix=f"{{{prefix.rstrip('_')}}}:", pool_size=pool_size)
    return RedisStore(server, permits, is_private=is_private)


def _query(text: str) -> dict[str, str]:
    query = dict(parse_qsl(text))
    for name in query:
        if name not in KNOWN:
            raise ConfigurationError(f"the store's URL asks for {name!r}: only {', '.join(KNOWN)} are known")
    return query


def _database(path: str) -> int:
    number = path.strip("/") or "0"
    if not number.isdigit():
        raise ConfigurationError(f"the store's URL names database {redacted(number)!r}: a number, as in {EXAMPLE}")
    return int(number)


def _port(parts: Any) -> int:
    try:
        return parts.port or 6379
    except ValueError:
        raise ConfigurationError(f"the port of the store's URL is no number; it looks like {EXAMPLE}") from None


def _is_true(query: dict[str, str], name: str) -> bool:
    value = query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise ConfigurationError(f"{name}={value!r} in the store's URL: true or false")
    return value == "true"


def _stated(text: str | None) -> Durability | None:
    if text is None:
        return None
    if text not in (Durability.ALWAYS, Durability.EVERYSEC):
        raise ConfigurationError(f"durability={text!r} in the store's URL: always or everysec")
    return Durability(text)
