"""Applications of the examples: in this process under a clock that stands still, and as processes."""

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress

import httpx2

from tests.house.source import ROOT
from tests.server_kinds import free_port
from tests.system.processes import children_of, wait_until
from tests.web.values import SECRET


def loaded(monkeypatch, name, folder, **environment):
    """Import the application of an example anew, by an environment of its own; return what imports its modules."""
    monkeypatch.setenv("ROTA_CONFIG", str(ROOT / f"examples/{name}/rota.toml"))
    monkeypatch.setenv("ROTA_AUTH__SECRET", SECRET)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(folder)
    for module in [module for module in sys.modules if module.startswith(f"examples.{name}")]:
        monkeypatch.delitem(sys.modules, module)
    return lambda module: importlib.import_module(f"examples.{name}.{module}")


class Site:
    """An example as its README starts it, in a folder of its own."""

    def __init__(self, name, folder, **environment):
        self.folder = folder
        self.environment = {**os.environ, **environment}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.words = ["make", "-C", str(ROOT / "examples" / name), "--silent", f"DATA={folder}", f"PORT={port}"]
        self._database = folder / f"{name}.db"

    def make(self, *target, check=True):
        done = subprocess.run(
            [*self.words, *target], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    @contextmanager
    def running(self, **environment):
        """Have it answer for the length of the block, then stop as a deploy stops it; gives a client."""
        with (
            (self.folder / "log").open("a") as log,
            httpx2.Client(base_url=self.url, timeout=60) as client,
            subprocess.Popen(
                [*self.words, "run"], env=self.environment | environment, stdout=log, stderr=log
            ) as process,
        ):  # fmt: skip
            try:
                wait_until(lambda: _answers(client), what="it answers")
                yield client
            finally:
                for server in children_of(process.pid):
                    os.kill(server, signal.SIGTERM)
                process.wait(timeout=30)
        assert "Application shutdown complete" in self.log(), self.log()

    def log(self):
        return (self.folder / "log").read_text()

    def sql(self, statement, *values):
        with closing(sqlite3.connect(self._database, timeout=30)) as database, database:
            return database.execute(statement, values).fetchall()


def _answers(client):
    with suppress(httpx2.TransportError):
        return client.get("/healthz").status_code == 200
