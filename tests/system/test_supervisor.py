"""The supervisor of worker processes: real processes, real signals."""

import os
import pty
import signal
import subprocess
import sys
import textwrap
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from time import monotonic

import pytest
from sqlalchemy import make_url

from rota.core.model import Outcome, State
from rota.queries import RunQuery
from rota.stores import open_store
from tests.system.processes import DEADLINE_S, Site, children_of, end, enqueue, is_alive, kill_tree, wait_until

SLOW = """
@app.job(retry=Retry(attempts=1))
def slow(seconds: float) -> str:
    note(event="start")
    time.sleep(seconds)
    note(event="end")
    return "done"
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'rota.db'}"


@pytest.fixture
def store(url):
    with closing(open_store(url)) as store:
        store.setup()
        yield store


def only_run(store):
    [run] = store.runs(RunQuery())
    return run


def works(site, number):
    """Wait until so many worker processes have said that they work."""
    wait_until(lambda: site.logs().count(" works (pid ") >= number, what=f"{number} worker processes at work")


@contextmanager
def no_orphans(pids):
    """Leave none of these processes behind, also where the test finds that they do not end by themselves."""
    try:
        yield
    finally:
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)


# --- death ---


# A sibling is told at once; the one that takes the place may have looked around before it is told.
DEATHS = {"1": ("was killed by signal 9 (SIGKILL)", "its process is gone"), "2": "was killed by signal 9 (SIGKILL)"}


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_runs_of_a_worker_process_that_is_killed_run_again_at_once(url, store, tmp_path, processes):
    # R30, G9, A6: by a sibling, or by the one that takes its place, and not at the end of the lease. How soon that is,
    # bench/recovery.py measures.
    site = Site(tmp_path, url=url, jobs=SLOW, settings='[worker]\nlease = "90s"\n')
    with site.started("--processes", processes) as process:
        works(site, int(processes))
        enqueue(store, "slow", 2)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")

        os.kill(site.journal()[0]["pid"], signal.SIGKILL)

        wait_until(lambda: len(site.journal(event="start")) == 2, what="the second start of the job")
        wait_until(lambda: only_run(store).state is State.SUCCEEDED, what="the success of the run")
        assert end(process) == 0

    run = only_run(store)
    first, second = store.run(run.id).attempts
    assert (run.attempt, run.lost_count) == (1, 1)
    assert (first.outcome, second.outcome) == (Outcome.LOST, Outcome.SUCCEEDED)
    assert first.error.message.endswith(DEATHS[processes])
    assert len(site.journal(event="end")) == 1


def test_worker_processes_whose_supervisor_is_killed_give_back_their_runs_and_end(url, store, tmp_path):  # A8
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "2", "--drain", "60s") as process:
        works(site, 2)
        enqueue(store, "slow", 60)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        children = children_of(process.pid)

        end(process, signal.SIGKILL)

        # By itself the job would go on for longer than this waits.
        with no_orphans(children):
            wait_until(lambda: not any(is_alive(pid) for pid in children), what="the end of the worker processes")
    assert len(children) == 2
    assert only_run(store).state in (State.QUEUED, State.SCHEDULED)
    assert store.workers() == []


def test_a_killed_supervisor_ends_the_drain_of_its_worker_processes(url, store, tmp_path):  # A8, R45
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "1", "--drain", "60s") as process:
        works(site, 1)
        enqueue(store, "slow", 60)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        [child] = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in site.logs(), what="the word that it drains")

        end(process, signal.SIGKILL)

        with no_orphans([child]):
            wait_until(lambda: not is_alive(child), what="the end of the worker process")
    assert only_run(store).state in (State.QUEUED, State.SCHEDULED)


def test_a_worker_process_that_dies_again_and_again_is_started_with_growing_pauses(url, store, tmp_path):  # R30
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "1") as process:
        works(site, 1)
        for number in range(1, 4):
            wait_until(lambda: children_of(process.pid), what="a worker process")
            works(site, number)
            os.kill(children_of(process.pid)[0], signal.SIGKILL)
        works(site, 4)
        assert end(process) == 0

    said = [line for line in site.logs().splitlines() if "was killed by signal 9 (SIGKILL); again in" in line]
    assert [line.partition("again in ")[2][:3] for line in said] == ["0.2", "0.4", "0.8"]


STUBBORN = """
@app.job(timeout="300ms", retry=Retry(attempts=1))
def stubborn() -> None:
    note(event="stubborn")
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        time.sleep(0.1)

