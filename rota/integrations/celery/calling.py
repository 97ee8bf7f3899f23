"""A schedule of Rota that calls a Celery task which exists."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from celery import Task
from celery.backends.base import DisabledBackend
from celery.result import AsyncResult

from rota.errors import ConfigurationError
from rota.integrations.called import EVERY, Answer, Calling, job_calling

SENT = "SENT"
"""The state of a task that was sent and has not begun: by itself Celery calls that `PENDING`, as it does any id that
nobody ever heard of."""


def calling(
    task: Task,
    *,
    follow: bool = True,
    tenant: str | None = None,
    every: timedelta | str = EVERY,
    terminate: bool = False,
    **options: Any,
) -> Calling:
    """Return a function for `rota.job` that calls a Celery task and follows it to its result.

    `rota.job(name="report", schedule=..., timeout="1h")(calling(report))`. With `follow` a run succeeds and fails with
    its task, which is looked at every so often; without it a run is over once the message is sent. `tenant` names the
    parameter that gets the tenant's id. When the run is cancelled or out of time the task is revoked; with `terminate`
    also the process that executes it. `options` are those of `apply_async`: queue, priority, expires.

    Raises:
        ConfigurationError: it is to be followed, and its result is not kept, or only for the process that asked.
    """
    if follow:
        _refuse_without_results(task)
    called = CalledInCelery(task, terminate=terminate, options=options, marks=follow)
    return job_calling(called, follow=follow, tenant=tenant, every=every, doc=task.__doc__)


class CalledInCelery:
    """A Celery task as a job calls it."""

    def __init__(self, task: Task, *, terminate: bool, options: Mapping[str, Any], marks: bool) -> None:
        self.name: str = task.name
        self._task = task
        self._terminate = terminate
        self._options = options
        self._marks = marks

    def send(self, task_id: str, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        if self._marks:
            if self._result(task_id).state != "PENDING":
                return
            # Before it is sent: after that, the mark could take the place of the result. Who dies in between waits
            # for what was never sent, until the time limit; its next attempt has another id.
            self._task.backend.store_result(task_id, None, SENT)
        try:
            self._task.apply_async(args, dict(kwargs), task_id=task_id, **self._options)
        except BaseException:
            if self._marks:
                self._result(task_id).forget()
            raise

    def answer(self, task_id: str) -> Answer | None:
        result = self._result(task_id)
        match result.state:
            case "SUCCESS":
                return Answer(value=result.result)
            case "FAILURE" | "REVOKED":
                error = result.result
                text = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
                return Answer(error=text, traceback=str(result.traceback or ""))
            case _:
                return None

    def recall(self, task_id: str) -> None:
        self._result(task_id).revoke(terminate=self._terminate)

    def _result(self, task_id: str) -> AsyncResult:
        # A fresh one each time: it keeps what it was told last.
        return self._task.AsyncResult(task_id)


def _refuse_without_results(task: Task) -> None:
    way_out = "or leave it with follow=False: then a run only tells that it was sent"
    if isinstance(task.backend, DisabledBackend):
        raise ConfigurationError(f"task {task.name!r} has no result to follow: give Celery a result_backend, {way_out}")
    if str(task.backend.as_uri()).startswith("rpc"):
        raise ConfigurationError(
            f"task {task.name!r}: the result backend rpc:// tells only the process that asked: take another, {way_out}"
        )
    if task.ignore_result:
        raise ConfigurationError(f"task {task.name!r} has ignore_result=True: take that away, {way_out}")
