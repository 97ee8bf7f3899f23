"""Waking on Redis: scripts that queue something say so on a channel, and every process that waits hears it."""

from typing import Any

from redis.exceptions import RedisError

from rota.errors import StoreUnavailable
from rota.stores.redis.server import Line, Server
from rota.stores.waking import NEVER


class Channel:
    """A connection of its own that is subscribed. Its socket has no deadline: it is waited for by `select`."""

    pause: float = NEVER
    errors: tuple[type[Exception], ...] = (RedisError, OSError, StoreUnavailable)

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: Line | None = None
        self._is_new = False

    def open(self) -> int | None:
        """Subscribe, and return the socket's descriptor."""
        connection = self._server.detached()
        self._connection = connection
        connection.send_command("SUBSCRIBE", self._server.key("wake"))
        connection.read_response()
        # What was queued before it was heard is news too.
        self._is_new = True
        descriptor: int = self._socket(connection).fileno()
        return descriptor

    def came(self) -> bool:
        """Read what was said; nothing waits for more."""
        assert self._connection is not None
        came, self._is_new = self._is_new, False
        while self._connection.can_read(timeout=0):
            self._connection.read_response()
            came = True
        return came

    def tell(self) -> None:
        """Nothing: the scripts have told."""

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def forget(self) -> None:
        """Close this process's end without a word on the line: the line is the parent's."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._socket(connection).close()

    @staticmethod
    def _socket(connection: Any) -> Any:
        # The client has no public name for it, and nothing else that can be waited for beside a pipe.
        return connection._sock
