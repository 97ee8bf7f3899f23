"""What a flood of triggers does to a server that takes no more than may wait (T59).

python -m bench.flood sqlite
python -m bench.flood postgres --triggers 100000

Nobody works the runs off. What is taken has to be stored, what is refused has to leave nothing, and the server has to
be as big after it as before.
"""

import argparse
import asyncio
import time
from collections import Counter
from pathlib import Path

from bench.drain import a_store
from bench.http import CONNECTIONS, Line, a_server, request_of
from rota.core.model import State
from rota.stores import open_store

MOST = 10_000
SETTINGS = f"[web]\nmost_queued = {MOST}\nrate = 1000000\n"


def megabytes(pid: int) -> float:
    """Return how much memory a process has."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def flood(port: int, request: bytes, triggers: int) -> Counter[int]:
    """Ask so often, as fast as answers come on all lines; return how often each status came."""
    loop = asyncio.get_running_loop()
    left, told = iter(range(triggers)), Counter[int]()

    async def work() -> None:
        line = (await loop.create_connection(Line, "127.0.0.1", port))[1]
        for _ in left:
            told[await line.ask(request)] += 1

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return told


def main() -> None:
    """Flood, and print what came of it."""
    asked = argparse.ArgumentParser()
    asked.add_argument("store", nargs="?", default="sqlite", choices=["sqlite", "postgres", "mariadb", "redis"])
    asked.add_argument("--triggers", type=int, default=100_000)
    given = asked.parse_args()
    request = request_of("POST", "/scheduler/run/greet", b'{"args":{"name":"ana"}}')
    with a_store(given.store) as (url, _), a_server(url, settings=SETTINGS) as (pid, port):
        asyncio.run(flood(port, request, 500))
        before, began = megabytes(pid), time.perf_counter()
        told = asyncio.run(flood(port, request, given.triggers))
        took, after = time.perf_counter() - began, megabytes(pid)
        store = open_store(url)
        waiting = sum(states.get(State.QUEUED, 0) for states in store.counts().by_queue.values())
        store.close()
    statuses = ", ".join(f"{number:,} with {status}" for status, number in sorted(told.items()))
    print(f"{given.store}: {given.triggers:,} triggers in {took:.0f} s: {statuses}")
    print(f"{waiting:,} runs stored of {MOST:,} that may wait; the server had {before:.0f} MB and has {after:.0f}")
    if waiting != 500 + told[202] or waiting > MOST or set(told) - {202, 503}:
        raise SystemExit("that is not right")


if __name__ == "__main__":
    main()