@app.job(retry=Retry(attempts=1))
def neighbour() -> None:
    note(event="neighbour")
    time.sleep(60 if len(open({journal!r}).readlines()) < 3 else 0)
    note(event="done")
"""


def test_a_process_in_which_a_job_never_stops_is_replaced_and_its_neighbours_run_again(url, store, tmp_path):
    # F3, R42: threads cannot be killed, so their process ends itself.
    jobs = STUBBORN.format(journal=str(tmp_path / "journal"))
    site = Site(tmp_path, url=url, jobs=jobs, settings='[worker]\ngrace = "200ms"\nkill_grace = "300ms"\n')
    with site.started("--processes", "1") as process:
        works(site, 1)
        enqueue(store, "neighbour")
        wait_until(lambda: site.journal(event="neighbour"), what="the start of the neighbour")
        enqueue(store, "stubborn")
        works(site, 2)
        wait_until(lambda: site.journal(event="done"), what="the end of the neighbour")
        assert end(process) == 0

    runs = {run.job: run for run in store.runs(RunQuery())}
    assert runs["stubborn"].outcome is Outcome.TIMED_OUT
    assert (runs["neighbour"].state, runs["neighbour"].lost_count) == (State.SUCCEEDED, 0)
    assert "ended with exit code 75; again in 0.0 s" in site.logs()


LEAVES_A_THREAD = """
@app.job()
def leaves() -> None:
    import threading
    threading.Thread(target=time.sleep, args=(300,), daemon=False).start()
    note(event="left")
"""


def test_threads_that_a_job_left_behind_do_not_hold_up_the_end(url, store, tmp_path):  # F13, R45
    site = Site(tmp_path, url=url, jobs=LEAVES_A_THREAD)
    with site.started("--processes", "1") as process:
        works(site, 1)
        enqueue(store, "leaves")
        wait_until(lambda: site.journal(event="left"), what="the thread")

        assert end(process) == 0


# --- signals ---


def test_a_second_signal_ends_all_at_once_and_says_so_by_its_code(url, store, tmp_path):  # R45, I8
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "2", "--drain", "60s") as process:
        works(site, 2)
        enqueue(store, "slow", 60)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in site.logs(), what="the word that it drains")
        children = children_of(process.pid)

        assert end(process, signal.SIGTERM) == 143

    assert not any(is_alive(pid) for pid in children)
    assert only_run(store).state in (State.QUEUED, State.SCHEDULED)
    assert "given back" in site.logs()


def test_a_signal_to_every_process_of_the_unit_is_still_one_drain(url, store, tmp_path):  # R45
    # systemd signals all processes of a unit, and the supervisor passes its own on: that is no second signal.
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "2") as process:
        works(site, 2)
        enqueue(store, "slow", 2)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")

        process.send_signal(signal.SIGTERM)
        for pid in children_of(process.pid):
            os.kill(pid, signal.SIGTERM)

        assert process.wait(timeout=DEADLINE_S) == 0
    assert only_run(store).state is State.SUCCEEDED
    assert len(site.journal(event="start")) == 1


@pytest.mark.parametrize("after_ms", [0, 150, 300, 500, 700, 1000])
def test_a_signal_during_the_start_ends_it_cleanly(url, tmp_path, after_ms):  # I8
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "2") as process:
        began = monotonic()
        wait_until(lambda: monotonic() >= began + after_ms / 1000, what="the moment")
        code = end(process)

    # Before Python has come to the command, the signal ends it as it ends any program.
    assert code in (0, 143, -signal.SIGTERM)
    assert "Traceback" not in site.logs()
    assert site.rota("runs").returncode == 0


def test_stacks_of_all_threads_are_written_on_demand(url, store, tmp_path):
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--processes", "2") as process:
        works(site, 2)
        enqueue(store, "slow", 3)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")

        process.send_signal(signal.SIGUSR1)

        wait_until(lambda: site.logs().count("Current thread") >= 2, what="the stacks of both")
        # Those of one after those of the other: mixed, neither could be read.
        assert " in slow\n" in site.logs()
        assert [line for line in site.logs().splitlines() if "Thread 0x" in line and line.count("0x") > 1] == []
        assert end(process) == 0
    assert only_run(store).state is State.SUCCEEDED


VERSION = """
@app.job(retry=Retry(attempts=1))
def which(seconds: float) -> str:
    note(event="start", version={version})
    time.sleep(seconds)
    note(event="end", version={version})
    return "done"
