"""A run in a child process: what it is given, what comes back, however it ends."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from rota.context import StopSignal
from rota.core.model import Outcome
from rota.errors import StoreUnavailable
from rota.executors.spawning import allowed
from tests.executors.nursery import Nursery, nursery

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared():
    with nursery() as made:
        yield made


@pytest.fixture
def home(shared):
    for heard in (shared.lines, shared.progress, shared.enqueued):
        heard.clear()
    return shared


def test_a_job_runs_in_a_process_of_its_own_and_returns_its_result(home):  # R40
    assert home.result("add", 2, 3) == 5
    assert home.result("pid") != os.getpid()


def test_each_run_has_a_fresh_child_unless_the_settings_say_otherwise(home):
    assert home.result("pid") != home.result("pid")


def test_what_a_job_prints_is_heard_line_by_line(home):  # R44
    home.run("prints")

    assert home.text("stdout") == ["to standard output", "raw, without a line break"]
    assert home.text("stderr") == ["to standard error"]
    assert {line.source: line.level for line in home.lines} == {"stdout": "INFO", "stderr": "WARNING"}


def test_structlog_says_in_a_child_which_run_it_is(home):  # R44
    home.run("structured")

    [line] = home.text("stdout")
    told = json.loads(line)
    assert {name: told[name] for name in ("event", "rows", "job")} == {
        "event": "fetched",
        "rows": 3,
        "job": "structured",
    }
    assert len(told["run"]) == 32


def test_a_child_gives_no_secret_argument_away(home):  # T51, T53
    ending = home.run("tells", "4929-1234-5678", "public")

    assert "4929" not in f"{ending.error} {ending.reason}"
    assert "4929" not in "".join(line.text for line in home.lines if line.source not in ("stdout", "stderr"))
    assert ending.error.message == "refused ***"


def test_log_records_and_warnings_are_heard_with_level_and_logger_and_not_twice(home):  # R44
    home.run("logs")

    heard = [(line.level, line.source, line.text.partition("UserWarning")[1]) for line in home.lines]
    assert heard == [
        ("WARNING", "shop.orders", ""),
        ("INFO", "rota.job", ""),
        ("WARNING", "py.warnings", "UserWarning"),
    ]
    assert home.lines[0].text == "order 7 is late"


def test_progress_is_heard(home):
    home.run("logs")

    assert home.progress == [(3, 9)]


def test_an_exception_is_a_failure_with_the_jobs_own_traceback(home):  # R43
    ending = home.run("fails")

    assert ending.outcome is Outcome.FAILED
    assert ending.error.first_line == "LookupError: no such order"
    assert "process_app.py" in ending.error.traceback and "invocation.py" not in ending.error.traceback


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("exit", "exited with status 3 without a result"),
        ("segfault", "killed by signal 11 (SIGSEGV)"),
        ("abort", "killed by signal 6 (SIGABRT)"),
        ("kill", "killed by signal 9 (SIGKILL)"),
        ("kill guardian", "its guardian was killed, and it with that"),
    ],
)
def test_a_child_that_dies_by_itself_is_lost_with_the_reason(home, how, message):  # F2, R43
    ending = home.run("leaves", how)

    assert ending.outcome is Outcome.LOST
    assert ending.error.type == "ChildDied"
    assert ending.error.message == message
    assert home.result("add", 1, 1) == 2


def test_a_crash_in_c_says_where_it_was(home):  # F2
    ending = home.run("leaves", "segfault")

    assert "Segmentation fault" in ending.error.traceback and "process_app.py" in ending.error.traceback


def test_a_sigterm_that_nobody_sent_is_a_lost_attempt_and_not_free(home):
    assert home.run("leaves", "term").outcome is Outcome.LOST


@pytest.mark.parametrize(("how", "kind"), [("sys.exit", "SystemExit"), ("interrupt", "KeyboardInterrupt")])
def test_base_exceptions_are_failures(home, how, kind):  # F1
    ending = home.run("leaves", how)

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, kind)


def test_garbage_on_the_line_is_a_clear_failure(home):
    ending = home.run("leaves", "garbage")

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "BrokenFrame")


def test_a_job_that_closes_every_descriptor_is_lost_and_hurts_nobody(home):  # F12
    ending = home.run("leaves", "close everything")

    assert (ending.outcome, ending.error.message) == (Outcome.LOST, "exited with status 70 without a result")
    assert home.result("add", 1, 1) == 2


def test_a_fork_of_the_job_that_returns_does_not_speak_for_it(home):
    assert home.result("leaves", "fork") == "once"


@pytest.mark.parametrize("what", ["100 MB", "cyclic", "generator", "nan", "deep"])
def test_a_result_that_cannot_be_stored_fails_for_good(home, what):  # F10
    ending = home.run("returns", what)

    assert (ending.outcome, ending.error.type, ending.retry) == (Outcome.FAILED, "ResultNotStorable", False)


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("needs arguments", "Unpicklable"),
        ("speechless", "Speechless"),
        ("huge", "ValueError"),
        ("surrogate", "ValueError"),
    ],
)
def test_a_hostile_exception_is_recorded_with_a_safe_text(home, what, kind):  # F11
    ending = home.run("raises", what)

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, kind)
    assert len(ending.error.message) < 10_000


def test_a_limit_below_what_the_child_has_already_is_refused_with_the_least_that_would_do(home):  # F8
    ending = home.run("nothing", max_memory=1 << 20)

    assert (ending.outcome, ending.retry) == (Outcome.FAILED, False)
    assert "max_memory=1MB is less than a child needs" in ending.error.message
    least = int(ending.error.message.partition("needs: ")[2].partition("MB")[0]) << 20
    assert home.run("nothing", max_memory=least).outcome is Outcome.SUCCEEDED


def test_a_job_over_its_memory_limit_fails_by_name(home):  # F8
    ending = home.run("allocates", 10_000, max_memory=256 << 20)

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "MemoryError")
    assert ending.error.message == "over its memory limit of 256MB"


def test_a_job_that_leaves_no_byte_of_memory_fails_by_name(home):  # F8
    ending = home.run("fills", max_memory=128 << 20)

    assert (ending.outcome, ending.error.message) == (Outcome.FAILED, "over its memory limit of 128MB")


def test_what_a_job_enqueues_goes_through_the_worker(home):  # T55
    accepted = home.result("asks", "acme")

    assert [(run.id, run.job, run.tenant) for run in home.enqueued] == [(accepted, "pid", "acme")]


def test_what_a_job_enqueues_by_a_key_goes_through_the_worker(home):  # R32
    accepted = home.result("asks_once", "acme")

    assert [(run.id, run.job, run.tenant) for run in home.enqueued] == [(accepted, "pid", "acme")]


def test_an_enqueue_that_the_store_refuses_is_raised_in_the_job():
    def away(runs):
        raise StoreUnavailable("the store is away")

    with nursery(enqueue=away) as home:
        ending = home.run("asks", "acme")

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "StoreUnavailable")


def test_a_job_in_a_child_is_told_that_it_has_no_store(home):
    ending = home.run("reads_the_store")

    assert (ending.error.type, ending.outcome) == ("ConfigurationError", Outcome.FAILED)
    assert "executor='thread'" in ending.error.message


def test_the_tenant_comes_with_the_brief(home):
    assert home.result("whose", tenant="initech") == "initech"


def test_the_control_planes_secrets_are_not_in_the_child(monkeypatch):  # T55
    monkeypatch.setenv("ROTA_STORE", "postgresql://rota:CANARY-1@db/rota")
    monkeypatch.setenv("SHOP_DATABASE", "postgresql://rota:CANARY-2@db/rota")
    monkeypatch.setenv("SHOP_OTHER", "kept")

    with nursery(environment=("SHOP_*", "PATH", "HOME"), withheld=[os.environ["SHOP_DATABASE"]]) as home:
        seen = home.result("environment")

    assert seen["names"]["SHOP_OTHER"] == "kept"
    assert "CANARY" not in json.dumps(seen) and "ROTA_" not in json.dumps(seen)


def test_only_variables_that_a_pattern_names_are_allowed():  # T55
    environ = {"PATH": "/bin", "SHOP_KEY": "1", "ROTA_STORE": "secret", "DSN": "secret", "path": "x"}

    assert allowed(environ, ("PATH", "SHOP_*", "ROTA_*"), withheld=()) == {"PATH": "/bin", "SHOP_KEY": "1"}


@pytest.mark.parametrize(
    ("value", "is_let_through"),
    [
        ("postgresql://rota:s%40nd@db/rota", False),
        ("see postgresql://rota:s%40nd@db/rota?sslmode=require", False),
        ("postgresql+psycopg://rota:s%40nd@other/rota", False),
        ("s%40nd", False),
        ("s@nd", False),
        ("s@nd and stone", True),
        ("postgresql://rota:other@db/rota", True),
    ],
)
def test_a_variable_that_gives_the_store_away_is_not_allowed_unless_it_is_named(value, is_let_through):  # T55
    url = "postgresql://rota:s%40nd@db/rota"

    assert bool(allowed({"DSN": value}, ("*",), withheld=[url])) is is_let_through
    assert allowed({"DSN": value}, ("*", "DSN"), withheld=[url]) == {"DSN": value}


def test_a_store_without_a_password_hides_no_variable():  # T55
    environ = {"DATABASE": "sqlite:///shop.db"}

    assert allowed(environ, ("*",), withheld=["sqlite:///shop.db", ""]) == environ


def test_an_application_that_cannot_be_imported_fails_each_run_with_the_line(tmp_path, monkeypatch):  # F17
    (tmp_path / "broken_shop.py").write_text("import os\nfrom rota import Rota\nraise RuntimeError('no key')\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with nursery(place="broken_shop:app") as home:
        endings = [home.run("nothing") for _ in range(3)]

    assert {ending.outcome for ending in endings} == {Outcome.FAILED}
    assert "broken_shop.py" in endings[0].error.traceback and "line 3" in endings[0].error.traceback


def test_an_application_whose_import_kills_the_process_does_not_loop(tmp_path, monkeypatch):  # F17
    (tmp_path / "deadly_shop.py").write_text(
        f"import os\nopen({str(tmp_path / 'tries')!r}, 'a').write('x')\nos._exit(1)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    with nursery(place="deadly_shop:app") as home:
        ending = home.run("nothing")

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "ChildNotStarted")
    assert (tmp_path / "tries").read_text() == "xx"


def test_a_job_that_the_child_does_not_know_is_a_clear_failure(tmp_path, monkeypatch):  # F17
    (tmp_path / "other_shop.py").write_text("from rota import Rota\napp = Rota('memory://')\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with nursery(place="other_shop:app") as home:
        ending = home.run("nothing")

    assert (ending.outcome, ending.error.type) == (Outcome.FAILED, "JobNotFound")


SCRIPT = """
from datetime import UTC, datetime
from rota import Rota
from rota.clock import SystemClock
from rota.context import StopSignal
from rota.core.model import Run
from rota.executors.process import ProcessChildren
from rota.place import place_of
from rota.calls import Brief

