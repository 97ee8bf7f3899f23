"""Runs an attempt at once, in the thread that submits it: for tests, `--here`, and debuggers."""

from collections.abc import Callable, Sequence
from contextvars import Context

from rota.calls import Call
from rota.core.lifecycle import Ending
from rota.core.model import Run


class InlineExecutor:
    """Executes each call before `submit` returns; in a fresh, empty context, as everywhere (R21)."""

    def submit(self, calls: Sequence[Call], done: Callable[[Run, Ending], None]) -> None:
        for call in calls:
            done(call.run, Context().run(_awaited if call.is_coroutine else _executed, call))

    def waiting(self) -> int:
        return 0

    def withdraw(self) -> list[Call]:
        return []

    def close(self) -> None:
        """Nothing to let go of."""


def _executed(call: Call) -> Ending:
    return call.execute()


def _awaited(call: Call) -> Ending:
    # Weight by choice: a program without coroutines never loads asyncio.
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_aexecuted(call))
    # A test, or a view, that is a coroutine itself: its thread has a loop, and there is no second one in it.
    with ThreadPoolExecutor(max_workers=1) as aside:
        return aside.submit(lambda: asyncio.run(_aexecuted(call))).result()


async def _aexecuted(call: Call) -> Ending:
    return await call.aexecute()
