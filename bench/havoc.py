"""Faults, done to real processes and to the store behind them."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from time import monotonic, sleep

from bench.witness import Fault
from tests import servers
from tests.proxy import Mode, Proxy
from tests.system.processes import Site, children_of, is_alive, wait_until

MARK = "SOAK_MARK"
"""A variable that every process of a soak inherits: by it orphans are found."""
LEASE_S = 4.0
FROZEN_S = 7.0
CUT_OFF_S = 7.0
"""Longer than the lease of 4 s, and than the second after which a rescuer sees its end."""


class Tree:
    """A supervisor and all that is below it, which is started again when it was taken down."""

    def __init__(self, site: Site, name: str, *, mark: str) -> None:
        self.name = name
        self._site = site
        self._mark = mark
        self._log = (site.folder / f"log-{name}").open("w")
        self.process = self._started()

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._site.command("start", "--processes", "2"),
            cwd=self._site.folder,
            env={**self._site.environment(), MARK: self._mark},
            stdout=self._log,
            stderr=self._log,
            text=True,
        )

    def start_again(self) -> None:
        self.process.wait()
        self.process = self._started()

    def workers(self) -> list[int]:
        """Return the worker processes."""
        return children_of(self.process.pid)

    def logs(self) -> str:
        return (self._site.folder / f"log-{self.name}").read_text(errors="replace")

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._log.close()
        return code


def family(pid: int) -> frozenset[int]:
    """Return a process and all below it."""
    found = [pid]
    for one in found:
        found += children_of(one)
    return frozenset(found)


def marked(mark: str) -> list[int]:
    """Return every process that inherited the mark of this soak, but this one."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if wanted in environ.read_bytes().split(b"\0") and is_alive(int(environ.parent.name)):
                found.append(int(environ.parent.name))
    return found


