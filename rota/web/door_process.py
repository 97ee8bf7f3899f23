"""One of several processes that answer at the same socket, under a supervisor."""

import os
import selectors
import socket
from datetime import datetime, timedelta

from rota.app import Rota
from rota.engine.channel import Channel, Ended, Hurry, Ready
from rota.stores.memory import MemoryStore
from rota.web.serving import Ending, beside, serve_until_told

LOOKS_EVERY = timedelta(seconds=1)


class Orders:
    """What this process is told by its supervisor, and that it ends when there is none any more."""

    def __init__(self, channel: Channel, ending: Ending) -> None:
        self._channel = channel
        self._ending = ending
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)

    def tick(self, now: datetime) -> timedelta:
        self._selector.select(LOOKS_EVERY.total_seconds())
        if any(isinstance(message, Hurry) for message in self._channel.receive()):
            self._ending.ask(at_once=True)
        if self._channel.is_over:
            # Of a server that nobody looks after, nobody would know how to stop it.
            self._ending.ask()
            return LOOKS_EVERY
        return timedelta(0)


def answer_for(app: Rota, *, descriptor: int, socket_descriptor: int) -> None:
    """Answer at a socket that the supervisor has bound, until it says to end."""
    channel, ending = Channel.inherited(descriptor), Ending()
    beside(app, "orders", Orders(channel, ending))
    at = socket.socket(fileno=socket_descriptor)
    at.set_inheritable(False)

    def ready() -> None:
        channel.send(
            Ready(
                worker=f"door-{os.getpid()}",
                jobs=len(app.jobs),
                queues=(),
                processes=app.settings.web.workers,
                # And what a loop and a store need to let go.
                patience_s=app.settings.web.drain.total_seconds() + 10,
                is_alone=isinstance(app.store, MemoryStore),
            )
        )

    clean = serve_until_told(app, at, ending, ready=ready)
    channel.send(Ended(clean=clean))
