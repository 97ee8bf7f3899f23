"""Real `rota` processes of a small application, and the journal that its jobs write themselves.

What decides is the journal: one line per start and end of a job, appended with O_APPEND, never Rota's own tables.
"""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from rota.clock import SystemClock
from rota.core.model import Run
from rota.ports import Store

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 30.0
"""How long a test waits for what must come; nothing waits this long when all is well."""

APP = """
import fcntl
import json
import os
import time
from contextlib import contextmanager

from rota import Retry, Rota, RunContext, every

app = Rota({url!r}, tenants=["acme", "globex", "initech"])


def note(**fields):
    line = json.dumps({{"pid": os.getpid(), **fields}}) + "\\n"
    handle = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line.encode())
    os.close(handle)


@contextmanager
def alone(run):
    # The kernel tells whether somebody else executes this run at this moment, not Rota.
    with open({journal!r} + "-" + run, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note(event="overlap", run=run)
        yield


{jobs}
"""

# Each command has a process of its own, forked from one that has loaded what all of them load.
SEVERAL = """
import json
import os
import sys

import rota.stores.sql.opening
from rota.cli import main

for number, words in enumerate(json.loads(sys.argv[1])):
    child = os.fork()
    if child == 0:
        os.dup2(os.open(f"said-{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        sys.argv = ["rota", *words]
        main()
        sys.exit("never: main ends the process")
    status = os.waitpid(child, 0)[1]
    print(json.dumps(os.waitstatus_to_exitcode(status)), flush=True)
"""


class Site:
    """An application in a folder of its own, with a journal."""

    def __init__(
        self, folder: Path, *, url: str, jobs: str, settings: str = "", journal_file: Path | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.journal_file = journal_file or folder / "journal"
        (folder / "app.py").write_text(APP.format(url=url, journal=str(self.journal_file), jobs=textwrap.dedent(jobs)))
        (folder / "rota.toml").write_text(settings)

    def journal(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the lines that hold these fields, oldest first."""
        if not self.journal_file.exists():
            return []
        lines = [json.loads(line) for line in self.journal_file.read_text().splitlines()]
        return [line for line in lines if wanted.items() <= line.items()]

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "rota", *words]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(REPOSITORY)}

    def rota(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def rotas(self, *commands: Sequence[str]) -> list[tuple[int, str]]:
        """Run commands to their ends, one after the other, and return the code of each and all that it said.

        Each has its process, at a quarter of the price: what every one of them loads is loaded once.
        """
        done = subprocess.run(
            [sys.executable, "-c", SEVERAL, json.dumps(commands)],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        codes = [int(line) for line in done.stdout.splitlines()]
        assert len(codes) == len(commands)
        said = [self.folder / f"said-{number}" for number in range(len(codes))]
        return [(code, file.read_text()) for code, file in zip(codes, said, strict=True)]

    @contextmanager
    def started(
        self, *words: str, command: Sequence[str] | None = None, **more: Any
    ) -> Iterator[subprocess.Popen[str]]:
        """Run `rota start`, or another command, for the length of a block; kill it at the end, with its workers, if it
        is still there."""
        with (self.folder / f"log-{time.monotonic_ns()}").open("w") as log:
            process = subprocess.Popen(
                command or self.command("start", *words),
                **{"cwd": self.folder, "env": self.environment(), "stdout": log, "stderr": log, "text": True} | more,
            )
            try:
                yield process
            finally:
                kill_tree(process)

    def logs(self) -> str:
        return "\n".join(file.read_text() for file in sorted(self.folder.glob("log-*")))


def enqueue(store: Store, job: str, *args: Any) -> Run:
    """Ask for a run with one attempt, by the store itself: `rota enqueue` takes a process for it."""
    now = store.now()
    text = msgspec.json.encode({"args": args, "kwargs": {}}).decode()
    run = Run(id=SystemClock().new_id(), job=job, args=text, due_at=now, created_at=now, max_attempts=1)
    assert store.enqueue([run], now=now) == [run.id]
    return run


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started and not reaped, oldest first."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def kill_tree(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it started, as if the host had."""
    if process.poll() is None:
        # Or it would start a child anew while they are killed.
        process.send_signal(signal.SIGSTOP)
        family = [process.pid]
        for pid in family:
            family += children_of(pid)
        for pid in family[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
    process.wait()


def is_alive(pid: int) -> bool:
    """Return whether there is such a process; one that is dead and not reaped is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def freeze(pid: int) -> None:
    """Stop a process where it is; the kernel does so soon after it was told."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: is_stopped(pid), what="the freeze")


def has_locked(pid: int, *files: Path) -> bool:
    """Return whether a process has one of these files, or a part of it, for itself: the write lock of SQLite too."""
    wanted = {str(file.stat().st_ino) for file in files if file.exists()}
    # As in `4: POSIX  ADVISORY  WRITE 29745 00:1b:3434710 120 120`; who waits for a lock has an arrow there.
    locks = [line.split()[3:6] for line in Path("/proc/locks").read_text().splitlines() if "->" not in line]
    return any((how, of) == ("WRITE", str(pid)) and where.split(":")[-1] in wanted for how, of, where in locks)


def freeze_outside(pid: int, *files: Path) -> None:
    """Freeze a process while it has locked none of these files: with a lock on them it would stop everybody."""
    wait_until(
        lambda: frozen_at_work(pid, lambda: not has_locked(pid, *files)), what="a moment in which it holds up nobody"
    )


def frozen_at_work(pid: int, in_hand: Callable[[], object]) -> bool:
    """Freeze a process, and return whether it has something in hand; one that has nothing goes on.

    Who looks first and strikes then may find that it has just finished.
    """
    with suppress(ProcessLookupError, FileNotFoundError):
        freeze(pid)
        if in_hand():
            return True
        os.kill(pid, signal.SIGCONT)
    return False


def wait_until(true: Callable[[], object], *, what: str | Callable[[], str]) -> None:
    """Wait for what must come, and fail with its name if it does not; a function says what is there instead."""
    ends = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < ends, f"never: {what if isinstance(what, str) else what()}"
        time.sleep(0.02)


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """Send a signal and return the exit code."""
    process.send_signal(number)
    return process.wait(timeout=DEADLINE_S)
