"""How each kind of private server is found, created, started and asked to stop."""

import shutil
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom

import msgspec

HOST = "127.0.0.1"
PORTS = range(20_000, 32_000)
"""Below those that Linux and other systems give to connections."""
CONNECTIONS = 200
DATABASES = 4096
"""Of a Redis, whose databases are numbered: one for each test that asks for one."""


class ServerMissing(Exception):
    """The programs of a server are not installed."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of server is found, created, started and asked to stop."""

    account: str
    """The system account it runs under when the tests run as root, which most servers refuse."""
    programs: Callable[[], Mapping[str, str]]
    create: Callable[[Path, str], Sequence[str]]
    """Given an empty directory and a password: write its settings, return the command that creates its files, if there
    is any to create."""
    serve: Callable[[Path, int], Sequence[str]]
    """Given the same directory and a port: the command that runs it in the foreground."""
    stop_signal: signal.Signals


def _postgres_programs() -> Mapping[str, str]:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return _found("postgresql", ["initdb", "postgres"], first=str(installed[-1]) if installed else None)


def _postgres_create(home: Path, password: str) -> Sequence[str]:
    (home / "password").write_text(password)
    # SCRAM works a password over 4096 times for each connection that a test or a process makes.
    options = ["--auth=md5", "--encoding=UTF8", "--no-locale", "--no-sync", "--username=rota"]
    return [_postgres_programs()["initdb"], f"--pgdata={home}/data", f"--pwfile={home}/password", *options]


def _postgres_serve(home: Path, port: int) -> Sequence[str]:
    options = [f"--port={port}", f"--listen_addresses={HOST}", f"--unix_socket_directories={home}"]
    return [_postgres_programs()["postgres"], "-D", f"{home}/data", *options, f"--max_connections={CONNECTIONS}"]


def _mariadb_programs() -> Mapping[str, str]:
    return _found("mariadb-server", ["mariadb-install-db", "mariadbd"], first="/usr/sbin")


def _mariadb_create(home: Path, password: str) -> Sequence[str]:
    (home / "account.sql").write_text(
        f"CREATE USER IF NOT EXISTS rota@'{HOST}' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL ON *.* TO rota@'{HOST}' WITH GRANT OPTION;\n"
    )
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    return [_mariadb_programs()["mariadb-install-db"], "--no-defaults", f"--datadir={home}/data", *options]


def _mariadb_serve(home: Path, port: int) -> Sequence[str]:
    files = [f"--datadir={home}/data", f"--socket={home}/socket", f"--pid-file={home}/pid"]
    options = [f"--port={port}", f"--bind-address={HOST}", "--skip-name-resolve", f"--max-connections={CONNECTIONS}"]
    # Without Debian's files the character set would be latin1, which nobody runs.
    charset = ["--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci"]
    account = f"--init-file={home}/account.sql"
    return [_mariadb_programs()["mariadbd"], "--no-defaults", *files, *options, *charset, account]


def _redis_programs() -> Mapping[str, str]:
    return _found("redis-server", ["redis-server"], first=None)


def _redis_create(home: Path, password: str) -> Sequence[str]:
    (home / "redis.conf").write_text(
        f"requirepass {password}\ndir {home}/data\nappendonly yes\nsave ''\ndatabases {DATABASES}\n"
    )
    return []


def _redis_serve(home: Path, port: int) -> Sequence[str]:
    return [_redis_programs()["redis-server"], f"{home}/redis.conf", "--port", str(port), "--bind", HOST]


def _rabbitmq_programs() -> Mapping[str, str]:
    return _found("rabbitmq-server", ["rabbitmq-server"], first="/usr/lib/rabbitmq/bin")


def _rabbitmq_create(home: Path, password: str) -> Sequence[str]:
    (home / "enabled_plugins").write_text("[].\n")
    (home / "rabbitmq.conf").write_text(
        f"default_user = rota\ndefault_pass = {password}\nloopback_users = none\n"
        "disk_free_limit.absolute = 1MB\nlog.console = true\nlog.file = false\n"
    )
    return []


def _rabbitmq_serve(home: Path, port: int) -> Sequence[str]:
    names, distribution = free_port(), free_port()
    settings = {
        "HOME": home,
        "RABBITMQ_NODENAME": f"rota-{port}@localhost",
        "RABBITMQ_CONFIG_FILE": home / "rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": home / "enabled_plugins",
        "RABBITMQ_MNESIA_BASE": home / "data",
        "RABBITMQ_LOG_BASE": home,
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": port,
        "RABBITMQ_DIST_PORT": distribution,
        "ERL_EPMD_PORT": names,
        # Spinning threads of an idle server would be the time of others.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        # One process, that of this command, until its end.
        "RUNNING_UNDER_SYSTEMD": "1",
    }
    # The name server of Erlang, in sight: one that the node starts by itself would outlive it.
    name_server = f"setpriv --pdeathsig KILL epmd -address {HOST} -port {names} &"
    program = f"{name_server} exec {_rabbitmq_programs()['rabbitmq-server']}"
    return ["env", *(f"{name}={value}" for name, value in settings.items()), "sh", "-c", program]


KINDS: Mapping[str, Kind] = {
    "postgres": Kind(
        account="postgres",
        programs=_postgres_programs,
        create=_postgres_create,
        serve=_postgres_serve,
        stop_signal=signal.SIGINT,
    ),
    "mariadb": Kind(
        account="mysql",
        programs=_mariadb_programs,
        create=_mariadb_create,
        serve=_mariadb_serve,
        stop_signal=signal.SIGTERM,
    ),
    "redis": Kind(
        account="redis",
        programs=_redis_programs,
        create=_redis_create,
        serve=_redis_serve,
        stop_signal=signal.SIGTERM,
    ),
    "rabbitmq": Kind(
        account="rabbitmq",
        programs=_rabbitmq_programs,
        create=_rabbitmq_create,
        serve=_rabbitmq_serve,
        stop_signal=signal.SIGTERM,
    ),
}


def _found(package: str, names: Sequence[str], *, first: str | None) -> Mapping[str, str]:
    """Return where each program is, looking in the folder `first` and then along the path."""
    found = {name: (first and shutil.which(name, path=first)) or shutil.which(name) for name in names}
    if missing := [name for name, path in found.items() if path is None]:
        raise ServerMissing(f"no {' and no '.join(missing)}: install the package {package}, or run scripts/services")
    return {name: path for name, path in found.items() if path is not None}


def free_port() -> int:
    """Return a port that is free now, for a server that may end and begin again there.

    Not one of those that the system gives to whoever connects to somewhere: of the many connections of tests, one would
    have it as its own before the server does, or while that is down. Not promised: another server may take it.
    """
    while True:
        port = SystemRandom().choice(PORTS)
        with suppress(OSError), socket.create_server((HOST, port)):
            return port
