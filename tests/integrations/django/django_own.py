"""Django's own tests of its immediate backend, on Rota's: `python -m tests.integrations.django.django_own FOLDER`.

FOLDER is `tests/tasks` of Django's source distribution. Its files are not changed: the backend that they name is, in
a copy. Rota executes inline, since those tests expect a task to have ended when it is queued.
"""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import django
from django.conf import settings
from django.test.runner import DiscoverRunner

from rota import Inline, testing

BACKEND = "rota.integrations.django.TasksBackend"

NAMES = {
    "from django.tasks.backends.immediate import ImmediateBackend": (
        "from rota.integrations.django import TasksBackend as ImmediateBackend"
    ),
    "django.tasks.backends.immediate.ImmediateBackend": BACKEND,
}

BACK_PORT = {
    "from django.tasks.exceptions import InvalidTask\n": (
        "from django_tasks.exceptions import InvalidTaskError as InvalidTask\n"
    ),
    "from django.tasks import TaskContext, task\n": (
        "from django_tasks import task\nfrom django_tasks.base import TaskContext\n"
    ),
    "django.tasks": "django_tasks",
}
"""The same of the back-port, whose distribution has no tests."""

OTHERWISE = {
    "test_cannot_get_result": "results can be had",
    "test_cannot_refresh_result": "results can be had",
    "test_cannot_pass_run_after": "run_after can be said",
    "test_doesnt_wait_until_transaction_commit_by_default": "it does wait (R34)",
}
"""What is right of a backend that executes within the call, and not of a queue."""


LEAST = 15
"""Tests that are there at least: else something was not found."""


def copied(folder: Path, *, to: Path) -> None:
    """Copy the tests of the immediate backend with the names of ours."""
    names = NAMES if django.VERSION >= (6,) else NAMES | BACK_PORT
    for name in ("__init__.py", "tasks.py", "test_immediate_backend.py"):
        text = (folder / name).read_text("utf-8")
        for theirs, ours in names.items():
            text = text.replace(theirs, ours)
        (to / name).write_text(text, "utf-8")


def main(folder: Path) -> int:
    """Run them; return how many failed."""
    work = Path(tempfile.mkdtemp())
    (work / "tasks").mkdir()
    copied(folder, to=work / "tasks")
    sys.path.insert(0, str(work))
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(
        DATABASES={"default": database, "other": database},
        INSTALLED_APPS=["rota.integrations.django"],
        TASKS={"default": {"BACKEND": BACKEND, "QUEUES": []}},
        USE_TZ=True,
    )
    django.setup()
    from rota.integrations.django import rota

    try:
        with testing.capture(rota, inline=Inline.RECORD):
            runner = DiscoverRunner(verbosity=1)
            taken = [test for test in runner.build_suite(["tasks"]) if test._testMethodName not in OTHERWISE]
            suite = unittest.TestSuite(taken)
            databases = runner.setup_databases()
            result = runner.run_suite(suite)
            runner.teardown_databases(databases)
    finally:
        shutil.rmtree(work)
    if result.testsRun < LEAST:
        raise SystemExit(f"only {result.testsRun} tests were found in {folder}")
    return len(result.failures) + len(result.errors)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
