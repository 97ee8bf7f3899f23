"""How often the bodies of 100,000 runs start when nothing goes wrong: once each, or it says so and ends with 1.

python -m bench.starts sqlite
python -m bench.starts postgres 100000

Real worker processes of two supervisors; each body appends its run's id to a file. Of a hundred runs, one is executed
in a child process that is kept, a third on an event loop and the rest in threads.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import msgspec

from bench.drain import a_store_url
from rota.clock import SystemClock
from rota.core.model import OPEN, Run
from rota.queries import RunQuery
from rota.stores import open_store
from tests.system.processes import Site, end

JOBS = """
out = os.open({starts!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


@app.job(retry=Retry(attempts=3))
def in_thread(ctx: RunContext) -> None:
    os.write(out, ctx.run_id.encode() + b"\\n")


@app.job(retry=Retry(attempts=3))
async def in_loop(ctx: RunContext) -> None:
    os.write(out, ctx.run_id.encode() + b"\\n")


@app.job(retry=Retry(attempts=3), executor="process")
def in_child(ctx: RunContext) -> None:
    os.write(out, ctx.run_id.encode() + b"\\n")
"""
SETTINGS = """
[worker]
processes = 2
max_runs_per_child = 1000
"""


def job_of(number: int) -> str:
    if number % 100 == 0:
        return "in_child"
    return "in_loop" if number % 3 == 0 else "in_thread"


def main() -> None:
    kind = sys.argv[1] if len(sys.argv) > 1 else "sqlite"
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    clock = SystemClock()
    with a_store_url(kind) as url, tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        starts = Path(folder) / "starts"
        store = open_store(url)
        store.setup()
        site = Site(Path(folder), url=url, jobs=JOBS.format(starts=str(starts)), settings=SETTINGS)
        args = msgspec.json.encode({"args": [], "kwargs": {}}).decode()
        asked = [
            Run(id=clock.new_id(), job=job_of(one), args=args, due_at=clock.now(), created_at=clock.now())
            for one in range(number)
        ]
        for start in range(0, number, 5_000):
            store.enqueue(asked[start : start + 5_000], now=clock.now())
        began = monotonic()
        processes: list[subprocess.Popen[str]] = [held.enter_context(site.started()) for _ in range(2)]
        while store.runs(RunQuery(states=tuple(OPEN), limit=1)):
            sleep(1)
        took = monotonic() - began
        codes = [end(process) for process in processes]
        counts = Counter(starts.read_text().split())
        store.close()
    never, doubled = sum(1 for run in asked if not counts[run.id]), sum(1 for times in counts.values() if times > 1)
    print(
        f"{kind}: {number} runs, {sum(counts.values())} body starts, {never} never started, {doubled} started more "
        f"than once; {number / took:,.0f} runs/s with four worker processes; exit codes {codes}"
    )
    sys.exit(1 if never or doubled or any(codes) else 0)


if __name__ == "__main__":
    main()
