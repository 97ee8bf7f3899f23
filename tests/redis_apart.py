"""A Redis that is set up otherwise than everybody's: with TLS, or as the node of a cluster."""

import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests import servers
from tests.server_kinds import free_port


@contextmanager
def with_tls(certificate: Path, authority: Path) -> Iterator[int]:
    """Yield the port of a server that speaks TLS and nothing else, with this key and certificate."""
    files = ["--tls-cert-file", certificate, "--tls-key-file", certificate, "--tls-ca-cert-file", authority]
    options = ["--port", "0", *files, "--tls-auth-clients", "no"]
    with _started("--tls-port", options, is_up=_accepts) as port:
        yield port


@contextmanager
def cluster() -> Iterator[int]:
    """Yield the port of a cluster of one node, which has all slots."""
    # Its nodes' own port is else 10,000 higher, which is no port for a third of those that are free.
    options: list[object] = ["--cluster-enabled", "yes", "--cluster-port", free_port()]
    with _started("--port", options, is_up=_accepts) as port:
        with closing(Redis(host=servers.HOST, port=port)) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            _wait_until(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"))
        yield port


@contextmanager
def _started(port_option: str, options: list[object], *, is_up: Callable[[int], bool]) -> Iterator[int]:
    [program] = servers.KINDS["redis"].programs().values()
    with tempfile.TemporaryDirectory(prefix="rota-redis-") as folder, (Path(folder) / "log").open("wb") as log:
        port = free_port()
        command = [program, "--bind", servers.HOST, port_option, port, "--appendonly", "yes", "--save", "", *options]
        process = servers._spawn([str(word) for word in command], None, Path(folder), log)
        try:
            _wait_until(lambda: is_up(port))
            yield port
        finally:
            servers._stop(process, signal.SIGTERM)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((servers.HOST, port), timeout=1):
        return True
    return False


def _wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + servers.START_SECONDS
    while time.monotonic() < until:
        with suppress(RedisError):
            if true():
                return
        time.sleep(0.02)
    raise servers.ServerFailed("redis does not answer")
