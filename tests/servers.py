"""Private database servers for tests and benchmarks: never one that happens to run on the machine.

    with servers.postgres() as server:
        url = server.create_database()

or, to try something by hand, `python -m tests.servers postgres`.

Each server is the child of a keeper process, which ends it as soon as the session that asked for it is over:
when the session says so, is interrupted or is killed. The session is a directory with a locked file; the kernel
drops the lock when its process dies, however it dies, and that is what the keeper waits for. Any process that
knows the directory (the workers of pytest-xdist) shares the servers that run there.

Settings that cost durability stay at their defaults: tests meet the server that users have.
"""

import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import msgspec
from sqlalchemy import URL, NullPool, create_engine
from sqlalchemy.exc import OperationalError

from tests.server_kinds import HOST, KINDS, Kind, ServerMissing, free_port

__all__ = ["ServerMissing"]

PREFIX = "rota-servers-"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
PR_SET_PDEATHSIG = 1


class ServerFailed(Exception):
    """A server is installed but does not start; the message holds the end of its log."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running private server, and the account that may do everything on it."""

    kind: str
    port: int
    password: str
    user: str = "rota"
    host: str = HOST
    pid: int = 0

    @property
    def admin_url(self) -> str:
        """The URL of a database that is always there, to create others from."""
        return self.url({"postgres": "postgres", "redis": "0"}.get(self.kind, ""))

    def url(self, database: str) -> str:
        """Return the URL of a database on this server, with its password."""
        if self.kind == "redis":
            return f"redis://:{self.password}@{self.host}:{self.port}/{database}"
        if self.kind == "rabbitmq":
            # One for all: who shares it has queues of names of its own, which cost nothing.
            return f"amqp://{self.user}:{self.password}@{self.host}:{self.port}//"
        driver = "postgresql+psycopg" if self.kind == "postgres" else "mysql+pymysql"
        made = URL.create(driver, self.user, self.password, self.host, self.port, database or None)
        return made.render_as_string(hide_password=False)

    def create_database(self, name: str | None = None, *, like: str | None = None) -> str:
        """Create a database, under a name nobody else has if none is given, and return its URL.

        `like` names one that PostgreSQL is to copy, to which nobody may be connected.
        """
        if self.kind == "redis":
            # They are there, and numbered; all processes of a session count together.
            return self.url(str(self.command("INCR", "databases")))
        name = name or unique_name()
        if like:
            self.execute("CREATE DATABASE {} TEMPLATE {}", name, like)
        else:
            self.execute("CREATE DATABASE {}", name)
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database with whoever is still connected; one that is not there is no error."""
        forced = " WITH (FORCE)" if self.kind == "postgres" else ""
        self.execute("DROP DATABASE IF EXISTS {}" + forced, name)

    def command(self, *words: str) -> Any:
        """Execute one command of Redis as the administrator."""
        # Here, so that tests of other stores run where the client is not installed.
        from redis import Redis

        with Redis.from_url(self.admin_url, socket_timeout=10) as client:
            return client.execute_command(*words)

    def is_answering(self) -> bool:
        """Ask it something, and return whether it answers."""
        if self.kind == "redis":
            # In its own words: the client need not be installed where nobody tests this store.
            with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1) as line:
                line.sendall(b"PING\r\n")
                # It asks for the password.
                return line.recv(100).startswith(b"-NOAUTH")
            return False
        if self.kind == "rabbitmq":
            with suppress(OSError), socket.create_connection((self.host, self.port), timeout=1) as line:
                line.sendall(b"AMQP\x00\x00\x09\x01")
                # The first frame that the server says is of a method.
                return line.recv(1) == b"\x01"
            return False
        with suppress(OperationalError):
            self.execute("SELECT 1")
            return True
        return False

    @contextmanager
    def database(self, name: str | None = None) -> Iterator[str]:
        """Create a database for the time of the block and yield its URL."""
        name = name or unique_name()
        url = self.create_database(name)
        try:
            yield url
        finally:
            if self.kind != "redis":
                self.drop_database(name)

    def execute(self, statement: str, *names: str) -> None:
        """Run one statement as the administrator, outside a transaction, with `{}` for each quoted name."""
        engine = create_engine(
            self.admin_url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 10}
        )
        quote = engine.dialect.identifier_preparer.quote_identifier
        with engine.connect() as connection:
            connection.exec_driver_sql(statement.format(*map(quote, names)))


def unique_name() -> str:
    """Return a database name that nobody else has."""
    return f"rota_{secrets.token_hex(6)}"


@contextmanager
def postgres() -> Iterator[Server]:
    """Start a private PostgreSQL for the time of the block."""
    with session() as directory:
        yield running(directory, "postgres")


@contextmanager
def mariadb() -> Iterator[Server]:
    """Start a private MariaDB for the time of the block."""
    with session() as directory:
        yield running(directory, "mariadb")


@contextmanager
def redis() -> Iterator[Server]:
    """Start a private Redis for the time of the block: append-only file, no eviction."""
    with session() as directory:
        yield running(directory, "redis")


@contextmanager
def session() -> Iterator[Path]:
    """Yield a directory in which `running` starts servers; they all end with the block, or with this process."""
    _sweep()
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    # The servers run as users of their own and must get past it.
    directory.chmod(0o755)
    alive = _locked(directory / "alive")
    try:
        yield directory
    finally:
        # Unlock by word, not by closing: a forked child may hold a copy of the descriptor.
        fcntl.flock(alive, fcntl.LOCK_UN)
        os.close(alive)
        for kept in directory.glob("*.kept"):
            with suppress(FileNotFoundError):
                os.close(_locked(kept, create=False))
        shutil.rmtree(directory, ignore_errors=True)


def _sweep() -> None:
    """Remove the directories of sessions that were killed before they had a server, and so no keeper to do it."""
    for alive in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/alive"):
        # Another user's, or gone meanwhile.
        with suppress(OSError):
            # A session that begins has its file before it has the lock.
            if time.time() - alive.stat().st_mtime > 60 and not _in_use(alive.parent):
                shutil.rmtree(alive.parent, ignore_errors=True)


def running(directory: Path, kind: str) -> Server:
    """Return the session's server of this kind, starting it first if nobody has yet.

    Raises:
        ServerMissing: its programs are not installed; `scripts/services` installs them.
        ServerFailed: it did not start, for the first who asked and for everyone after.
    """
    KINDS[kind].programs()
    lock = _locked(directory / f"{kind}.lock")
    try:
        answer, failure = directory / f"{kind}.json", directory / f"{kind}.failed"
        if not answer.exists() and not failure.exists():
            _start_keeper(directory, kind)
        if failure.exists():
            raise ServerFailed(f"{kind} did not start:\n{failure.read_text(errors='replace')}")
        return msgspec.json.decode(answer.read_bytes(), type=Server)
    finally:
        os.close(lock)


def _start_keeper(directory: Path, kind: str) -> None:
    said = directory / f"{kind}.keeper.log"
    with said.open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", "keep", kind, str(directory)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            # A Ctrl-C at the terminal is for the session; the keeper follows the session's lock.
            start_new_session=True,
        )
    assert keeper.stdout is not None
    # It closes its output when the server answers, and in any case by ending.
    with keeper.stdout as output:
        output.read()
    if not (directory / f"{kind}.json").exists():
        keeper.wait(STOP_SECONDS)
        (directory / f"{kind}.failed").write_text(_tail(said) + _tail(directory / f"{kind}.log"))
    # The keeper outlives the process that started it, on purpose: keep `Popen` from complaining.
    keeper.returncode = 0


def keep(name: str, directory: Path) -> None:
    """Create and start a server, say so, wait for the end of the session, and end the server."""
    kind, home = KINDS[name], directory / name
    kept = _locked(directory / f"{name}.kept")
    try:
        with (directory / f"{name}.log").open("wb") as log:
            server, process = _start(kind, name, home, log)
            try:
                (directory / f"{name}.json").write_bytes(msgspec.json.encode(server))
                # Whoever started this process reads its output to the end.
                os.close(sys.stdout.fileno())
                _wait_for_the_end(directory)
            finally:
                _stop(process, kind.stop_signal)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        os.close(kept)
        if not _in_use(directory):
            # The session does this itself, unless it was killed.
            shutil.rmtree(directory, ignore_errors=True)


def _start(kind: Kind, name: str, home: Path, log: IO[bytes]) -> tuple[Server, subprocess.Popen[bytes]]:
    (home / "data").mkdir(parents=True, mode=0o700)
    password = secrets.token_urlsafe(12)
    create = kind.create(home, password)
    account = kind.account if os.geteuid() == 0 else None
    if account:
        for path in (home, *home.iterdir()):
            shutil.chown(path, account, account)
    if create and (code := _spawn(create, account, home, log).wait(START_SECONDS)):
        raise ServerFailed(f"{create[0]} ended with {code}")
    for _ in range(3):
        # The port is free now, not promised: somebody else may take it before the server does.
        port = free_port()
        process = _spawn(kind.serve(home, port), account, home, log)
        server = Server(kind=name, port=port, password=password, pid=process.pid)
        if _is_up(server, process):
            return server, process
        _stop(process, signal.SIGKILL)
    raise ServerFailed("it does not answer")


def _spawn(command: Sequence[str], account: str | None, home: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=home,
        # A MariaDB that starts removes what it takes for its own old temporary tables from its temporary directory:
        # in a shared one, those of its neighbours.
        env={**os.environ, "TMPDIR": str(home)},
        user=account,
        group=account,
        extra_groups=[] if account else None,
        # After the change of user, which clears it.
        preexec_fn=_die_with_parent,
    )


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when its keeper dies, even by SIGKILL. Linux only, elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _is_up(server: Server, process: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; False when it ended or is too slow."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.is_answering():
            return True
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            return False
    return False


def _wait_for_the_end(directory: Path) -> None:
    """Return when the session is over: its lock is free, or the file is gone."""
    with suppress(FileNotFoundError):
        os.close(_locked(directory / "alive", create=False))


def _in_use(directory: Path) -> bool:
    """Tell whether the session goes on, or a keeper of its still ends a server."""
    return any(map(_is_locked, [directory / "alive", *directory.glob("*.kept")]))


def _is_locked(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _locked(path: Path, *, create: bool = True) -> int:
    """Open the file, wait for its lock and return the descriptor that holds it."""
    descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:] if log.exists() else ""


def main(arguments: Sequence[str]) -> int:
    """Start the server named and print its URL until Ctrl-C; or be the keeper of one."""
    match arguments:
        case ["keep", kind, directory]:
            keep(kind, Path(directory))
        case [kind] if kind in KINDS:
            with session() as shared, suppress(KeyboardInterrupt):
                print(running(shared, kind).admin_url, flush=True)
                signal.pause()
        case _:
            print(f"usage: python -m tests.servers {'|'.join(KINDS)}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
