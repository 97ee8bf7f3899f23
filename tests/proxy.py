"""A TCP proxy between a process and its server, which does to the connection what networks do.

One thread moves all bytes. What is held back is not lost: TCP would send it again, so it arrives when the network does.
"""

import selectors
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum

from tests.server_kinds import free_port

HOST = "127.0.0.1"
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What becomes of bytes and connections."""

    PASS = "pass"
    REFUSE = "refuse"
    """Nobody listens, and those who are connected are cut off."""
    BLACK_HOLE = "black hole"
    """Connections stand, and nothing comes through in either direction."""
    ONE_WAY = "one way"
    """What is asked arrives, the answers do not."""


class Trap:
    """Loses the answer to one statement: swallows it, and cuts the connection."""

    def __init__(self, trigger: bytes, after: bytes) -> None:
        self.trigger = trigger
        self.after = after
        self.sprung = threading.Event()
        """Set when the server has answered, and its answer is lost."""


class Way:
    """One direction of a link."""

    def __init__(self, source: socket.socket, sink: socket.socket, *, asks: bool) -> None:
        self.source = source
        self.sink = sink
        self.asks = asks
        """Whether this is the way from the client to the server."""
        self.waiting: deque[tuple[float, bytes]] = deque()
        self.ended = False


class Link:
    """A client's connection and the one to the server behind it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.ways = (Way(client, server, asks=True), Way(server, client, asks=False))
        self.sockets = (client, server)
        self.asked = b""
        """The end of what the client has sent, to find words that come in two parts."""
        self.is_after: Trap | None = None
        self.caught_by: Trap | None = None