app = Rota("memory://")

@app.job()
def where():
    return __name__

if __name__ == "__main__":
    now = datetime.now(UTC)
    children = ProcessChildren(place=place_of(app), clock=SystemClock(), hear_line=print, hear_progress=print,
                               enqueue=lambda runs: [], numbers=None)
    brief = Brief(run=Run(id="1" * 32, job="where", due_at=now, created_at=now))
    print(children.execute(app.jobs["where"].job, brief, stop=StopSignal(), started_at=now))
    children.close()
"""


def test_an_application_in_a_script_is_imported_without_being_started(tmp_path):
    (tmp_path / "shop.py").write_text(SCRIPT)

    done = subprocess.run(
        [sys.executable, tmp_path / "shop.py"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=30,
    )

    assert '"__rota_main__"' in done.stdout, done.stderr


def test_no_descriptor_is_left_after_100_runs():  # I11
    with nursery(max_runs_per_child=7) as home:
        home.run("leaves", "exit")
        home.run("prints")
        before = len(os.listdir("/proc/self/fd"))
        for turn in range(100):
            home.run("leaves", "exit") if turn % 10 == 0 else home.run("prints")
        after = len(os.listdir("/proc/self/fd"))

    assert after <= before


def parent_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(("kind", "megabytes"), [("one line", 100), ("lines", 1000)])
def test_a_flood_on_standard_output_keeps_the_parents_memory_flat(kind, megabytes):  # F9
    heard = [0, 0]

    def hear(run, line):
        heard[0] += 1
        heard[1] = max(heard[1], len(line.text))

    with nursery(hear_line=hear) as home:
        home.run("nothing")
        before = parent_memory()

        assert home.result("floods", kind, megabytes) == "done"

    assert parent_memory() - before < 20 << 20
    assert heard[1] < 17_000 and heard[0] == (megabytes * 1000 if kind == "lines" else 1)


def test_children_that_are_closed_execute_nothing_more():
    home = Nursery()
    home.run("nothing")
    home.children.close()

    assert home.run("nothing").outcome is Outcome.INTERRUPTED


def test_a_signal_that_is_set_after_the_attempt_touches_nothing(home):
    stop = StopSignal()
    home.run("nothing", stop=stop)
    read, write = os.pipe()
    os.set_blocking(read, False)

    stop.set("late")

    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    os.close(read)
    os.close(write)


def test_what_a_child_counts_comes_to_its_worker_summed_up(home):  # R53
    home.result("counts", 10_000)

    assert home.numbers.counted == [("counts", None, "rows", 20_000.0), ("counts", None, "lines", 3.0)]
    assert home.numbers.times == [(10_000, 2.0, 2.0), (1, 3.0, 3.0)]
    assert sorted(home.numbers.recorded) == [
        ("email_sync", "acme", True, 1),
        ("email_sync", "globex", False, 1),
    ]
