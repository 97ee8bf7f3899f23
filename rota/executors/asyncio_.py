"""Runs `async def` jobs, hundreds at once, on one event loop in a thread of its own."""

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from rota.calls import Call
from rota.clock import Clock
from rota.context import StopSignal
from rota.core.lifecycle import Ending
from rota.core.model import Outcome, Run, RunKind
from rota.executors.call import ending_of, ending_of_error

log: logging.Logger = logging.getLogger(__name__)

Aside = TypeVar("Aside")
Done = Callable[[Run, Ending], None]

LAST_WAIT = 1.0
"""Seconds that coroutines have to end once the executor closes."""


async def aexecute(function: Callable[[], Awaitable[object]], *, stop: StopSignal, started_at: datetime) -> Ending:
    """Await the function and return how it ended. Raises nothing, not even a cancellation: that is how a coroutine is
    told to stop, and its reason stands on the signal."""
    try:
        return ending_of(await function(), stop=stop, started_at=started_at)
    except asyncio.CancelledError as cancelled:
        if stop.is_set():
            return ending_of(None, stop=stop, started_at=started_at)
        # Nobody here asked for it: a failure like any other.
        return ending_of_error(cancelled, stop=stop, started_at=started_at)
    # The broad catch around a job: one that calls sys.exit must not end the loop.
    except BaseException as error:  # noqa: BLE001
        return ending_of_error(error, stop=stop, started_at=started_at)


async def aside(function: Callable[[], Aside]) -> Aside:
    """Call a function that may take its time in a thread, so that the loop goes on; return what it returned."""
    return await asyncio.to_thread(function)


class Blockage(Struct, frozen=True, kw_only=True):
    """The event loop that has not come round for a while, and what holds it."""

    lag: timedelta
    run: Run | None
    """The run whose coroutine has not given the loop back; None where it is none of ours."""
    stack: str


class AsyncioExecutor:
    """Begins every call at once: how many there are is decided by who claims.

    Each call is a task with a fresh, empty context (R21). It is stopped by being cancelled, once: a second
    cancellation would cut its cleaning up short.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._calls: dict[asyncio.Task[Ending], Call] = {}
        self._is_ending = False
        self._came_round = 0.0
        self._asked = 0.0

    def submit(self, calls: Sequence[Call], done: Done) -> None:
        loop = self._running_loop()
        loop.call_soon_threadsafe(self._begin, list(calls), done)

    def waiting(self) -> int:
        return 0

    def withdraw(self) -> list[Call]:
        """Nothing waits here."""
        return []

    def close(self) -> None:
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or loop.is_closed():
            return
        loop.call_soon_threadsafe(self._end)
        # What ignores that ends with the process.
        thread.join(2 * LAST_WAIT)

    def blockage(self) -> Blockage | None:
        """Return what holds the loop if it has not come round since the last question; ask every half second or so."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or thread.ident is None or loop.is_closed():
            return None
        at = self._clock.monotonic()
        if self._came_round < self._asked:
            frame = sys._current_frames().get(thread.ident)
            task = asyncio.current_task(loop)
            call = None if task is None else self._calls.get(task)
            return Blockage(
                lag=timedelta(seconds=at - self._asked),
                run=None if call is None else call.run,
                stack="" if frame is None else "".join(traceback.format_stack(frame)[-8:]),
            )
        self._asked = at
        loop.call_soon_threadsafe(self._stamp)
        return None

    def _stamp(self) -> None:
        self._came_round = self._clock.monotonic()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._drive, args=(self._loop,), name="rota-coroutines", daemon=True
                )
                self._thread.start()
            return self._loop

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            while not self._is_ending:
                self._go_round(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()

    def _go_round(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            # A job may stop the loop of all others.
            loop.run_forever()
        # What a task of a job's own raises to end the program, such as sys.exit, comes out here.
        except BaseException as error:  # noqa: BLE001
            log.error("a task of a job's own would have ended the event loop: %s", type(error).__name__)

    def _begin(self, calls: Sequence[Call], done: Done) -> None:
        assert self._loop is not None, "it runs this"
        for call in calls:
            task = self._loop.create_task(call.aexecute(), context=Context())
            self._calls[task] = call
            task.add_done_callback(_Reporter(self._calls, done))
            if call.run.kind is RunKind.JOB:
                # An expansion is at work in a thread, which looks at the signal itself.
                call.stop_signal.then(_Canceller(self._loop, task))

    def _end(self) -> None:
        assert self._loop is not None, "it runs this"
        for call in list(self._calls.values()):
            # Which cancels it, unless it was told to stop before.
            call.stop_signal.set("the worker is shutting down", outcome=Outcome.INTERRUPTED)
        self._loop.create_task(self._stop_when_done(list(self._calls)))

    async def _stop_when_done(self, tasks: Sequence[asyncio.Task[Ending]]) -> None:
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WAIT)
        self._is_ending = True
        asyncio.get_running_loop().stop()


class _Canceller:
    """Cancels a task, in its own thread, the first time it is called."""

    __slots__ = ("_is_spent", "_loop", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Ending]) -> None:
        self._loop = loop
        self._task = task
        self._is_spent = False

    def __call__(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        # Here, in one thread: two that tell it at the same time would both find it unspent.
        if not self._is_spent:
            self._is_spent = True
            self._task.cancel()


class _Reporter:
    """Reports the ending of a task's call."""

    __slots__ = ("_calls", "_done")

    def __init__(self, calls: dict[asyncio.Task[Ending], Call], done: Done) -> None:
        self._calls = calls
        self._done = done

    def __call__(self, task: asyncio.Task[Ending]) -> None:
        call = self._calls.pop(task)
        stop = call.stop_signal
        # Cancelled before its first step, it never came to say how it ended.
        ending = Ending(outcome=stop.outcome, reason=stop.reason) if task.cancelled() else task.result()
        self._done(call.run, ending)