"""


def test_a_reload_replaces_each_worker_process_with_the_code_of_now(url, store, tmp_path):  # R45
    site = Site(tmp_path, url=url, jobs=VERSION.format(version=1))
    with site.started("--processes", "2") as process:
        works(site, 2)
        enqueue(store, "which", 3)
        wait_until(lambda: site.journal(event="start"), what="the start of the job")
        before = children_of(process.pid)
        Site(tmp_path, url=url, jobs=VERSION.format(version=2))

        process.send_signal(signal.SIGHUP)

        works(site, 4)
        wait_until(lambda: not any(is_alive(pid) for pid in before), what="the end of the old ones")
        enqueue(store, "which", 0)
        wait_until(lambda: len(site.journal(event="end")) == 2, what="the second run")
        assert end(process) == 0

    # What ran went on to its end where it was.
    assert [line["version"] for line in site.journal(event="end")] == [1, 2]
    assert {run.state for run in store.runs(RunQuery())} == {State.SUCCEEDED}


def test_a_reload_with_code_that_cannot_work_leaves_the_old_processes_in_place(url, store, tmp_path):
    site = Site(tmp_path, url=url, jobs=VERSION.format(version=1))
    with site.started("--processes", "2") as process:
        works(site, 2)
        before = children_of(process.pid)
        Site(tmp_path, url=url, jobs="import nonsense")

        process.send_signal(signal.SIGHUP)

        wait_until(lambda: "the old one goes on" in site.logs(), what="the word that it failed")
        assert children_of(process.pid) == before
        Site(tmp_path, url=url, jobs=VERSION.format(version=1))
        enqueue(store, "which", 0)
        wait_until(lambda: site.journal(event="end"), what="the end of the job")
        assert end(process) == 0
    assert "No module named 'nonsense'" in site.logs()


# --- start ---


@pytest.mark.parametrize(
    ("jobs", "code", "words"),
    [
        ("import nonsense", 2, "No module named 'nonsense'"),
        ("@app.job()\ndef one(): ...\n@app.job(name='one')\ndef two(): ...", 2, "one"),
    ],
)
def test_a_first_start_that_cannot_work_ends_with_its_code_and_says_why_once(url, tmp_path, jobs, code, words):
    site = Site(tmp_path, url=url, jobs=jobs)

    done = site.rota("start", "--processes", "2", check=False)

    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.count("rota: ") == 1


def test_a_schema_that_does_not_fit_ends_the_start(postgres_database, tmp_path):  # R70
    site = Site(tmp_path, url=postgres_database, jobs=SLOW)

    done = site.rota("start", check=False)

    assert done.returncode == 5
    assert "rota db upgrade" in done.stderr


WRONG = [
    (["--queues", "mail:x"], "must name queues with their places: mail:4,default:8"),
    (["--queues", "mail"], "must name queues with their places: mail:4,default:8"),
    (["--queues", "mail:0"], "worker.queues.mail is 0: it must be at least 1"),
    (["--only", "watcher"], "'watcher' is no role; there are scheduler, worker"),
    (["--only", ","], "names no role; there are scheduler, worker"),
    (["--processes", "-1"], "-1 is not in the range"),
    (["--worker-process", "0", "99"], "start it with `rota start`"),
]


def test_a_line_that_is_wrong_is_refused_before_anything_starts(url, tmp_path):  # R63
    site = Site(tmp_path, url=url, jobs="note(event='imported')")

    done = site.rotas(*(["start", *words] for words, _ in WRONG))

    for (words, told), (code, said) in zip(WRONG, done, strict=True):
        assert (words, code) == (words, 2)
        assert told in said
        assert "Traceback" not in said


def test_a_memory_store_has_one_process_and_that_is_said(tmp_path):  # R33
    site = Site(tmp_path, url="memory://", jobs="")
    with site.started("--processes", "3") as process:
        wait_until(lambda: "1 process, since a memory store is seen by one only" in site.logs(), what="the word")
        assert len(children_of(process.pid)) == 1
        assert end(process) == 0


def test_only_a_scheduler_is_one_process_and_executes_nothing(url, store, tmp_path):
    site = Site(tmp_path, url=url, jobs=SLOW)
    with site.started("--only", "scheduler", "--processes", "3") as process:
        wait_until(lambda: "1 process;" in site.logs(), what="its start")
        [worker] = store.workers()
        assert worker.places == 0
        assert end(process) == 0


def test_it_waits_for_a_store_that_is_away_at_the_start(postgres_server, tmp_path):  # C1
    url = make_url(postgres_server.create_database())
    # Nobody listens there.
    site = Site(tmp_path, url=url.set(port=1).render_as_string(hide_password=False), jobs=SLOW)
    with site.started() as process:
        wait_until(lambda: site.logs().count("the store is away") >= 3, what="three tries")
        assert len(children_of(process.pid)) == 1
        assert end(process) == 0
    assert "Traceback" not in site.logs()


# --- surroundings ---


def test_it_works_without_a_home_in_a_folder_that_takes_no_files(url, store, tmp_path):  # I12
    site = Site(tmp_path, url=url, jobs=SLOW)
    environment = {
        "PATH": os.environ["PATH"],
        "LANG": "C",
        "LC_ALL": "C",
        "PYTHONPATH": os.pathsep.join([site.environment()["PYTHONPATH"], str(tmp_path)]),
    }
    with site.started("--app", "app:app", "--processes", "2", cwd="/proc", env=environment) as process:
        works(site, 2)
        enqueue(store, "slow", 0)
        wait_until(lambda: only_run(store).state is State.SUCCEEDED, what="the success of the run")
        assert end(process) == 0
    assert "Traceback" not in site.logs()


ORPHAN = """
@app.job()
def orphans() -> None:
    import subprocess
    # The process in the middle ends at once: its child is an orphan, which the first process of the container gets.
    subprocess.run("(sleep 0.2; touch {file}) &", shell=True, check=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace of its own needs root")
def test_as_process_1_of_a_container_it_reaps_orphans_and_drains(url, store, tmp_path):  # I12
    site = Site(tmp_path, url=url, jobs=ORPHAN.format(file=tmp_path / "orphan"))
    enqueue(store, "orphans")
    with in_container(site, "--processes", "1") as container:
        wait_until(lambda: only_run(store).state is State.SUCCEEDED, what="the success of the run")
        [first] = children_of(container.pid)

        wait_until((tmp_path / "orphan").exists, what="the last act of the orphan")
        # Its worker process is left, and no zombie beside it.
        wait_until(lambda: len(reported_children(first)) == 1, what="the end of the orphan")
        os.kill(first, signal.SIGTERM)

        assert container.wait(timeout=DEADLINE_S) == 0
    assert "rota: drained" in site.logs()


@contextmanager
def in_container(site, *words):
    """Run `rota start` as the first process of a namespace."""
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", *site.command("start", *words)]
    with (site.folder / "log-container").open("w") as log:
        process = subprocess.Popen(unshare, cwd=site.folder, env=site.environment(), stdout=log, stderr=log, text=True)
    try:
        yield process
    finally:
        kill_tree(process)


def reported_children(parent):
    """Return the children of a process that it has not reaped, dead ones too."""
    stats = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            stats.append(stat.read_text().rpartition(")")[2].split())
    return [fields for fields in stats if int(fields[1]) == parent]


IN_TERMINAL = """
import os, sys
os.execv(sys.executable, [sys.executable, "-m", "rota", "start", "--processes", "1"])
"""


def test_a_terminal_that_closes_ends_it(url, store, tmp_path):  # I8
    site = Site(tmp_path, url=url, jobs=SLOW)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execvpe(sys.executable, [sys.executable, "-c", textwrap.dedent(IN_TERMINAL)], site.environment())
    wait_until(lambda: len(store.workers()) == 1, what="the worker")
    [child] = children_of(pid)

    os.close(terminal)

    with no_orphans([pid, child]):
        wait_until(lambda: not is_alive(pid), what="the end of the supervisor")
        wait_until(lambda: not is_alive(child), what="the end of the worker process")
    os.waitpid(pid, 0)
    assert store.workers() == []
