"""The page on the command far from the application: each of its lines is typed, to a server reached over HTTP."""

import re
import shlex
import socket
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest
import uvicorn

from rota import Rota
from rota.core.model import Outcome
from rota.web import asgi_app
from tests.house.source import ROOT
from tests.surfaces.conftest import error, run
from tests.values import HOUR, a_run, claim, ended, settle_all
from tests.web.values import a_token, some_settings

PAGE = (ROOT / "docs/guide/far-away.md").read_text("utf-8")
LINES: list[str] = re.findall(r"^\$ rota (.*)$", PAGE, re.MULTILINE)
THERE = ("serve", "token")
"""What is typed where the application is."""
OTHERS = [line for line in LINES if not line.startswith(THERE)]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Serve the application of the page, and return the address."""
    page = ModuleType("page")
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "far-away.md", "exec"), page.__dict__)
    app: Rota = page.rota
    app.configure(some_settings())
    fail(app, "nightly_report")
    door = socket.create_server(("127.0.0.1", 0))
    told = uvicorn.Server(uvicorn.Config(asgi_app(app), log_config=None, lifespan="off"))
    answering = threading.Thread(target=told.run, kwargs={"sockets": [door]})
    answering.start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}"
    told.should_exit = True
    answering.join(30)


def fail(app: Rota, job: str) -> None:
    """Let a run of a job fail for good, a while ago."""
    now = app.clock.now()
    app.store.enqueue(
        [a_run(job=job, tenant="acme", created_at=now - HOUR, due_at=now - HOUR, max_attempts=1)], now=now
    )
    [found] = claim(app.store, now=now)
    settle_all(app.store, ended(found, Outcome.FAILED, now=now), now=now)


@pytest.fixture
def far(server, monkeypatch, tmp_path):
    """Run the command as on a machine that has nothing but an address and a token."""
    monkeypatch.setenv("ROTA_URL", server)
    (tmp_path / "token").write_text(a_token() + "\n")
    monkeypatch.setenv("ROTA_TOKEN_FILE", str(tmp_path / "token"))
    (tmp_path / "old.crontab").write_text("0 4 * * * /opt/bin/nightly_report.sh\n")
    monkeypatch.chdir(tmp_path)
    return lambda *args: run(None, *args, directory=tmp_path)


@pytest.mark.parametrize("line", OTHERS)
def test_each_line_of_the_page_does_what_it_says(far, line):  # R63
    result = far(*shlex.split(line))

    assert result.exit_code == 0, result.output


def test_the_page_shows_lines():
    assert len(OTHERS) > 8


def test_names_with_any_character_arrive_whole(far):
    named = far("show", "a/b?c=d#e", "--json")
    job = far("jobs", "show", "../status", "--json")

    assert error(named)["message"] == "no run or round 'a/b?c=d#e'"
    assert error(job)["message"] == "no job '../status'"


def test_whoever_is_not_known_is_refused(far, monkeypatch):  # R62, R63
    monkeypatch.delenv("ROTA_TOKEN_FILE")
    monkeypatch.setenv("ROTA_TOKEN", "nobody")

    result = far("jobs", "--json")

    assert result.exit_code == 5
    assert error(result)["code"] == "unauthorized"


def test_nobody_there_is_said_with_the_address(far):  # R63
    # Taken, so that nobody else gets it, and nobody listens.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        result = far("jobs", "--url", address)

    assert result.exit_code == 4
    assert result.stderr == f"rota: {address} does not answer: [Errno 111] Connection refused\n"
