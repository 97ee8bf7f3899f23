"""Work for long while everything is killed, frozen, cut off and restarted, and count what was lost (must be nothing).

make soak ARGS="--minutes 60 --every 30 --store postgres --seed 7"

Three supervisors with two worker processes each work one store; two of them are hit by a fault every so often, the
third is left alone, and shows whether memory and descriptors stay flat. Jobs in threads, child processes and coroutines
are asked for all the time, and a schedule fans out. What decides is the journal that the jobs write, and a lock of the
kernel for each run.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic, sleep

import msgspec
from sqlalchemy import Engine, NullPool, create_engine, inspect, make_url, text

from bench.havoc import Havoc, Server, Tree, family, marked
from bench.witness import JOBS, judge
from rota.clock import SystemClock
from rota.core.model import OPEN, Run, State
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.queries import RunQuery
from rota.stores import open_store
from tests import servers
from tests.proxy import Proxy, proxy
from tests.system.processes import Site, end, is_alive

SETTINGS = """
[worker]
lease = "4s"
heartbeat = "1s"
margin = "1500ms"
grace = "500ms"
kill_grace = "500ms"
drain = "2s"

[scheduler]
max_catch_up = "2m"

[retention]
succeeded = "1m"
failed = "1m"
logs = "1m"
"""
"""What is older than a minute goes, so that tables can be seen to stay flat."""

MIX = {"in_thread": 8, "in_loop": 3, "in_child": 1}
"""Runs that are asked for in a second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("sqlite", "postgres", "mariadb"), default="sqlite")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=30.0, help="seconds between faults; 0 is none at all")
    parser.add_argument("--rate", type=float, default=1.0, help="how many times the usual load")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, a_store(options.store, Path(name)) as (url, line, server):
        soak = Soak(Path(name), url=url, line=line, server=server, luck=random.Random(options.seed))
        try:
            problems = soak.run(seconds=options.minutes * 60, every=options.every, rate=options.rate)
        finally:
            soak.close()
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print(f"{options.store}, seed {options.seed}: {'NOT WELL' if problems else 'nothing lost, nothing doubled'}")
    sys.exit(1 if problems else 0)


