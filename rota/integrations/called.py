"""A job that calls a task of another queue, and follows it to its result: what Celery, Huey and RQ have in common."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

from msgspec import Struct

from rota.context import RunContext
from rota.core.codec import encode_result
from rota.core.duration import parse_duration
from rota.core.model import Outcome
from rota.errors import CallFailed, ResultNotStorable

EVERY = timedelta(seconds=1)

THREADS = 4
"""Of each task, to ask its queue: one that hangs holds up its own calls, and no other coroutine of the process."""

LEAVING = timedelta(seconds=3)
"""How long a run that is to stop waits for its task to be recalled: less than `worker.kill_grace`."""

FOR_GOOD = frozenset({Outcome.CANCELLED, Outcome.TIMED_OUT})
"""How a run is stopped that does not follow its task any more. One that is only interrupted, by a deploy, is taken up
again by its next attempt."""

Calling = Callable[..., Awaitable[object]]


class Answer(Struct, frozen=True, kw_only=True):
    """What became of a task."""

    value: object = None
    error: str | None = None
    """What its queue says of its failure; None for a success."""
    traceback: str = ""


class Called(Protocol):
    """A task of another queue. Its methods may take their time; whatever that queue raises goes through."""

    name: str

    def send(self, task_id: str, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        """Send it under this id; what was sent under it before is not sent again, as far as its queue can tell."""

    def answer(self, task_id: str) -> Answer | None:
        """Return what became of it; None while nobody knows."""

    def recall(self, task_id: str) -> None:
        """Keep it from beginning, where that can be."""


def job_calling(
    called: Called,
    *,
    follow: bool,
    tenant: str | None,
    every: timedelta | str,
    doc: str | None,
) -> Calling:
    """Return a function for `rota.job` which sends the task with its own arguments and, with `follow`, returns what
    the task returned, or raises CallFailed.

    `tenant` names the parameter of the task that gets the id of the run's tenant. It is a coroutine function, so that
    hundreds can be followed at once. The id of the task is made of run and attempt: a run that goes on in another
    process finds the task that it has sent.
    """
    pause = parse_duration(every) if isinstance(every, str) else every
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="rota-call")

    async def call(*args: Any, rota_context: RunContext, **kwargs: Any) -> object:
        task_id = f"rota-{rota_context.run_id}-{rota_context.attempt}"
        if tenant is not None:
            kwargs[tenant] = rota_context.tenant.id
        in_thread = partial(asyncio.get_running_loop().run_in_executor, threads)

        def send() -> None:
            called.send(task_id, args, kwargs)
            if rota_context.stop.is_set() and rota_context.stop.outcome in FOR_GOOD:
                # It took so long that the run is over.
                recall()

        def recall() -> None:
            try:
                called.recall(task_id)
            # Of a system of somebody else's: whatever is wrong there, the run ends as it was to.
            except Exception as error:  # noqa: BLE001
                rota_context.log.warning("could not recall %s: %s", task_id, error)

        try:
            await in_thread(send)
            if not follow:
                return {"task": task_id}
            while (answer := await in_thread(called.answer, task_id)) is None:
                await rota_context.asleep(pause)
        except asyncio.CancelledError:
            if rota_context.stop.outcome in FOR_GOOD:
                # In time, whatever the queue does: else the process would be taken for stuck, and replaced.
                await asyncio.wait([in_thread(recall)], timeout=LEAVING.total_seconds())
            raise
        if answer.error is not None:
            if answer.traceback:
                rota_context.log.error("%s", answer.traceback)
            raise CallFailed(f"{called.name} ({task_id}): {answer.error}")
        return _storable(answer.value, task_id)

    call.__name__ = called.name.rpartition(".")[2]
    call.__doc__ = doc or f"Call {called.name}."
    return call


def _storable(value: object, task_id: str) -> object:
    try:
        encode_result(value)
    except ResultNotStorable:
        # The work is done: that its result has no JSON form does not make it a failure.
        return {"task": task_id}
    return value
