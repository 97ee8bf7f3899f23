"""A schedule of Rota that calls a function through RQ."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from rota.errors import MissingExtra
from rota.integrations.called import EVERY, Answer, Calling, job_calling

try:
    from rq import Queue
    from rq.command import send_stop_job_command
    from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
    from rq.job import Job, JobStatus
except ImportError as error:
    raise MissingExtra("rq", needed_for="its integration") from error

KEPT = timedelta(days=1)
"""How long RQ is to keep the end of a job: whoever follows it may be down for a while."""

FAILED = frozenset({JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED})


def calling(
    function: Callable[..., object],
    queue: Queue,
    *,
    follow: bool = True,
    tenant: str | None = None,
    every: timedelta | str = EVERY,
    terminate: bool = False,
    **options: Any,
) -> Calling:
    """Return a function for `rota.job` that puts a function into a queue of RQ and follows it to its result.

    `rota.job(name="report", schedule=..., timeout="1h")(calling(report, queue))`. With `follow` a run succeeds and
    fails with the job of RQ, which is looked at every so often; without it a run is over once that is queued. `tenant`
    names the parameter that gets the tenant's id. When the run is cancelled or out of time the job of RQ is cancelled
    if it has not begun; with `terminate` also stopped if it has. `options` are those of `Queue.enqueue_call`.
    """
    called = CalledInRQ(function, queue, terminate=terminate, options=options)
    return job_calling(called, follow=follow, tenant=tenant, every=every, doc=function.__doc__)


class CalledInRQ:
    """A function as a job puts it into a queue of RQ."""

    def __init__(
        self, function: Callable[..., object], queue: Queue, *, terminate: bool, options: Mapping[str, Any]
    ) -> None:
        self.name: str = f"{function.__module__}.{function.__qualname__}"
        self._function = function
        self._queue = queue
        self._terminate = terminate
        kept = int(KEPT.total_seconds())
        self._options = {"result_ttl": kept, "failure_ttl": kept, **options}

    def send(self, task_id: str, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        with suppress(DuplicateJobError):
            self._queue.enqueue_call(
                self._function, tuple(args), dict(kwargs), job_id=task_id, unique=True, **self._options
            )

    def answer(self, task_id: str) -> Answer | None:
        try:
            job = self._job(task_id)
        except NoSuchJobError:
            return Answer(error="RQ has no such job any more: somebody deleted it, or its result_ttl is over")
        status = job.get_status(refresh=False)
        if status == JobStatus.FINISHED:
            return Answer(value=job.return_value())
        if status not in FAILED:
            return None
        result = job.latest_result()
        trace = str(result.exc_string or "") if result is not None else ""
        return Answer(error=trace.strip().rpartition("\n")[2] or str(status.value), traceback=trace)

    def recall(self, task_id: str) -> None:
        with suppress(NoSuchJobError, InvalidJobOperation):
            job = self._job(task_id)
            if job.get_status(refresh=False) != JobStatus.STARTED:
                job.cancel()
            elif self._terminate:
                send_stop_job_command(self._queue.connection, task_id)

    def _job(self, task_id: str) -> Job:
        return Job.fetch(task_id, connection=self._queue.connection, serializer=self._queue.serializer)