@contextmanager
def a_store(kind: str, folder: Path) -> Iterator[tuple[str, Proxy | None, Server | None]]:
    """Yield the URL of a store, the proxy in front of it and its server, where there are any."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'rota.db'}", None, None
        return
    with servers.session() as directory, ExitStack() as held:
        running = servers.running(directory, kind)
        server = Server(kind, directory, running)
        held.callback(server.close)
        yield running.create_database(), held.enter_context(proxy(running.port)), server


class Load:
    """Asks for runs all the time, each until it is acknowledged, as an application does that must not lose one."""

    def __init__(self, store: Store, *, luck: random.Random, rate: float) -> None:
        self.acknowledged: list[str] = []
        self.repeated = 0
        self._store = store
        self._luck = luck
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the load does not end"

    def _work(self) -> None:
        clock, owed = SystemClock(), dict.fromkeys(MIX, 0.0)
        while not self._over.wait(0.5):
            batch = []
            for job, number in MIX.items():
                owed[job] += number * self._rate * 0.5
                while owed[job] >= 1:
                    owed[job] -= 1
                    batch.append(self._run(job, clock))
            self._ask(batch, clock)

    def _run(self, job: str, clock: SystemClock) -> Run:
        seconds = self._luck.choice([0.0, 0.01, 0.1, 1.0]) if job != "in_child" else self._luck.uniform(0.1, 3.0)
        args = msgspec.json.encode({"args": [], "kwargs": {"seconds": seconds}}).decode()
        return Run(id=clock.new_id(), job=job, args=args, due_at=clock.now(), created_at=clock.now(), max_attempts=1)

    def _ask(self, batch: list[Run], clock: SystemClock) -> None:
        while batch:
            try:
                self._store.enqueue(batch, now=clock.now())
            except StoreUnavailable:
                # It may have been written: the ids see to it that it is not written again.
                self.repeated += 1
                sleep(0.2)
                continue
            self.acknowledged += [run.id for run in batch]
            return


class Gauges:
    """Memory and descriptors of the tree that is left alone, and the sizes of the tables, over time."""

    def __init__(self, tree: Tree, url: str) -> None:
        self._tree = tree
        self._url = make_url(url)
        self._engine: Engine = create_engine(self._url, poolclass=NullPool)
        self._began = monotonic()
        self.taken: list[dict[str, float]] = []

    def take(self) -> None:
        pids = [self._tree.process.pid, *self._tree.workers()]
        try:
            sample = self._tables()
        # The server may be away at this moment.
        except Exception as error:  # noqa: BLE001
            print(f"        no figures: {type(error).__name__}", flush=True)
            return
        sample["processes"] = len(pids)
        sample["rss"] = sum(resident_mb(pid) for pid in pids)
        sample["descriptors"] = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)
        sample["all_processes"] = len(family(os.getpid())) - 1
        self.taken.append(sample)
        print(f"{monotonic() - self._began:7.0f} s " + " ".join(f"{name}={value:g}" for name, value in sample.items()))
        sys.stdout.flush()

    def _tables(self) -> dict[str, float]:
        with self._engine.connect() as connection:
            names = [name for name in inspect(connection).get_table_names() if name.startswith("rota_")]
            rows = {
                name.removeprefix("rota_"): float(connection.execute(text(f"SELECT COUNT(*) FROM {name}")).scalar_one())
                for name in names
            }
            match self._url.get_backend_name():
                case "sqlite":
                    # And what has not been written back to it yet.
                    size = sum(file.stat().st_size for file in Path(f"{self._url.database}").parent.glob("rota.db*"))
                case "postgresql":
                    size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
                case _:
                    size = connection.execute(
                        text("SELECT SUM(data_length + index_length) FROM information_schema.tables "
                             "WHERE table_schema = DATABASE()")
                    ).scalar_one()  # fmt: skip
        return {name: count for name, count in rows.items() if count} | {"store_mb": round(float(size) / (1 << 20), 1)}

    def problems(self) -> list[str]:
        """Return what grew from the third quarter to the last: by then all is warm, and old rows have been deleted."""
        rest = self.taken[len(self.taken) // 2 :]
        early, late = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        if len(early) < 3:
            return []
        found = []
        for name, factor, slack in (
            ("rss", 1.05, 4), ("descriptors", 1.0, 6), ("runs", 1.25, 300), ("attempts", 1.25, 300),
            ("log_chunks", 1.25, 300), ("rounds", 1.25, 100), ("workers", 1.0, 4), ("store_mb", 1.25, 4),
        ):  # fmt: skip
            # Of descriptors the fewest: how many runs are under way at a moment is chance.
            sum_up = min if name == "descriptors" else median
            before = sum_up(sample.get(name, 0.0) for sample in early)
            after = sum_up(sample.get(name, 0.0) for sample in late)
            print(f"{name}: third quarter {before:g}, last quarter {after:g}")
            if after > before * factor + slack:
                found.append(f"{name} grew from {before:g} to {after:g}")
        return found


def resident_mb(pid: int) -> float:
    """Return the memory that a process holds, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20), 1)


def has_traceback(logs: str) -> bool:
    """Return whether something went wrong that nobody expected."""
    # The pool shows one for each connection that it takes back dead, when the server was restarted.
    return any("Traceback" in line and '"sqlalchemy.pool' not in line for line in logs.splitlines())


