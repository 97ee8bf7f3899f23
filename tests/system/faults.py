"""What the fault tests have in common: a store, jobs that write down all they do, and what the journal must say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import make_url

from rota.clock import SystemClock
from rota.core.model import Outcome, Run, State
from rota.ports import Store
from rota.queries import RunQuery
from rota.stores import open_store
from tests.proxy import Proxy, proxy
from tests.system.processes import Site, wait_until

KINDS = ("sqlite", "postgres", "mariadb")
SERVERS = ("postgres", "mariadb")

WORK = """
from tests.system.crashing import arm

arm(app)


@app.job(retry=Retry(attempts=1))
def work(ctx: RunContext, beats: int) -> str:
    with alone(ctx.run_id):
        note(event="start", run=ctx.run_id, token=ctx.token, at=time.monotonic())
        for beat in range(beats):
            # By turns, not by the time: a job that was frozen has still to do what it had to.
            if ctx.stop.wait(0.05):
                note(event="stopped", run=ctx.run_id, token=ctx.token, at=time.monotonic())
                return "stopped"
            note(event="beat", run=ctx.run_id, token=ctx.token, at=time.monotonic())
        note(event="effect", run=ctx.run_id, token=ctx.token)
        note(event="end", run=ctx.run_id, token=ctx.token, at=time.monotonic())
    return str(ctx.token)
"""

SETTINGS = """
[worker]
processes = 1
lease = "{lease}"
heartbeat = "{heartbeat}"
margin = "{margin}"
kill_grace = "{kill_grace}"
drain = "2s"

[store]
migrate = "{migrate}"
"""
USUAL = {"lease": "4s", "heartbeat": "300ms", "margin": "1s", "kill_grace": "400ms", "migrate": "off"}
"""Long enough for a machine that is busy: what dies on its host is found without waiting for its lease."""
SHORT = {"lease": "1s", "heartbeat": "300ms", "margin": "500ms"}
"""Where the end of a lease is what a test waits for."""


class Ground:
    """A store that is set up, and applications on it that write into one journal."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.journal_file = folder / "journal"
        self.store: Store = open_store(url)
        self.store.setup()

    def site(self, name: str = "site", *, url: str | None = None, jobs: str = WORK, **settings: str) -> Site:
        """Return an application on this store, or on the way to it that `url` is."""
        return Site(
            self.folder / name,
            url=url or self.url,
            jobs=jobs,
            settings=SETTINGS.format(**USUAL | settings),
            journal_file=self.journal_file,
        )

    def enqueue(self, *, beats: int = 1, number: int = 1, job: str = "work", **fields: Any) -> list[Run]:
        """Ask for runs, by the store itself: no process takes part."""
        now = self.store.now()
        clock = SystemClock()
        args = msgspec.json.encode({"args": [], "kwargs": {"beats": beats}}).decode()
        runs = [
            Run(**{"id": clock.new_id(), "job": job, "args": args, "due_at": now, "created_at": now, "max_attempts": 1}
                | fields)
            for _ in range(number)
        ]  # fmt: skip
        assert self.store.enqueue(runs, now=now) == [run.id for run in runs]
        return runs

    def run(self, run: Run) -> Run:
        history = self.store.run(run.id)
        assert history is not None
        return history.run

    def outcomes(self, run: Run) -> list[Outcome | None]:
        history = self.store.run(run.id)
        assert history is not None
        return [attempt.outcome for attempt in history.attempts]

    def wait_for_success(self, *runs: Run) -> None:
        """Wait until these runs have succeeded."""
        wait_until(
            lambda: all(self.run(run).state is State.SUCCEEDED for run in runs),
            what=lambda: f"success of {[(self.run(run).state, self.run(run).error) for run in runs]}\n{self.logs()}",
        )

    def logs(self) -> str:
        """Return the ends of what the processes of all applications on it have said."""
        return "\n".join(f"{file}:\n{file.read_text()[-3000:]}" for file in sorted(self.folder.glob("*/log-*")))

    def claimed_by_one_who_is_gone(self, number: int, *, beats: int = 1) -> list[Run]:
        """Return runs in the hands of a worker of another host that is heard of no more, their leases over."""
        from rota.queries import ClaimRequest

        runs = self.enqueue(number=number, beats=beats)
        request = ClaimRequest(worker="gone", queues={"default": 100}, limit=100, lease=timedelta(milliseconds=1))
        assert len(self.store.claim(request, now=self.store.now() - timedelta(seconds=10))) == number
        return runs

    def everything(self) -> list[Run]:
        return self.store.runs(RunQuery(kind=None, limit=10_000))

    @property
    def lock_file(self) -> Path:
        """The file that who writes into a SQLite store has locked; of other stores it is not there."""
        return self.folder / "rota.db-shm"

    def close(self) -> None:
        self.store.close()


def events(site: Site, name: str, **wanted: Any) -> list[dict[str, Any]]:
    return site.journal(event=name, **wanted)


def worker_pid(site: Site, run: Run) -> int:
    """Return the process in which a run was started last, waiting for the start."""
    wait_until(lambda: events(site, "start", run=run.id), what="the start of the job")
    return int(events(site, "start", run=run.id)[-1]["pid"])


def no_overlap(site: Site) -> None:
    """Assert that the kernel saw no run being executed twice at once, and that no beat of an attempt came after the
    start of the next."""
    assert events(site, "overlap") == []
    for start in events(site, "start"):
        late = [
            line
            for line in site.journal(run=start["run"])
            if line["event"] in ("beat", "end") and line["token"] < start["token"] and line["at"] > start["at"]
        ]
        assert late == []


@contextmanager
def on(kind: str, request: Any, folder: Path) -> Iterator[Ground]:
    """Yield the ground for a test: an empty store of this kind."""
    ground = Ground(request.getfixturevalue("ready").url(kind, folder / "rota.db"), folder)
    try:
        yield ground
    finally:
        ground.close()


@contextmanager
def between(ground: Ground) -> Iterator[tuple[Proxy, str]]:
    """Yield a proxy in front of the store's server, and the URL that leads through it."""
    address = make_url(ground.url)
    assert address.port is not None
    with proxy(address.port) as line:
        yield line, address.set(port=line.port).render_as_string(hide_password=False)


def now() -> datetime:
    return datetime.now(UTC)
