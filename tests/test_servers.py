"""The private servers that other tests rely on: nothing is left of them, whatever happens to who started them."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import NullPool, create_engine

from tests import servers

STARTER = """
import signal, sys
from tests import servers

with servers.session() as directory:
    print(servers.running(directory, sys.argv[1]).pid, directory, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_server_ends_with_the_process_that_asked_for_it(kind, how, request, tmp_path):
    request.getfixturevalue(f"{kind}_server")
    command = [sys.executable, "-c", STARTER, kind]
    with (tmp_path / "errors").open("w") as errors:
        starter = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    with starter.stdout as said:
        pid, _, directory = said.readline().strip().partition(" ")
    assert directory, (tmp_path / "errors").read_text()
    assert is_running(int(pid))

    starter.send_signal(how)
    starter.wait(2 * servers.STOP_SECONDS)

    wait_until_gone(Path(directory))
    assert not is_running(int(pid))


def test_everybody_in_a_session_gets_the_same_server(postgres_server):
    with servers.session() as directory:
        first = servers.running(directory, "postgres")

        assert servers.running(directory, "postgres") == first


def test_a_server_that_does_not_start_says_why_to_everyone(postgres_server):
    with servers.session() as directory:
        (directory / "postgres").write_text("in the way of its files")

        for _ in range(2):
            with pytest.raises(servers.ServerFailed, match="NotADirectoryError"):
                servers.running(directory, "postgres")


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_database_with_an_awkward_name_can_be_used_through_its_url(kind, request):
    server = request.getfixturevalue(f"{kind}_server")

    with server.database('rota a"b`c;#@/%41%') as url, create_engine(url, poolclass=NullPool).connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(directory: Path) -> None:
    until = time.monotonic() + 2 * servers.STOP_SECONDS
    while directory.exists():
        assert time.monotonic() < until, f"{directory} is still there: {sorted(directory.glob('*'))}"