class Server:
    """The server of the store, as something that can be stopped and started."""

    def __init__(self, kind: str, folder: Path, running: servers.Server) -> None:
        self._kind = servers.KINDS[kind]
        self._home = folder / kind
        self._port = running.port
        self._pid = running.pid
        # For PostgreSQL the word for an end without a checkpoint; its children would outlive a SIGKILL.
        self.crash_signal = signal.SIGQUIT if kind == "postgres" else signal.SIGKILL
        self._process: subprocess.Popen[bytes] | None = None

    def stop(self, how: signal.Signals | None = None) -> None:
        os.kill(self._pid, how or self._kind.stop_signal)
        if self._process is None:
            # Its keeper does not reap it before the end.
            wait_until(lambda: not is_alive(self._pid), what="the end of the server")
        else:
            self._process.wait()

    def start(self) -> None:
        account = self._kind.account if os.geteuid() == 0 else None
        with (self._home / "log-again").open("ab") as log:
            self._process = subprocess.Popen(
                self._kind.serve(self._home, self._port),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._home,
                env={**os.environ, "TMPDIR": str(self._home)},
                user=account,
                group=account,
                extra_groups=[] if account else None,
            )
        self._pid = self._process.pid

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Havoc:
    """Does one fault after the other, chosen by luck, and remembers whom it hit."""

    def __init__(
        self,
        trees: list[Tree],
        *,
        luck: Random,
        children: Callable[[], list[int]],
        line: Proxy | None,
        server: Server | None,
    ) -> None:
        self.faults: list[Fault] = []
        self.slowest_end = 0.0
        """The longest that processes lived on whose supervisor or worker was killed, in seconds."""
        self._all = trees
        self._trees = trees[:-1]
        """The last one is left alone."""
        self._luck = luck
        self._children = children
        self._line = line
        self._server = server
        self._kinds: list[Callable[[], None]] = [
            self.kill_worker, self.kill_supervisor, self.kill_child, self.freeze, self.sleep_host, self.deploy,
            self.kill_deploy, self.reload, self.kill_all,
        ]  # fmt: skip
        if line is not None:
            self._kinds += [self.cut_off, self.flap, self.slow_down]
        if server is not None:
            self._kinds += [self.restart_store, self.crash_store, self.take_store_away]
        self._left: list[Callable[[], None]] = []

    def strike(self) -> str:
        """Do one fault, and return its name."""
        # Each kind once before any comes again: a short soak meets all of them.
        if not self._left:
            self._left = list(self._kinds)
            self._luck.shuffle(self._left)
        before = len(self.faults)
        self._left.pop()()
        return self.faults[-1].what if len(self.faults) > before else "nobody was there to be hit"

    @contextmanager
    def _fault(self, what: str, pids: frozenset[int] | None, *, is_freeze: bool = False) -> Iterator[None]:
        began_at = monotonic()
        yield
        self.faults.append(Fault(what=what, began_at=began_at, ended_at=monotonic(), pids=pids, is_freeze=is_freeze))

    def end(self) -> list[int]:
        """Stop all trees, and return their exit codes. What does not end within their drain begins again elsewhere."""
        with self._fault("the end", None):
            return [tree.end() for tree in self._all]

    def _tree(self) -> Tree:
        return self._luck.choice(self._trees)

    def _await_end(self, pids: frozenset[int]) -> None:
        began = monotonic()
        wait_until(lambda: not any(is_alive(pid) for pid in pids), what=f"the end of {sorted(pids)}")
        self.slowest_end = max(self.slowest_end, monotonic() - began)

    def kill_worker(self) -> None:
        workers = self._tree().workers()
        if workers:
            victim = self._luck.choice(workers)
            hit = family(victim)
            with self._fault("SIGKILL of a worker process", hit):
                os.kill(victim, signal.SIGKILL)
                self._await_end(hit)

    def kill_supervisor(self) -> None:
        tree = self._tree()
        hit = family(tree.process.pid)
        with self._fault("SIGKILL of a supervisor", hit):
            tree.process.kill()
            tree.start_again()
            self._await_end(hit)

    def kill_child(self) -> None:
        children = self._children()
        if children:
            victim = self._luck.choice(children)
            with self._fault("SIGKILL of a job's child", frozenset({victim})), suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def freeze(self) -> None:
        workers = self._tree().workers()
        if workers:
            victim = self._luck.choice(workers)
            with self._fault("SIGSTOP of a worker process", family(victim), is_freeze=True):
                os.kill(victim, signal.SIGSTOP)
                sleep(FROZEN_S)
                # It may have been killed by its supervisor meanwhile.
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGCONT)
                sleep(1)

    def deploy(self) -> None:
        tree = self._tree()
        hit = family(tree.process.pid)
        with self._fault("a deploy", hit):
            tree.process.send_signal(signal.SIGTERM)
            tree.start_again()
            self._await_end(hit)

    def kill_deploy(self) -> None:
        """Kill what drains, at any moment of it (A16)."""
        tree = self._tree()
        hit = family(tree.process.pid)
        with self._fault("a deploy that is killed", hit):
            tree.process.send_signal(signal.SIGTERM)
            sleep(self._luck.uniform(0, 1))
            tree.process.kill()
            tree.start_again()
            self._await_end(hit)

    def kill_all(self) -> None:
        """Kill everything that works, and the store with it where there is a server: as when the power goes (A19)."""
        hit = frozenset().union(*(family(tree.process.pid) for tree in self._trees))
        with self._fault("SIGKILL of all at once", None):
            for pid in hit:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self._server is not None:
                self._server.stop(self._server.crash_signal)
                self._server.start()
            for tree in self._trees:
                tree.start_again()
            self._await_end(hit)
            sleep(3)

    def sleep_host(self) -> None:
        """Stop every process for longer than the leases, as when a laptop sleeps (B8)."""
        hit = frozenset().union(*(family(tree.process.pid) for tree in self._trees))
        with self._fault("a sleep of the host", hit, is_freeze=True):
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in hit:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
                sleep(FROZEN_S if number == signal.SIGSTOP else 2)

    def reload(self) -> None:
        tree = self._tree()
        with self._fault("SIGHUP", family(tree.process.pid)):
            tree.process.send_signal(signal.SIGHUP)
            # Two workers are replaced, one after the other; runs may be given back until the old ones are gone.
            sleep(8)

    def cut_off(self) -> None:
        assert self._line is not None
        with self._fault("a black hole", None):
            self._line.to(self._luck.choice([Mode.BLACK_HOLE, Mode.ONE_WAY]))
            sleep(CUT_OFF_S)
            self._line.to(Mode.PASS)
            sleep(3)

    def flap(self) -> None:
        assert self._line is not None
        with self._fault("a flapping link", None):
            for _ in range(4):
                self._line.to(Mode.REFUSE)
                sleep(1)
                self._line.to(Mode.PASS)
                sleep(1)
            # A claim that took most of its lease to arrive is given back a moment later.
            sleep(3)

    def slow_down(self) -> None:
        """Let each answer take a quarter of a lease, then half of one (B6)."""
        assert self._line is not None
        with self._fault("a slow store", None):
            for share in (0.25, 0.5):
                # Half of it on the way there, half on the way back.
                self._line.delay(share * LEASE_S / 2)
                sleep(2 * LEASE_S)
            self._line.delay(0)
            sleep(3)

    def take_store_away(self) -> None:
        """Stop the store for a minute (C2)."""
        assert self._server is not None
        with self._fault("a minute without the store", None):
            self._server.stop()
            sleep(60)
            self._server.start()
            sleep(5)

    def restart_store(self) -> None:
        assert self._server is not None
        with self._fault("a restart of the store", None):
            self._server.stop()
            self._server.start()
            sleep(5)

    def crash_store(self) -> None:
        assert self._server is not None
        with self._fault("a crash of the store", None):
            self._server.stop(self._server.crash_signal)
            self._server.start()
            sleep(5)
