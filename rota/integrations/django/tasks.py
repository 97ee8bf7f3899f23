"""Rota as a backend of Django's tasks framework: `TASKS = {"default": {"BACKEND": ...}}`.

A task is a job by the dotted path of its function. Jobs are known by what this process has imported; nothing that the
store holds is imported.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from traceback import format_exception
from typing import Any

from django.apps import apps
from django.core import checks
from django.utils import timezone
from django.utils.module_loading import import_string

from rota.context import RunContext
from rota.core.builder import When
from rota.core.exceptions import class_names
from rota.core.lifecycle import RETRY_LATER
from rota.core.model import Outcome, Run, State
from rota.core.policy import Retry
from rota.core.returns import Result
from rota.integrations.django import rota
from rota.integrations.django.databases import in_thread_of_orm
from rota.integrations.django.task_framework import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskContext,
    TaskError,
    TaskResultDoesNotExist,
    TaskResultStatus,
    normalize_json,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from rota.integrations.django.task_results import fresh_result, path_of, result_of, with_fields
from rota.job import JobFunction

DEFAULT = "default"
ATTEMPTS, SCHEDULES = OPTIONS = ("attempts", "SCHEDULES")
"""What the backend reads of its OPTIONS."""
OF_ALL_RUNS = ("timeout", "schedule", "per_tenant")
"""Terms of a task that a run cannot have by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RotaTask(Task):  # type: ignore[type-arg]  # generic for type checkers only
    """A task with what Rota knows besides: `@task(retry=..., timeout=...)`."""

    retry: Retry | None = None
    timeout: timedelta | str | None = "default"
    schedule: When | None = None
    """When it is due by itself, without arguments."""
    per_tenant: bool = False
    """Whether its schedule has a run for each tenant."""
    tenant: str | None = None
    """Whose run it is: `.using(tenant=...)`."""

    def using(self, **changes: Any) -> "RotaTask":
        """Return the task with other terms; `run_after` may be a timedelta from now.

        Raises:
            InvalidTask: one that all runs of a task share.
        """
        for name in OF_ALL_RUNS:
            if name in changes:
                raise InvalidTask(f"using({name}=...): all runs of a task share it, say @task({name}=...)")
        if isinstance(changes.get("run_after"), timedelta):
            changes["run_after"] = timezone.now() + changes["run_after"]
        said = {name: value for name, value in changes.items() if value is not None}
        return replace(self, **said)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function here and now, as a job of Rota's is called."""
        return self.call(*args, **kwargs)