class Proxy:
    """Listens on a port of its own and passes everything on to a server; `to` says what happens on the way."""

    def __init__(self, port: int, *, host: str = HOST) -> None:
        self._target = (host, port)
        self._mode = Mode.PASS
        self._delay = 0.0
        self._trap: Trap | None = None
        self.counts: Counter[str] = Counter()
        """How many connections were `accepted` and `reset`, and how many answers were `lost`."""
        self._links: set[Link] = set()
        self._selector = selectors.DefaultSelector()
        self._reset_all = False
        self._stopped = False
        self._lock = threading.Lock()
        self._done = threading.Condition(self._lock)
        self._orders = self._obeyed = 0
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._listener: socket.socket | None = None
        # Nobody gets it while nobody listens there.
        self.port: int = free_port()
        self._listen((HOST, self.port))
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    # --- what a test says ---

    def to(self, mode: Mode) -> None:
        """Change what happens, from now on; returns when it does."""
        self._order(mode=mode)

    def delay(self, seconds: float) -> None:
        """Let everything arrive so much later, in each direction."""
        self._order(delay=seconds)

    def reset(self) -> None:
        """Cut all connections off that there are now; new ones are accepted."""
        self._order(reset=True)

    def lose_one_answer(self, trigger: bytes, *, after: bytes = b"") -> Trap:
        """Let the server carry out the next statement that holds `trigger`, lose its answer, and cut the connection.

        With `after`, only on a connection that has sent this before: of all COMMITs the one that ends a claim.
        """
        trap = Trap(trigger, after)
        self._order(trap=trap)
        return trap

    def close(self) -> None:
        with self._lock:
            self._stopped = True
            # Within the lock: the thread closes this when it ends.
            self._wake.send(b".")
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy does not end"

    def _order(
        self, *, mode: Mode | None = None, delay: float | None = None, trap: Trap | None = None, reset: bool = False
    ) -> None:
        with self._lock:
            self._mode = self._mode if mode is None else mode
            self._delay = self._delay if delay is None else delay
            self._trap = trap or self._trap
            self._reset_all |= reset
            self._orders += 1
            mine = self._orders
            self._wake.send(b".")
            assert self._done.wait_for(lambda: self._obeyed >= mine, timeout=10), "the proxy does not obey"

    # --- the thread ---

    def _run(self) -> None:
        while True:
            ready = self._selector.select(self._next_due())
            with self._lock:
                self._read(ready)
                if self._stopped:
                    break
                self._obey()
                self._flush()
        self._listen(None)
        for link in list(self._links):
            self._drop(link)
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _obey(self) -> None:
        if self._orders == self._obeyed:
            return
        if self._reset_all or self._mode is Mode.REFUSE:
            for link in list(self._links):
                self._drop(link)
            self._reset_all = False
        if self._mode is Mode.REFUSE:
            self._listen(None)
        elif self._listener is None:
            self._listen((HOST, self.port))
        self._obeyed = self._orders
        self._done.notify_all()

    def _listen(self, address: tuple[str, int] | None) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        if address is not None:
            self._listener = socket.create_server(address, backlog=100)
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _read(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _ in ready:
            if key.fileobj is self._woken:
                self._woken.recv(4096)
            elif key.fileobj is self._listener:
                self._accept()
            elif key.data is not None and key.data[0] in self._links:
                self._receive(*key.data)

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        self.counts["accepted"] += 1
        try:
            server = socket.create_connection(self._target, timeout=5)
        except OSError:
            # As if nobody listened here either.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            client.close()
            return
        link = Link(client, server)
        for way in link.ways:
            way.source.settimeout(5)
            way.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(way.source, selectors.EVENT_READ, (link, way))
        self._links.add(link)

    def _receive(self, link: Link, way: Way) -> None:
        try:
            received = way.source.recv(1 << 16)
        except OSError:
            received = b""
        if not received:
            way.ended = True
            self._selector.unregister(way.source)
            return
        if way.asks:
            self._look_for_trap(link, received)
        elif link.caught_by is not None:
            self.counts["lost"] += 1
            link.caught_by.sprung.set()
            self._drop(link)
            return
        way.waiting.append((time.monotonic() + self._delay, received))

    def _look_for_trap(self, link: Link, received: bytes) -> None:
        trap = self._trap
        if trap is None:
            link.asked = b""
            return
        link.asked = link.asked[-100:] + received
        if link.is_after is not trap:
            _, found, behind = link.asked.partition(trap.after) if trap.after else (b"", b"", link.asked)
            if trap.after and not found:
                return
            # What was sent before is not meant: it may hold the trigger of an earlier statement.
            link.is_after, link.asked = trap, behind
        if trap.trigger in link.asked:
            link.caught_by, self._trap = trap, None

    def _flush(self) -> None:
        now = time.monotonic()
        for link in list(self._links):
            for way in link.ways:
                while link in self._links and self._is_open(way) and way.waiting and way.waiting[0][0] <= now:
                    self._send(link, way, way.waiting.popleft()[1])
            # One side has closed, and the other has got all that it said.
            if link in self._links and any(way.ended and not way.waiting and self._is_open(way) for way in link.ways):
                self._drop(link, reset=False)

    def _send(self, link: Link, way: Way, received: bytes) -> None:
        try:
            way.sink.sendall(received)
        except OSError:
            self._drop(link)

    def _is_open(self, way: Way) -> bool:
        return self._mode is Mode.PASS or (self._mode is Mode.ONE_WAY and way.asks)

    def _next_due(self) -> float | None:
        with self._lock:
            dues = [
                way.waiting[0][0] for link in self._links for way in link.ways if way.waiting and self._is_open(way)
            ]
        return max(min(dues) - time.monotonic(), 0) if dues else None

    def _drop(self, link: Link, *, reset: bool = True) -> None:
        self._links.discard(link)
        if reset:
            self.counts["reset"] += 1
        for one in link.sockets:
            with suppress(KeyError):
                self._selector.unregister(one)
            if reset:
                with suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            one.close()


@contextmanager
def proxy(port: int, *, host: str = HOST) -> Iterator[Proxy]:
    """Start a proxy in front of a server for the time of the block."""
    made = Proxy(port, host=host)
    try:
        yield made
    finally:
        made.close()
