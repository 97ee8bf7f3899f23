"""Runs as Django's tasks framework shows them."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rota.core.codec import decode
from rota.core.model import Attempt, Outcome, Run, RunHistory, State
from rota.integrations.django.task_framework import Task, TaskError, TaskResult, TaskResultStatus

STATUS = {
    State.SCHEDULED: TaskResultStatus.READY,
    State.QUEUED: TaskResultStatus.READY,
    State.RUNNING: TaskResultStatus.RUNNING,
    State.SUCCEEDED: TaskResultStatus.SUCCESSFUL,
    State.FAILED: TaskResultStatus.FAILED,
    State.CANCELLED: TaskResultStatus.FAILED,
    State.SKIPPED: TaskResultStatus.FAILED,
}

NO_ERROR = (Outcome.SUCCEEDED, Outcome.INTERRUPTED, Outcome.SNOOZED)
"""Outcomes of attempts that are no error of the task's."""

STOPPED = "rota.errors.Stopped"
"""What ended an attempt that raised nothing itself: it was out of time, cancelled or lost."""

_LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)", re.MULTILINE)


def fresh_result(
    task: "Task[Any, Any]",
    *,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    id: str = "",  # noqa: A002  as Django calls it
    enqueued_at: datetime | None = None,
) -> "TaskResult[Any, Any]":
    """Return the result of a task that nobody has begun.

    Raises:
        TypeError: an argument has no JSON form.
    """
    return TaskResult(
        task=task,
        id=id,
        status=TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=list(args),
        kwargs=kwargs,
        backend=task.backend,
        errors=[],
        worker_ids=[],
    )


def result_of(task: "Task[Any, Any]", history: RunHistory, *, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Return the result of a task as its run stands."""
    run, attempts = history.run, [one for one in history.attempts if one.started_at is not None]
    result = fresh_result(task, args=args, kwargs=kwargs, id=run.id, enqueued_at=run.created_at)
    given: dict[str, object] = {
        "status": STATUS[run.state],
        "started_at": attempts[0].started_at if attempts else None,
        "last_attempted_at": attempts[-1].started_at if attempts else None,
        "finished_at": _finished_at(run, attempts),
        "errors": [_error(one, run) for one in attempts if _is_error(one)] or _without_an_attempt(run),
        "worker_ids": [one.owner or "" for one in attempts],
    }
    if run.state is State.SUCCEEDED:
        given["_return_value"] = None if run.result is None else decode(run.result)
    return with_fields(result, given)


def with_fields(value: Any, given: dict[str, object]) -> Any:
    """Set fields of one of Django's frozen values, as Django itself does, and return it."""
    for name, field in given.items():
        object.__setattr__(value, name, field)
    return value


def path_of(kind: type[BaseException]) -> str:
    """Return the dotted path of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _finished_at(run: Run, attempts: Sequence[Attempt]) -> datetime | None:
    if not run.state.is_final:
        return None
    return attempts[-1].ended_at if attempts else run.ended_at


def _is_error(attempt: Attempt) -> bool:
    return attempt.outcome is not None and attempt.outcome not in NO_ERROR


def _without_an_attempt(run: Run) -> list[TaskError]:
    """Return why a run is over that has not failed: it was cancelled, or skipped."""
    if run.state not in (State.CANCELLED, State.SKIPPED):
        return []
    return [TaskError(exception_class_path=STOPPED, traceback=run.reason or str(run.state))]


def _error(attempt: Attempt, run: Run) -> TaskError:
    error = attempt.error
    if error is None:
        return TaskError(exception_class_path=STOPPED, traceback=run.reason or str(attempt.outcome))
    return TaskError(exception_class_path=_class_path(error.type, error.traceback), traceback=error.traceback)


def _class_path(kind: str, traceback: str) -> str:
    """Return the dotted path of an exception's class: a store keeps its name, and the traceback where it is from."""
    name = kind.rpartition(".")[2]
    found = [path for path in _LAST_LINE.findall(traceback) if path.rpartition(".")[2] == name]
    path: str = found[-1] if found else kind
    return path if "." in path else f"builtins.{path}"