class TasksBackend(BaseTaskBackend):
    """Queues tasks as runs; any worker of Rota executes them.

    OPTIONS: `attempts` for each task that has no `retry` (1), and `SCHEDULES`, when tasks are due by themselves:
    `{"shop.tasks.report": "daily at 02:00"}`.
    """

    task_class = RotaTask
    supports_defer = True
    supports_async_task = True
    supports_priority = True

    @property
    def supports_get_result(self) -> bool:  # type: ignore[override]  # a black hole keeps nothing
        """Whether the store keeps what becomes of a run."""
        return not rota.store_url.startswith("blackhole:")

    def validate_task(self, task: Any) -> None:
        """Refuse a task that cannot be queued, and know it as a job from now on.

        Raises:
            InvalidTask: the function or the terms cannot be; the message says why.
        """
        super().validate_task(task)
        self._job_of(task)

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """Queue a task: within the transaction that is open on the store's database, or after the commit of another.

        Raises:
            InvalidTask: the task cannot be queued, or no worker could find its function.
            TypeError: the arguments do not fit the function, or have no JSON form.
        """
        self.validate_task(task)
        _refuse_what_no_worker_finds(task)
        _check_arguments(task, args, kwargs)
        result = fresh_result(task, args=args, kwargs=dict(kwargs))
        job = self._job_of(task).using(
            queue=task.queue_name,
            priority=task.priority,
            at=_aware(task.run_after),
            tenant=getattr(task, "tenant", None),
            retry=getattr(task, "retry", None),
        )
        handle = job.enqueue(*result.args, **result.kwargs)
        with_fields(result, {"id": handle.id, "enqueued_at": timezone.now()})
        if rota.is_inline:
            # Told there already, before it began; unless it waits for the end of a transaction.
            history = rota.store.run(handle.id)
            return result if history is None else self.get_result(handle.id)
        task_enqueued.send(type(self), task_result=result)
        return result

    async def aenqueue(self, task: Any, args: Any, kwargs: Any) -> Any:
        """`enqueue` in the thread of the transaction around it, where there may be one."""
        return await in_thread_of_orm(lambda: self.enqueue(task, args, kwargs))

    def get_result(self, result_id: str) -> Any:
        """Return how a task stands.

        Raises:
            TaskResultDoesNotExist: no run of this backend has the id, or it is pruned, or not committed yet.
        """
        history = rota.store.run(result_id)
        # By the whole id: a store knows a run by its first digits as well.
        task = None if history is None or history.run.id != result_id else _tasks.get(history.run.job)
        if history is None or task is None or task.backend != self.alias:
            raise TaskResultDoesNotExist(result_id)
        stored = rota.jobs[history.run.job].registered.signature.decode(history.run.args)
        return result_of(_stored(task, history.run), history, args=stored.args, kwargs=stored.kwargs)

    async def aget_result(self, result_id: str) -> Any:
        """`get_result` in a thread of its own."""
        return await asyncio.to_thread(self.get_result, result_id)

    def check(self, **_: Any) -> list[Any]:
        """Check that workers will find the tasks."""
        return list(self._found())

    def _found(self) -> Iterator[checks.CheckMessage]:
        if not apps.is_installed("rota.integrations.django"):
            yield checks.Error(
                f"TASKS[{self.alias!r}] is Rota's, and its app is not installed: nobody looks for tasks",
                hint='INSTALLED_APPS = [..., "rota.integrations.django"]',
                id="rota.E010",
            )
        served = rota.settings.worker.queues
        missing = sorted(queue for queue in self.queues if served and queue not in served)
        if missing:
            yield checks.Warning(
                f"TASKS[{self.alias!r}] has queues that no worker works: {', '.join(missing)}",
                hint='Add them to ROTA["worker"]["queues"], or leave that out: then workers work all there are.',
                id="rota.W004",
            )

    def paths(self) -> list[str]:
        """Return the dotted paths of the tasks that are known here."""
        return [task.module_path for task in _tasks.values() if task.backend == self.alias]

    def _job_of(self, task: Any) -> JobFunction[Any, Any, Any]:
        """Return the job of a task, registered when it is first seen."""
        name = task.module_path if self.alias == DEFAULT else f"{self.alias}:{task.module_path}"
        known = _tasks.get(name)
        if known is not None and known.func is task.func:
            return rota.jobs[name]
        schedule = getattr(task, "schedule", None) or self.options.get(SCHEDULES, {}).get(task.module_path)
        made = rota.job(
            name=name,
            queue=task.queue_name,
            priority=task.priority,
            schedule=schedule,
            per_tenant=getattr(task, "per_tenant", False),
            retry=getattr(task, "retry", None) or Retry.fixed("10s", attempts=self.options.get(ATTEMPTS, 1)),
            timeout=getattr(task, "timeout", "default"),
        )
        job = made(_caller_of(task, type(self), name))
        _tasks[name] = task
        return job


_tasks: dict[str, Any] = {}
"""The tasks of this process by the names of their jobs."""


def task(function: Callable[..., Any] | None = None, *, backend: str = DEFAULT, **said: Any) -> Any:
    """Make a task of a function, as Django's decorator does, with the terms of `RotaTask` also before Django 6.1."""

    def made(func: Callable[..., Any]) -> Any:
        terms: dict[str, Any] = {"priority": 0, "queue_name": DEFAULT, "takes_context": False, "run_after": None} | said
        return task_backends[backend].task_class(func=func, backend=backend, **terms)

    return made if function is None else made(function)


# --- at the enqueue ---


def _refuse_what_no_worker_finds(task: Any) -> None:
    """Refuse a function that is not where its name says: a worker knows what it has imported."""
    path = task.module_path
    try:
        found = import_string(path)
    except ImportError as error:
        raise InvalidTask(f"no worker could find {path}: {error}") from error
    if task.func not in (found, getattr(found, "func", None)):
        raise InvalidTask(f"no worker could find this function: {path} is another one")


def _check_arguments(task: Any, args: Iterable[Any], kwargs: Mapping[str, Any]) -> None:
    given = [None, *args] if task.takes_context else list(args)
    try:
        inspect.signature(task.func).bind(*given, **kwargs)
    except TypeError as error:
        raise TypeError(f"task {task.module_path}: {error}") from None


def _aware(run_after: Any) -> Any:
    return timezone.make_aware(run_after) if run_after is not None and timezone.is_naive(run_after) else run_after


