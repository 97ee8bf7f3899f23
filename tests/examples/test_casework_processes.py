"""The casework example as its users meet it: web and workers as processes, agencies on MariaDB, mail on Dovecot."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from examples.casework.agencies import add_agency
from examples.casework.demo.agency import filed, furnish, letters, token_of
from examples.casework.models import Case, MailAccount, Message
from rota.stores import open_store
from tests.house.source import ROOT
from tests.proxy import Mode, proxy
from tests.server_kinds import free_port
from tests.servers import unique_name
from tests.system.processes import end, kill_tree, wait_until

pytestmark = pytest.mark.xdist_group("casework")

BOXES = ["box80", "box81"]
LETTERS = 1000
BUSY = {"ROTA_WORKER__LEASE": "10s", "ROTA_WORKER__HEARTBEAT": "500ms", "ROTA_WORKER__MARGIN": "3s"}
"""No lease is to end: who is killed is found without."""


class Site:
    """The application, with eight agencies of which two have mail."""

    def __init__(self, server, store_url, mail_port):
        self.server = server
        self.store_url = store_url
        self.mail_port = mail_port
        self.prefix = unique_name()
        self.agencies = [self.add(f"{number:02}", BOXES[number : number + 1]) for number in range(8)]
        self.port = free_port()
        self.environment = {
            **os.environ, **BUSY,
            "CASEWORK_AGENCIES": server.admin_url, "CASEWORK_AGENCY_NAMES": rf"{self.prefix}_\w+",
            "ROTA_CONFIG": str(ROOT / "examples" / "casework" / "rota.toml"), "ROTA_STORE": store_url,
        }  # fmt: skip

    def add(self, name, mailboxes=()):
        """Add an agency, and return its name."""
        agency = f"{self.prefix}_{name}"
        url = add_agency(self.server.admin_url, agency)
        furnish(url, agency, mail_port=self.mail_port, mailboxes=mailboxes, now=datetime(2026, 11, 29, tzinfo=UTC))
        return agency

    @contextmanager
    def started(self, *words):
        command = [sys.executable, "-m", *words]
        with subprocess.Popen(command, cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                kill_tree(process)

    def worker(self):
        return self.started("rota", "start", "--processes", "1")

    def web(self):
        return self.started("flask", "--app", "examples.casework.app", "run", "--port", str(self.port))

    def rota(self, *words):
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "rota", *words], cwd=ROOT, env=self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def ask(self, method, path, agency, *, token=None):
        """Ask the web as an admin does, and return status and answer."""
        headers = {"X-Agency": agency, "Authorization": f"Bearer {token or token_of(agency)}"}
        request = Request(f"http://127.0.0.1:{self.port}{path}", method=method, headers=headers)
        try:
            with urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, None
        except URLError:
            return 0, None

    def state(self, answer, agency):
        """Return the state of the run that was asked for."""
        return self.ask("GET", answer["url"], agency)[1]["state"]

    @contextmanager
    def database(self, agency):
        engine = create_engine(self.server.url(agency))
        with Session(engine) as session:
            yield session
        engine.dispose()

    def count(self, agency, *where):
        with self.database(agency) as session:
            return session.scalar(select(func.count()).select_from(Message).where(*where))


@pytest.fixture
def line(dovecot):
    for box in BOXES:
        dovecot.deliver(box, *letters(box, LETTERS, at=datetime(2026, 11, 29, tzinfo=UTC)))
    with proxy(dovecot.port) as line:
        yield line


@pytest.fixture
def site(mariadb_server, mariadb_ready, line):
    return Site(mariadb_server, mariadb_ready, line.port)


def test_mail_is_read_and_filed_whatever_is_killed_and_a_disconnect_wins(site, line):  # R20, R24, R30, R37, R45
    first, second, *others = site.agencies
    with site.web():
        wait_until(lambda: site.ask("GET", "/notifications", first)[0] == 200, what="the web answers")
        assert site.ask("POST", "/mailbox/sync", first, token="a guess")[0] == 401
        assert site.ask("POST", "/mailbox/sync", first, token=token_of(second))[0] == 401

        # A request asks for it, and a worker is killed half way.
        status, asked = site.ask("POST", "/mailbox/sync", first)
        assert status == 202
        with site.worker() as worker:
            wait_until(lambda: site.count(first) >= 200, what="two batches are stored")
            line.to(Mode.BLACK_HOLE)
            kill_tree(worker)
        half = site.count(first)
        line.to(Mode.PASS)
        with site.worker() as worker:
            wait_until(lambda: site.state(asked, first) == "succeeded", what="the sync ends")
            wait_until(lambda: site.count(first, Message.matched_at.is_(None)) == 0, what="all is matched")

            assert 200 <= half < LETTERS
            the_mail_is_there_once_and_filed(site, first)
            assert [site.count(agency) for agency in (second, *others)] == [0] * 7
            assert json.loads(run_of(site, asked).carried)["values"]["job_context"]["context"]["user_id"] == "1"

            # A mailbox hangs half way, and is disconnected.
            _, hanging = site.ask("POST", "/mailbox/sync", second)
            wait_until(lambda: site.count(second) >= 100, what="a batch is stored")
            line.to(Mode.BLACK_HOLE)
            _, disconnect = site.ask("DELETE", "/mailbox", second)
            wait_until(lambda: site.state(disconnect, second) == "succeeded", what="the mailbox is disconnected")
            wait_until(lambda: site.state(hanging, second) == "cancelled", what="the sync that hangs is cancelled")
            line.to(Mode.PASS)
            stored = site.count(second)
            _, late = site.ask("POST", "/mailbox/sync", second)
            wait_until(lambda: site.state(late, second) == "cancelled", what="a later sync is cancelled")

            assert 100 <= stored == site.count(second) < LETTERS
            took = run_of(site, hanging)
            # It was hung up on, and not waited for: that would have been half a minute.
            assert took.ended_at - took.started_at < timedelta(seconds=25)
            with site.database(second) as session:
                assert session.scalar(select(MailAccount.password)) is None
            assert site.ask("GET", asked["url"], second)[0] == 404

            # An agency is new: it is there without a deploy.
            new = site.add("new")
            wait_until(lambda: site.ask("POST", "/sync", new)[0] == 202, what="the web knows the new agency")
            by_hand = site.rota("run", "check_health", "--tenant", new, "--here")
            assert by_hand.returncode == 0, by_hand.stderr
            assert site.rota("run", "check_health", "--tenant", f"{new}er").returncode == 3

            assert end(worker) == 0


def the_mail_is_there_once_and_filed(site, agency):
    with site.database(agency) as session:
        by_case = select(Case.reference, func.count()).select_from(Message).outerjoin(Case).group_by(Case.reference)
        assert dict(session.execute(by_case).all()) == filed(LETTERS)
        assert session.scalar(select(func.count(Message.message_id.distinct()))) == LETTERS


def run_of(site, answer):
    """Return the run that was asked for, as the store has it."""
    store = open_store(site.store_url)
    try:
        return store.run(answer["run"]).run
    finally:
        store.close()
