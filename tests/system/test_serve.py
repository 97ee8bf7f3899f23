"""`rota serve`: a real server, real signals."""

import http.client
import json
import re
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.system.processes import Site, children_of, end, wait_until

SETTINGS = '[auth]\nsecret = "a-secret-of-more-than-thirty-two-bytes-made-for-tests"\n'
SLOW = """
@app.job()
def slow() -> str:
    note(event="start")
    time.sleep(1.0)
    return "done"
"""


class Server:
    """A server that was started, and who asks it."""

    def __init__(self, site, process, token):
        self.site = site
        self.process = process
        self._token = token
        wait_until(lambda: self._found(), what="its address")
        self.url = self._found()[1]
        wait_until(lambda: self._answers(), what="an answer")

    def ask(self, path, *, body=None):
        """Return status and body of an answer."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def _found(self):
        return re.search(r"^rota: (http://127\.0\.0\.1:[1-9]\d*)$", self.site.logs(), re.MULTILINE)

    def _answers(self):
        try:
            return self.ask("/healthz")[0] == 200
        except urllib.error.URLError:
            return False


@contextmanager
def serving(tmp_path: Path, *words: str):
    site = Site(tmp_path / "site", url=f"sqlite:///{tmp_path / 'rota.db'}", jobs=SLOW, settings=SETTINGS)
    token = site.rota("token", "create", "ana", "--can", "admin").stdout.strip()
    with site.started(command=site.command("serve", "--port", "0", *words)) as process:
        yield Server(site, process, token)


def test_it_says_where_it_answers_and_ends_what_it_has_begun(tmp_path):  # R45, R62
    # One of two processes, which share a socket: what their supervisor does with them is tested with `rota start`.
    with serving(tmp_path, "--workers", "2") as server:
        wait_until(lambda: len(children_of(server.process.pid)) == 2, what="two processes")
        assert server.ask("/api/v1/runs", body=b'{"job": "slow"}')[0] == 202
        passed = []
        asking = threading.Thread(target=lambda: passed.append(server.ask("/api/cron/run", body=b"{}")))
        asking.start()
        wait_until(lambda: server.site.journal(event="start"), what="the run")

        code = end(server.process)
        asking.join()

    assert code == 0
    assert [status for status, _ in passed] == [200]


def test_one_command_works_and_answers(tmp_path):  # R61
    settings = f"{SETTINGS}[web]\nport = 0\n"
    site = Site(tmp_path / "site", url=f"sqlite:///{tmp_path / 'rota.db'}", jobs=SLOW, settings=settings)
    token = site.rota("token", "create", "ana", "--can", "trigger,read").stdout.strip()
    command = site.command("start", "--only", "worker,web", "--processes", "1")
    with site.started(command=command) as process:
        server = Server(site, process, token)
        assert server.ask("/scheduler/run/slow", body=b"{}")[0] == 202
        wait_until(lambda: site.journal(event="start"), what="the run, in the other process")
        assert len(children_of(process.pid)) == 2

        assert end(process) == 0


def test_nobody_answers_for_a_store_that_he_cannot_see(tmp_path):  # R33
    site = Site(tmp_path, url="memory://", jobs="", settings=f"{SETTINGS}[web]\nport = 0\n")

    done = site.rota("start", "--only", "worker,web", check=False)

    assert done.returncode == 2
    assert "would see nothing of it" in done.stderr


def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path):  # I4, I5
    with serving(tmp_path) as server:
        acknowledged, is_killed = [], threading.Event()

        def ask():
            while not is_killed.is_set():
                with suppress(OSError, http.client.HTTPException):
                    status, told = server.ask("/api/v1/runs", body=b'{"job": "slow"}')
                    assert status == 202
                    acknowledged.append(told["run"])

        asking = [threading.Thread(target=ask) for _ in range(8)]
        for one in asking:
            one.start()
        wait_until(lambda: len(acknowledged) >= 40, what="forty answers")
        server.process.kill()
        is_killed.set()
        for one in asking:
            one.join()
        kept = json.loads(server.site.rota("runs", "--limit", "1000", "--json").stdout)["data"]

    assert set(acknowledged) <= {run["id"] for run in kept}
    # What was under way may be there or not, whole in any case.
    assert len(kept) <= len(acknowledged) + 8
    assert {run["state"] for run in kept} == {"queued"}
