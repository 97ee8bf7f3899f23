"""Takes what many ask at once to a thread in one go: of a hundred hops each would cost as much as what is asked."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from anyio import to_thread

from rota.gathering import Work, together

Answer = TypeVar("Answer")

MOST = 64
"""Works that are done in one go: the first of them waits for the last."""

HOLDS_S = 0.05
"""Seconds after which nobody waits any longer for those who have gone: something keeps them, a list of tenants that is
slow to come."""


class Ferry(Generic[Answer]):
    """Does works `together` that come together. Who comes while some are under way goes with the next."""

    def __init__(self) -> None:
        # One application may be asked in several event loops, one after another or at once.
        self._piers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pier[Answer]] = WeakKeyDictionary()

    async def take(self, does: Callable[[], Answer]) -> Answer:
        """Return what it returns, once what it has handed in is written; raise what it raises, or that write."""
        loop = asyncio.get_running_loop()
        pier = self._piers.get(loop)
        if pier is None:
            pier = self._piers[loop] = _Pier()
        return await pier.come(Work(does, copy_context()), loop)


class _Pier(Generic[Answer]):
    """Where those wait who have come in one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Work[Answer], asyncio.Future[Answer]]] = []
        self._leaves_soon = False
        self._trips: set[asyncio.Task[None]] = set()
        self._awaited: asyncio.Task[None] | None = None
        """Those who have gone last, as long as they are waited for."""

    def come(self, work: "Work[Answer]", loop: asyncio.AbstractEventLoop) -> "asyncio.Future[Answer]":
        landing: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((work, landing))
        if self._awaited is None and not self._leaves_soon:
            # Not at once: what else has come by now is heard of in this turn of the loop.
            self._leaves_soon = True
            loop.call_soon(self._leave, loop)
        return landing

    def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        self._leaves_soon = False
        those, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        if not those:
            return
        trip = self._awaited = loop.create_task(_trip(those))
        self._trips.add(trip)
        patience = loop.call_later(HOLDS_S, self._await_no_longer, trip, loop)

        def landed(_: object) -> None:
            patience.cancel()
            self._trips.discard(trip)
            self._await_no_longer(trip, loop)

        trip.add_done_callback(landed)

    def _await_no_longer(self, trip: "asyncio.Task[None]", loop: asyncio.AbstractEventLoop) -> None:
        if self._awaited is trip:
            self._awaited = None
            self._leave(loop)


async def _trip(those: "list[tuple[Work[Answer], asyncio.Future[Answer]]]") -> None:
    try:
        came_to = await to_thread.run_sync(together, [work for work, _ in those])
        for (_, landing), one in zip(those, came_to, strict=True):
            # Who waits no longer is gone; what he asked for is done all the same.
            if landing.done():
                continue
            if isinstance(one, Exception):
                landing.set_exception(one)
            else:
                landing.set_result(one)
    finally:
        # The loop ends: nobody is left waiting in it.
        for _, landing in those:
            landing.cancel()
