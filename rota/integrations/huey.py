"""A schedule of Rota that calls a Huey task which exists."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from rota.errors import ConfigurationError, MissingExtra
from rota.integrations.called import EVERY, Answer, Calling, job_calling

try:
    from huey.api import PeriodicTask, TaskWrapper
    from huey.constants import EmptyData
    from huey.utils import Error
except ImportError as error:
    raise MissingExtra("huey", needed_for="its integration") from error


def calling(
    task: TaskWrapper,
    *,
    follow: bool = True,
    tenant: str | None = None,
    every: timedelta | str = EVERY,
    **options: Any,
) -> Calling:
    """Return a function for `rota.job` that calls a Huey task and follows it to its result.

    `rota.job(name="report", schedule=..., timeout="1h")(calling(report))`. With `follow` a run succeeds and fails with
    its task, which is looked at every so often; without it a run is over once the task is queued. `tenant` names the
    parameter that gets the tenant's id. When the run is cancelled or out of time the task is revoked, if it has not
    begun. `options` are those of a task of Huey: priority, expires, retries, timeout.

    Raises:
        ConfigurationError: it is to be followed, and Huey does not keep results, or not those of such a task.
    """
    if follow:
        _refuse_without_results(task)
    return job_calling(
        CalledInHuey(task, options), follow=follow, tenant=tenant, every=every, doc=getattr(task.func, "__doc__", None)
    )


class CalledInHuey:
    """A Huey task as a job calls it."""

    def __init__(self, task: TaskWrapper, options: Mapping[str, Any]) -> None:
        self.name: str = task.task_class.__name__
        self._task = task
        self._huey = task.huey
        self._options = options

    def send(self, task_id: str, args: Sequence[object], kwargs: Mapping[str, object]) -> None:
        if not self._huey.put_if_empty(_mark(task_id), 1):
            return
        try:
            self._huey.enqueue(self._task.task_class(args, dict(kwargs), id=task_id, **self._options))
        except BaseException:
            self._huey.delete(_mark(task_id))
            raise

    def answer(self, task_id: str) -> Answer | None:
        # Left there: whoever follows may die before the end is recorded.
        kept = self._huey.get_raw(task_id, peek=True)
        if kept is EmptyData:
            return None
        value = self._huey.serializer.deserialize(kept)
        if isinstance(value, Error):
            if value.metadata.get("retries"):
                # Huey tries it again, under the same id.
                return None
            return Answer(error=str(value.metadata.get("error")), traceback=str(value.metadata.get("traceback", "")))
        return Answer(value=value)

    def recall(self, task_id: str) -> None:
        self._huey.revoke_by_id(task_id)


def _refuse_without_results(task: TaskWrapper) -> None:
    huey, name = task.huey, task.task_class.__name__
    way_out = "or leave it with follow=False: then a run only tells that it was queued"
    if issubclass(task.task_class, PeriodicTask):
        raise ConfigurationError(
            f"task {name!r} cannot be followed: Huey keeps no word of a periodic task, and its own schedule goes on. "
            f"Make it @huey.task() in place of @huey.periodic_task(...), {way_out}"
        )
    if not (huey.results and huey.store_none):
        raise ConfigurationError(
            f"task {name!r} cannot be followed: Huey keeps no word of a task that returns None. Make it "
            f"Huey(..., store_none=True), {way_out}"
        )


def _mark(task_id: str) -> str:
    return f"{task_id}-sent"
