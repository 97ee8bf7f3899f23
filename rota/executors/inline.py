"""Runs an attempt at once, in the thread that submits it: for tests, `--here`, and debuggers."""

from collections.abc import Callable, Sequence
from contextvars import Context

from rota.core.lifecycle import Ending
from rota.core.model import Run
from rota.ports import Call


class InlineExecutor:
    """Executes each call before `submit` returns; in a fresh, empty context, as everywhere (R21)."""

    def submit(self, calls: Sequence[Call], done: Callable[[Run, Ending], None]) -> None:
        for call in calls:
            done(call.run, Context().run(call.execute))

    def withdraw(self) -> list[Call]:
        return []

    def close(self) -> None:
        """Nothing to let go of."""