def _stored(task: Any, run: Run) -> Any:
    """Return the task with the terms of one of its runs, unchecked: settings may have become others since."""
    made = object.__new__(type(task))
    with_fields(made, {field.name: getattr(task, field.name) for field in fields(task)})
    waits = run.due_at if run.state is State.SCHEDULED and run.attempt == 0 else None
    given = {"queue_name": run.queue, "priority": run.priority, "run_after": waits}
    if isinstance(task, RotaTask):
        given |= {"tenant": run.tenant, "retry": run.retry or task.retry}
    return with_fields(made, given)


# --- in the run ---


def _caller_of(task: Any, sender: type[BaseTaskBackend], name: str) -> Callable[..., Any]:
    """Return the job's function: calls that of the task, and tells Django how it goes."""
    telling = Telling(task, sender, name)

    def call(*args: Any, rota_run: RunContext, **kwargs: Any) -> Any:
        with telling.of(rota_run, args, kwargs) as told:
            return told.ended(task.func(*told.arguments, **kwargs))

    async def acall(*args: Any, rota_run: RunContext, **kwargs: Any) -> Any:
        with telling.of(rota_run, args, kwargs) as told:
            return told.ended(await task.func(*told.arguments, **kwargs))

    made = acall if inspect.iscoroutinefunction(task.func) else call
    made.__doc__ = task.func.__doc__
    return made


class Telling:
    """Makes what tells Django of the attempts at one task."""

    def __init__(self, task: Any, sender: type[BaseTaskBackend], name: str) -> None:
        self.task = task
        self.sender = sender
        self.name = name

    def of(self, ctx: RunContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "Told":
        """Return what tells of one attempt."""
        return Told(self, ctx, args, kwargs)


class Told:
    """One attempt, told by Django's signals: begun when the block begins, finished when it ends for good."""

    def __init__(self, telling: Telling, ctx: RunContext, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        run = ctx.run
        self._ctx = ctx
        self._sender = telling.sender
        # Of this run: the terms it was queued with may be others than those of the decorator.
        task = _stored(telling.task, run)
        self._result = fresh_result(task, args=args, kwargs=kwargs, id=run.id, enqueued_at=run.created_at)
        self._is_first = run.attempt == 1
        now = timezone.now()
        given = {"status": TaskResultStatus.RUNNING, "started_at": now, "last_attempted_at": now}
        # Who had the attempts before is not asked of the store: that costs a question for each attempt.
        self._running = {**given, "worker_ids": [run.owner or ""] * run.attempt}
        context: list[Any] = [TaskContext(task_result=self._result)] if task.takes_context else []
        self.arguments: tuple[Any, ...] = (*context, *self._result.args)

    def __enter__(self) -> "Told":
        if rota.is_inline and self._is_first:
            task_enqueued.send(self._sender, task_result=self._result)
        with_fields(self._result, self._running)
        task_started.send(self._sender, task_result=self._result)
        return self

    def ended(self, returned: Any) -> Any:
        """Return what the task returned, as JSON keeps it.

        Raises:
            TypeError: it has no JSON form.
        """
        value = normalize_json(returned)
        with_fields(self._result, {"_return_value": value})
        # A task hears of no stop signal: one that comes to its end during a drain is done, and nothing left early.
        return Result() if value is None else value

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            self._finished(TaskResultStatus.SUCCESSFUL)
            return
        assert kind is not None, "there is an error"
        text = "".join(format_exception(error))
        self._result.errors.append(TaskError(exception_class_path=path_of(kind), traceback=text))
        # Within the `with` that the exception leaves: Django's log reads the one that is at hand.
        # Inline a Ctrl-C is no failure of the task's: it goes on to whoever has called it.
        if self._is_over(error) and not (rota.is_inline and isinstance(error, KeyboardInterrupt)):
            self._finished(TaskResultStatus.FAILED)

    def _is_over(self, error: BaseException) -> bool:
        """Whether no attempt follows, as `lifecycle.settle` decides it but for `max_elapsed`."""
        stop, run = self._ctx.stop, self._ctx.run
        if stop.is_set() and stop.outcome is not Outcome.TIMED_OUT:
            # What a drain ends is given back to the queue.
            return stop.outcome is Outcome.CANCELLED
        if run.attempt >= run.max_attempts:
            return True
        retry = run.retry or rota.jobs[run.job].job.retry
        classes = class_names(TimeoutError() if stop.is_set() else error)
        return RETRY_LATER not in classes and not retry.covers(classes)

    def _finished(self, status: TaskResultStatus) -> None:
        with_fields(self._result, {"status": status, "finished_at": timezone.now()})
        task_finished.send(self._sender, task_result=self._result)
