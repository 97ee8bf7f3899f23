"""Where runs are kept: memory, SQLite, PostgreSQL, MariaDB and MySQL, Redis, or nowhere."""

from typing import TYPE_CHECKING

from rota.errors import ConfigurationError, MissingExtra

if TYPE_CHECKING:
    from rota.ports import Store

SCHEMES = ("memory://", "blackhole://", "sqlite:///", "postgresql://", "mysql://", "mariadb://", "redis://")
REDIS = ("redis", "rediss", "valkey", "valkeys")


def open_store(
    url: str, *, table_prefix: str = "rota_", schema: str | None = None, pool_size: int = 5, prepared: bool = True
) -> "Store":
    """Return the store at `url`. Nothing is connected to yet.

    `schema` is the PostgreSQL schema of the tables; `pool_size` how many connections are kept open, besides the
    ones for heartbeats and waking. `prepared=False` does without prepared statements, for poolers that lose them.
    What a scheme needs is loaded only when it is asked for: a command that touches no database starts faster.

    Raises:
        ConfigurationError: an unknown scheme, or a URL that cannot be a store.
        MissingExtra: the driver is not installed.
    """
    scheme = url.partition(":")[0]
    kind = scheme.partition("+")[0]
    if kind == "memory":
        from rota.stores.memory import MemoryStore

        return MemoryStore()
    if kind == "blackhole":
        from rota.stores.blackhole import BlackHole

        return BlackHole()
    if kind in REDIS:
        try:
            from rota.stores.redis.opening import open_redis
        except ImportError as error:
            raise MissingExtra("redis", needed_for="a Redis store") from error

        return open_redis(url, prefix=table_prefix, pool_size=pool_size)
    if kind not in ("sqlite", "postgresql", "mysql", "mariadb"):
        raise ConfigurationError(f"unknown store {scheme!r}: {', '.join(SCHEMES)} are known")
    from rota.stores.sql.opening import open_sql

    return open_sql(url, prefix=table_prefix, schema=schema, pool_size=pool_size, prepared=prepared)