class Soak:
    """One soak: trees, load, faults and figures."""

    def __init__(
        self, folder: Path, *, url: str, line: Proxy | None, server: Server | None, luck: random.Random
    ) -> None:
        self._url = url
        self._luck = luck
        self._line = line
        self._server = server
        self._mark = f"{os.getpid()}-{luck.random()}"
        self._store = open_store(url)
        self._store.setup()
        far = url if line is None else make_url(url).set(port=line.port).render_as_string(hide_password=False)
        journal = folder / "journal"
        Path(f"{journal}-locks").write_bytes(b"")
        self._site = Site(folder, url=far, jobs=JOBS.format(journal=str(journal)), settings=SETTINGS)
        self._trees = [Tree(self._site, name, mark=self._mark) for name in ("hit-1", "hit-2", "calm")]
        self._gauges = Gauges(self._trees[-1], url)

    def run(self, *, seconds: float, every: float, rate: float) -> list[str]:
        """Soak for so long, and return what is wrong, in words."""
        sleep(3)
        havoc = Havoc(self._trees, luck=self._luck, children=self._children, line=self._line, server=self._server)
        load = Load(self._store, luck=random.Random(self._luck.random()), rate=rate)
        began, struck_at = monotonic(), monotonic()
        while monotonic() - began < seconds:
            sleep(max(min(every or 10.0, 10.0) - (monotonic() - struck_at) % 10.0, 0.5))
            self._gauges.take()
            if every and monotonic() - struck_at >= every:
                struck_at = monotonic()
                print(f"{monotonic() - began:7.0f} s {havoc.strike()}", flush=True)
        load.end()
        problems = self._finish(havoc)
        verdict = judge(self._site.journal_file, acknowledged=load.acknowledged, faults=havoc.faults)
        counts = Counter(fault.what for fault in havoc.faults)
        print(f"faults: {sum(counts.values())} {dict(counts)}")
        print(
            f"asked for {len(load.acknowledged)} (asked again {load.repeated} times); runs {verdict.runs}, starts "
            f"{verdict.starts}, begun again after a fault {verdict.repeated}, executed twice at once "
            f"{verdict.overlaps} (of a frozen worker {verdict.excused_overlaps}), slots of tenants {verdict.slots}; "
            f"last process of a killed tree gone after {havoc.slowest_end:.2f} s at most"
        )
        if havoc.slowest_end > 5.0 + 3.0:
            problems.append(f"a process lived on for {havoc.slowest_end:.1f} s after its supervisor")
        return problems + verdict.problems + self._gauges.problems()

    def _finish(self, havoc: Havoc) -> list[str]:
        """Drain all, let one do what is left, and look for what should not be there."""
        problems: list[str] = []
        if any(codes := havoc.end()):
            problems.append(f"the trees ended with {codes}")
        if orphans := self._orphans():
            problems.append(f"{len(orphans)} orphans: {orphans}")
        if traceback := [tree.name for tree in self._trees if has_traceback(tree.logs())]:
            problems.append(f"tracebacks in the logs of {traceback}: {self._keep_logs()}")
        with self._site.started("--only", "worker") as process:
            ends = monotonic() + 90
            while (
                left := self._store.runs(RunQuery(states=tuple(OPEN), kind=None, limit=1000))
            ) and monotonic() < ends:
                sleep(0.2)
            end(process)
        problems += [f"run {run.id} of {run.job} is still {run.state}" for run in left[:5]]
        failed = self._store.runs(RunQuery(states=(State.FAILED, State.CANCELLED), kind=None, limit=1000))
        problems += [f"run {run.id} of {run.job} {run.state}: {run.error or run.reason}" for run in failed[:5]]
        return problems

    def _keep_logs(self) -> str:
        kept = Path(tempfile.mkdtemp(prefix="rota-soak-"))
        for tree in self._trees:
            (kept / tree.name).write_text(tree.logs())
        return str(kept)

    def _orphans(self) -> list[int]:
        ends = monotonic() + 5
        while (left := marked(self._mark)) and monotonic() < ends:
            sleep(0.1)
        return left

    def _children(self) -> list[int]:
        """Return the child processes that execute a job now, by the journal."""
        ended = {(line["run"], line["token"]) for line in self._site.journal(event="end")}
        started = self._site.journal(event="start", executor="process")
        return [line["pid"] for line in started if (line["run"], line["token"]) not in ended and is_alive(line["pid"])]

    def close(self) -> None:
        for pid in marked(self._mark):
            os.kill(pid, 9)
        self._store.close()


if __name__ == "__main__":
    main()
