"""The shapes of the systems that Rota replaces, unchanged, in child processes."""

import json
import os
import threading
from datetime import timedelta

import pytest

from rota.calls import Brief
from rota.clock import SystemClock
from rota.context import StopSignal
from rota.core.model import Outcome, Run, Tenant
from rota.executors.process import ProcessChildren
from tests.executors.shapes_app import app
from tests.numbers import Heard
from tests.tenants.conftest import hold_name

CLOCK = SystemClock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def run(lines):
    """A function that has a child run a job, and returns how it ended."""
    children = ProcessChildren(
        place="tests.executors.shapes_app:app",
        clock=CLOCK,
        kill_grace=timedelta(seconds=1),
        hear_line=lambda run, line: lines.append(line.text),
        hear_progress=lambda run, done, total: None,
        enqueue=lambda runs: [run.id for run in runs],
        numbers=Heard(),
    )

    def run(name, *args, tenant=None, stop=None):
        job = app.jobs[name]
        made = Run(
            id=CLOCK.new_id(),
            job=name,
            args=job.registered.signature.encode(args, {}),
            tenant=None if tenant is None else tenant.id,
            due_at=CLOCK.now(),
            created_at=CLOCK.now(),
        )
        brief = Brief(run=made, tenant=tenant)
        return children.execute(job.job, brief, stop=stop or StopSignal(), started_at=CLOCK.now())

    yield run
    children.close()


def test_a_function_with_a_stop_event_runs_unchanged_and_returns_its_own_result(run):  # R40, R43
    ending = run("my_job")

    assert (ending.outcome, json.loads(ending.result)) == (Outcome.SUCCEEDED, {"counts": {"lines_added": 3}})


def test_its_own_result_that_says_no_is_a_failure_with_its_error(run):  # R43
    ending = run("my_failing_job")

    assert (ending.outcome, ending.error.first_line) == (Outcome.FAILED, "OSError: the site does not answer")


def test_its_stop_event_is_set_in_the_child(run):  # R41, R42
    stop = StopSignal()
    threading.Timer(
        0.5, stop.set, ["out of time"], {"outcome": Outcome.TIMED_OUT, "grace": timedelta(seconds=30)}
    ).start()

    ending = run("my_job_until_stopped", stop=stop)

    # Not killed: it had its grace, and said so itself.
    assert (ending.outcome, ending.error.message) == (Outcome.TIMED_OUT, "Job stopped")


def test_a_function_of_a_database_name_and_an_engine_runs_unchanged(run, tmp_path, lines):  # R22
    hold_name(tmp_path / "acme.db", "acme")

    ending = run("my_new_cron_job", tenant=Tenant(id="acme", url=f"sqlite:///{tmp_path / 'acme.db'}"))

    assert (ending.outcome, ending.error, lines) == (Outcome.SUCCEEDED, None, [])


def test_a_class_with_a_run_method_runs_unchanged(run):
    assert json.loads(run("InvalidatePendingRegistration").result) == {"forgotten": 1}
    number, pid, name = json.loads(run("decorated", 1).result)
    assert (number, name) == (2, "Decorated")
    assert pid != os.getpid()
