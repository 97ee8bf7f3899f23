"""The way to a Redis server: its connections, the calls of scripts, and what the client's errors mean."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from redis import (
    BlockingConnectionPool,
    Connection,
    ConnectionPool,
    Redis,
    SSLConnection,
    UnixDomainSocketConnection,
    exceptions,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from rota.errors import StoreUnavailable
from rota.stores.doubt import IS_NOT_WRITTEN, MAY_BE_WRITTEN
from rota.stores.redis.scripts import script

CONNECT_SECONDS = 5
ANSWER_SECONDS = 15
"""After which a call is given up: a server that answers nothing must not hang a loop for ever. Longer than any script
of ours takes."""
WAIT_SECONDS = 10
"""For a connection, when all are in use."""

AWAY = (
    exceptions.BusyLoadingError, exceptions.ClusterDownError, exceptions.ConnectionError, exceptions.MasterDownError,
    exceptions.OutOfMemoryError, exceptions.ReadOnlyError, exceptions.TimeoutError, exceptions.TryAgainError,
)  # fmt: skip
"""The server is not there, or takes no writes now."""

NOT_SENT = ("connecting to", "No connection available")
"""The client's words for a server that was not reached: it has one class for that and for a lost answer."""

AWAY_CODES = ("MISCONF", "NOREPLICAS", "BUSY", "UNBLOCKED")
"""The same, where the client has no class of its own for it."""


Line = Any
"""A connection of the client, whose methods have no types."""
Kind = type[Connection] | type[UnixDomainSocketConnection]
plain_connection: Kind = Connection
secure_connection: Kind = SSLConnection
socket_connection: Kind = UnixDomainSocketConnection


class Server:
    """One Redis server, or the node of a cluster that has our keys. `prefix` begins all of them."""

    def __init__(self, options: dict[str, Any], *, connection: Kind, prefix: str, pool_size: int) -> None:
        self._options = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "socket_keepalive": True,
            # The client repeats what failed by itself otherwise, and most scripts are not to be repeated blindly: who
            # calls knows which are (reliability.md, 4.4).
            "retry": Retry(NoBackoff(), 0),
            # Of what RESP3 brings, nothing is used; older proxies do not know it.
            "protocol": 2,
        } | options
        self._kind = connection
        # More than are kept: a heartbeat never waits for a claim.
        self._pool: ConnectionPool = BlockingConnectionPool(
            connection_class=connection, max_connections=pool_size + 20, timeout=WAIT_SECONDS, **self._options
        )
        self._client = Redis(connection_pool=self._pool)
        self._encode = msgspec.msgpack.Encoder().encode
        self.prefix = prefix
        where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        self.shown: str = f"redis {where}/{options.get('db', 0)}"

    def key(self, name: str, of: str | None = None) -> str:
        """Return one of our keys, as scripts call it."""
        return f"{self.prefix}{name}" if of is None else f"{self.prefix}{name}:{of}"

    def call(self, name: str, request: Any = None, records: Sequence[bytes] = ()) -> Any:
        """Call a script with a request, and return its answer as the server gives it: msgpack, a number or None.

        `records` are msgpack maps that the script writes as they are: msgpack itself has no place for bytes that the
        scripts' reader knows.

        Raises:
            StoreUnavailable: nothing was written, or the answer was lost; see what the verb says of a repetition.
        """
        wanted = script(name)
        message = self._encode(request)
        with self._told():
            try:
                return self._client.execute_command("EVALSHA", wanted.sha, 1, self.prefix, message, *records)
            except exceptions.NoScriptError:
                # The server was restarted, or somebody flushed its scripts: nothing has run yet (C19).
                return self._client.execute_command("EVAL", wanted.text, 1, self.prefix, message, *records)

    def ask(self, *command: Any) -> Any:
        """Execute one command."""
        with self._told():
            return self._client.execute_command(*command)

    def _ask_each(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Execute commands that do not depend on one another, in one round trip."""
        if not commands:
            return []
        with self._told():
            pipeline = self._client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = pipeline.execute()
            return answers

    def counters(self, name: str, of: str | None = None) -> dict[str, int]:
        """Return a hash of counters."""
        return _counters(self.ask("HGETALL", self.key(name, of)))

    def counters_of_each(self, name: str, each: Sequence[str]) -> list[dict[str, int]]:
        """Return several hashes of counters, in one round trip."""
        return [_counters(answer) for answer in self._ask_each([("HGETALL", self.key(name, of)) for of in each])]

    def detached(self) -> Line:
        """Return a connection of its own, which waits for messages as long as it likes."""
        connection: Line = self._kind(**self._options | {"socket_timeout": None})
        with self._told():
            connection.connect()
        return connection

    def erase(self) -> None:
        """Delete every key of this prefix, a thousand at a time: the server goes on answering others meanwhile."""
        cursor, keys = "0", list[bytes]()
        while True:
            cursor, keys = self.ask("SCAN", cursor, "MATCH", f"{self.prefix}*", "COUNT", 1000)
            if keys:
                self.ask("UNLINK", *keys)
            if int(cursor) == 0:
                return

    def close(self) -> None:
        """Disconnect."""
        self._client.close()
        self._pool.disconnect()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the client raises into what a store says."""
        try:
            yield
        except (exceptions.AuthenticationError, exceptions.NoPermissionError) as error:
            raise StoreUnavailable(f"store {self.shown}: {_reason(error)}") from error
        except AWAY as error:
            how = MAY_BE_WRITTEN if _is_lost(error) else IS_NOT_WRITTEN
            raise StoreUnavailable(f"store {self.shown}: {_reason(error)}; {how}") from error
        except exceptions.ResponseError as error:
            if not str(error).startswith(AWAY_CODES):
                raise
            raise StoreUnavailable(f"store {self.shown}: {_reason(error)}; {IS_NOT_WRITTEN}") from error


def _is_lost(error: Exception) -> bool:
    """Whether it broke off after it was sent, for all that is known: not what the server refused, nor a server that was
    not reached."""
    is_of_line = isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError)
    is_sent = not any(words in str(error) for words in NOT_SENT)
    return is_of_line and not isinstance(error, exceptions.BusyLoadingError) and is_sent


def _counters(answer: Any) -> dict[str, int]:
    # A client returns the pairs of a plain command as they came, and as a dictionary where it knows the command.
    pairs = answer.items() if isinstance(answer, dict) else zip(answer[::2], answer[1::2], strict=True)
    return {name.decode(): int(number) for name, number in pairs}


def _reason(error: Exception) -> str:
    """Return the first line of what the client says; the rest of it is about scripts."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
