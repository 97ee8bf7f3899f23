"""Rota as a backend of Django's tasks framework: here of the back-port; the matrix has Django's own."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.test import override_settings
from msgspec.structs import replace

from rota import Inline, Retry, State, testing
from rota.context import StopSignal
from rota.core.model import Outcome
from rota.errors import ArgumentsTooBig
from rota.integrations.django import rota
from rota.integrations.django.task_framework import (
    InvalidTask,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_backends,
    task_enqueued,
    task_finished,
    task_started,
)
from rota.integrations.django.tasks import TasksBackend, Telling
from tests.integrations.django.agency import tasks
from tests.integrations.django.agency.tasks import CALLED, aadd, add, attempts, broken, flaky, not_json, nothing, send

READY, SUCCESSFUL, FAILED = TaskResultStatus.READY, TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED


@pytest.fixture
def jobs():
    CALLED.clear()
    with testing.capture(rota) as jobs:
        yield jobs


@pytest.fixture
def heard():
    """What Django is told, in order: a word and how the task stands."""
    heard = []

    def hear(word):
        def receiver(sender, task_result, **_):
            heard.append((word, task_result.status, sender))

        return receiver

    receivers = {signal: hear(word) for word, signal in SIGNALS.items()}
    for signal, receiver in receivers.items():
        signal.connect(receiver)
    yield heard
    for signal, receiver in receivers.items():
        signal.disconnect(receiver)


SIGNALS = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}


def test_a_task_is_queued_executed_and_told(jobs):
    result = add.enqueue(2, b=3)
    assert (result.status, result.is_finished, result.attempts) == (READY, False, 0)

    jobs.drain()
    result.refresh()

    assert (result.status, result.return_value, result.attempts) == (SUCCESSFUL, 5, 1)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    assert (result.args, result.kwargs, result.task, result.errors) == ([2], {"b": 3}, add, [])


def test_a_coroutine_is_queued_and_asked_after_from_a_coroutine(jobs):
    async def asked():
        result = await aadd.aenqueue(2, 3)
        await asyncio.to_thread(jobs.drain)
        await result.arefresh()
        return result.return_value

    assert asyncio.run(asked()) == 5


def test_a_failure_has_the_class_and_the_traceback(jobs):
    result = broken.enqueue()
    jobs.drain()
    result.refresh()

    [error] = result.errors
    assert (result.status, error.exception_class) == (FAILED, LookupError)
    assert error.traceback.endswith("LookupError: no such thing\n")
    with pytest.raises(ValueError, match="Task failed"):
        _ = result.return_value


def test_each_failed_attempt_is_an_error_and_each_attempt_a_worker(jobs):
    result = flaky.enqueue()
    for _ in range(3):
        jobs.drain()
        jobs.clock.advance("2m")
    result.refresh()

    assert (result.status, result.return_value, result.attempts) == (SUCCESSFUL, "at last", 3)
    assert [error.traceback.splitlines()[-1] for error in result.errors] == [
        "LookupError: attempt 1",
        "LookupError: attempt 2",
    ]


def test_the_context_knows_the_result_and_the_attempt(jobs):
    result = attempts.enqueue()
    jobs.drain()
    result.refresh()

    assert (result.return_value, [result.id]) == (1, CALLED)


def test_django_is_told_when_it_is_queued_begins_and_ends(jobs, heard):
    add.enqueue(1)
    jobs.drain()

    backend = type(task_backends["default"])
    assert heard == [
        ("enqueued", READY, backend),
        ("started", TaskResultStatus.RUNNING, backend),
        ("finished", SUCCESSFUL, backend),
    ]


def test_an_attempt_that_is_tried_again_has_not_finished(jobs, heard):
    flaky.enqueue()
    for _ in range(3):
        jobs.drain()
        jobs.clock.advance("2m")

    assert [word for word, _, _ in heard] == ["enqueued", "started", "started", "started", "finished"]


def test_a_failure_that_its_policy_does_not_try_again_has_finished(jobs, heard):
    flaky.using(retry=Retry(not_on=LookupError)).enqueue()
    [run] = jobs.drain()

    assert [word for word, _, _ in heard] == ["enqueued", "started", "finished"]
    assert run.state is State.FAILED


@pytest.fixture
def drained(monkeypatch):
    """A worker that is told to end while it has a task in hand."""
    begin = Telling.of

    def of(telling, ctx, args, kwargs):
        ctx.stop.set("the worker is shutting down", outcome=Outcome.INTERRUPTED)
        return begin(telling, ctx, args, kwargs)

    monkeypatch.setattr(Telling, "of", of)


def test_a_task_that_comes_to_its_end_during_a_drain_is_done(jobs, drained):  # R45
    result = nothing.enqueue()
    rota.tick()
    result.refresh()

    assert (result.status, result.return_value) == (SUCCESSFUL, None)


def test_a_task_that_a_drain_has_ended_has_not_finished(jobs, heard, drained):  # R45
    result = broken.enqueue()
    [run] = jobs.runs()
    ctx = SimpleNamespace(run=replace(run, attempt=1), stop=StopSignal())
    with pytest.raises(asyncio.CancelledError), Telling(broken, TasksBackend, run.job).of(ctx, (), {}):
        raise asyncio.CancelledError

    assert (result.status, [word for word, _, _ in heard]) == (READY, ["enqueued", "started"])


def test_the_log_of_a_failure_has_the_exception(jobs, caplog):
    broken.enqueue()
    jobs.drain()

    [record] = [record for record in caplog.records if record.name.startswith("django") and record.levelname == "ERROR"]
    assert record.exc_info[0] is LookupError


def test_what_has_no_json_form_fails_the_task(jobs):
    result = not_json.enqueue()
    jobs.drain()
    result.refresh()

    assert (result.status, result.errors[0].exception_class) == (FAILED, TypeError)


def test_a_task_that_is_cancelled_before_it_begins_has_failed_and_says_why(jobs):
    result = add.enqueue(1)
    rota.cancel([result.id], reason="nobody wants the sum")
    result.refresh()

    assert (result.status, result.is_finished) == (FAILED, True)
    assert [error.traceback for error in result.errors] == ["nobody wants the sum"]


def test_terms_go_along(jobs):
    later = datetime(2100, 1, 1, tzinfo=UTC)
    send.using(queue_name="default", priority=-3, run_after=later).enqueue("ana")

    [run] = jobs.runs()
    assert (run.queue, run.priority, run.due_at, run.state) == ("default", -3, later, State.SCHEDULED)


@pytest.mark.parametrize("term", ["timeout", "schedule", "per_tenant"])
def test_a_term_that_all_runs_share_is_refused_for_one(term):
    with pytest.raises(InvalidTask, match=rf"using\({term}=...\): all runs of a task share it"):
        send.using(**{term: "1h"})


def test_a_stored_task_has_the_terms_that_it_was_queued_with(jobs):
    later = send.using(priority=7, run_after=datetime(2100, 1, 1, tzinfo=UTC), retry=Retry(attempts=2))
    result = later.enqueue("ana")

    assert task_backends["default"].get_result(result.id).task == later


def test_it_may_run_after_a_length_of_time(jobs):
    add.using(run_after=timedelta(days=1)).enqueue(1)

    [run] = jobs.runs()
    assert run.state is State.SCHEDULED


@pytest.mark.parametrize(
    ("args", "kwargs", "why"),
    [
        ((), {}, "missing a required argument: 'a'"),
        ((1, 2, 3), {}, "too many positional arguments"),
        ((1,), {"c": 3}, "unexpected keyword argument 'c'"),
        ((datetime(2026, 1, 1),), {}, "Unsupported type"),
    ],
)
def test_arguments_that_cannot_be_are_refused_at_the_enqueue(jobs, args, kwargs, why):  # R31
    with pytest.raises(TypeError, match=why):
        add.enqueue(*args, **kwargs)

    assert jobs.runs() == []


def test_arguments_that_django_takes_and_rota_does_not_are_refused_at_the_enqueue(jobs):  # R31
    with pytest.raises(ArgumentsTooBig, match="2,000,025 bytes"):
        add.enqueue("x" * 2_000_000)
    with pytest.raises(TypeError):
        add.enqueue(math.nan)

    assert jobs.runs() == []


def test_a_function_that_no_worker_would_find_is_refused(jobs, monkeypatch):
    monkeypatch.setattr(tasks, "add", None)

    with pytest.raises(InvalidTask, match="is another one"):
        add.enqueue(1)


def test_a_queue_that_the_settings_do_not_name_is_refused():
    with pytest.raises(InvalidTask, match="Queue 'elsewhere'"):
        add.using(queue_name="elsewhere")


@pytest.mark.parametrize("result_id", ["nothing", ""])
def test_a_result_that_is_not_there_is_told(jobs, result_id):
    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(result_id)


def test_a_result_is_found_by_its_whole_id_only(jobs):
    result = add.enqueue(1)

    with pytest.raises(TaskResultDoesNotExist):
        task_backends["default"].get_result(result.id[:12])


def test_a_rollback_leaves_no_task():  # R34
    with pytest.raises(RuntimeError), transaction.atomic():
        result = add.enqueue(1)
        raise RuntimeError

    with pytest.raises(TaskResultDoesNotExist):
        result.refresh()


def test_inline_it_is_executed_at_once_and_told_in_order(heard):
    with testing.capture(rota, inline=Inline.RECORD):
        result = broken.enqueue()

    assert result.status is FAILED
    assert [word for word, _, _ in heard] == ["enqueued", "started", "finished"]


def test_called_it_is_the_function():
    assert add(1) == add.call(1) == 2


def test_queues_of_the_settings_are_worked(jobs):
    # No task names it: one may be queued there by `using`.
    assert "letters" in rota.crew(schedules=False).worker.queues


def test_the_app_has_to_be_installed():
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes"]):
        [error] = task_backends["default"].check()

    assert (error.id, error.hint) == ("rota.E010", 'INSTALLED_APPS = [..., "rota.integrations.django"]')
