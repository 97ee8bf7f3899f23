"""What the HTTP door carries: requests a second of one server process, and how long they take at half of the target.

python -m bench.http sqlite
python -m bench.http postgres --seconds 10

The client is a process on the same cores. Its share of processor time is printed beside the server's: on two cores what
it takes is taken from the server. On a machine that does other things as well, read the processor time per request: the
server computes in one thread at a time, so with a core of its own it can do 1,000,000 us divided by that a second.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.drain import a_store
from rota.access.keys import Algorithm, Key
from rota.access.tokens import sign

SECRET = "a-secret-of-more-than-thirty-two-bytes-for-a-measurement"
CONNECTIONS = 32

APP = """
from rota import Overlap, Rota

app = Rota({url!r})


@app.job(overlap=Overlap.ALLOW)
def greet(name: str) -> None: ...
"""

QUESTIONS: dict[str, tuple[str, str, bytes, int]] = {
    "GET /healthz": ("GET", "/healthz", b"", 5000),
    "POST /api/v1/runs": ("POST", "/api/v1/runs", b'{"job":"greet","args":{"name":"ana"}}', 1500),
    "POST /scheduler/run/greet": ("POST", "/scheduler/run/greet", b'{"args":{"name":"ana"}}', 1500),
}


class Line(asyncio.Protocol):
    """One connection that is kept: sends a request, waits for its answer."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answered: asyncio.Future[int] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length and self._answered is not None:
            self._buffer, answered = b"", self._answered
            answered.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("closed"))

    async def ask(self, request: bytes) -> int:
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered


class Measured(msgspec.Struct):
    """What one kind of request came to."""

    number: int
    seconds: float
    times_ms: list[float]
    failed: int

    def at(self, share: float) -> float:
        return sorted(self.times_ms)[min(int(len(self.times_ms) * share), len(self.times_ms) - 1)]


async def measure(port: int, request: bytes, *, seconds: float, rate: int | None) -> Measured:
    """Ask for so long: as fast as answers come on all lines, or so many a second, whatever the answers do."""
    loop = asyncio.get_running_loop()
    lines = [(await loop.create_connection(Line, "127.0.0.1", port))[1] for _ in range(CONNECTIONS)]
    times: list[float] = []
    failed = 0
    began = time.perf_counter()

    async def one(line: Line, due: float) -> None:
        nonlocal failed
        failed += await line.ask(request) >= 400
        times.append((time.perf_counter() - due) * 1000)

    async def work(line: Line) -> None:
        while time.perf_counter() - began < seconds:
            await one(line, time.perf_counter())

    if rate is None:
        await asyncio.gather(*map(work, lines))
    else:
        free: asyncio.Queue[Line] = asyncio.Queue()
        for line in lines:
            free.put_nowait(line)

        async def timed(due: float) -> None:
            # What waits for a line counts as well: nobody out there waits with asking because others are slow.
            line = await free.get()
            await one(line, due)
            free.put_nowait(line)

        asked = []
        for number in range(int(rate * seconds)):
            due = began + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            asked.append(asyncio.create_task(timed(due)))
        await asyncio.gather(*asked)
    return Measured(number=len(times), seconds=time.perf_counter() - began, times_ms=times, failed=failed)


def used(pid: int) -> float:
    """Return seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def a_server(url: str, *, settings: str = "") -> Iterator[tuple[int, int]]:
    """Serve an application over a store; give the process id and the port. `settings`: lines of rota.toml."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "app.py").write_text(APP.format(url=url))
        (place / "secret").write_text(SECRET)
        (place / "rota.toml").write_text(
            'app = "app:app"\n[store]\nmigrate = "auto"\n[auth]\nsecret_file = "secret"\n' + settings
        )
        environment = {**os.environ, "PYTHONPATH": f"{Path.cwd()}:{folder}"}
        command = [sys.executable, "-m", "rota", "serve", "--port", "0"]
        with (place / "log").open("w+") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
            try:
                yield process.pid, _port(place / "log", process)
            finally:
                process.terminate()
                process.wait(30)


def _port(log: Path, process: "subprocess.Popen[bytes]") -> int:
    for _ in range(600):
        found = re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())
        if found:
            return int(found[1])
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"the server did not start:\n{log.read_text()}")


def token() -> str:
    now = int(time.time())
    claims = {
        "sub": "bench",
        "aud": "rota",
        "iat": now,
        "exp": now + 3600,
        "scope": "admin",
        "jobs": ["*"],
        "tenants": "*",
    }
    return sign(claims, Key(algorithm=Algorithm.HS256, material=SECRET.encode()))


def request_of(method: str, target: str, body: bytes) -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    if body:
        head += f"Authorization: Bearer {token()}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


def report(name: str, pid: int, port: int, request: bytes, *, seconds: float, rate: int | None) -> None:
    before, mine = used(pid), time.process_time()
    told = asyncio.run(measure(port, request, seconds=seconds, rate=rate))
    server, client = used(pid) - before, time.process_time() - mine
    print(
        f"{name:28} {'as fast as it goes' if rate is None else f'at {rate}/s':18} "
        f"{told.number / told.seconds:7.0f}/s  p50 {told.at(0.5):6.1f}  p99 {told.at(0.99):6.1f} ms  "
        f"server {server / told.number * 1e6:5.0f} us a request ({server / told.seconds:4.0%} of a core)  "
        f"client {client / told.number * 1e6:4.0f} us" + (f"  FAILED {told.failed}" if told.failed else ""),
        flush=True,
    )


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("store", nargs="?", default="sqlite", choices=["sqlite", "postgres", "mariadb", "redis"])
    asked.add_argument("--seconds", type=float, default=5.0)
    asked.add_argument("--only", default="")
    given = asked.parse_args()
    with a_store(given.store) as (url, _), a_server(url) as (pid, port):
        for name, (method, target, body, goal) in QUESTIONS.items():
            if given.only in name:
                request = request_of(method, target, body)
                asyncio.run(measure(port, request, seconds=0.5, rate=None))
                report(name, pid, port, request, seconds=given.seconds, rate=None)
                report(name, pid, port, request, seconds=given.seconds, rate=goal // 2)


if __name__ == "__main__":
    main()
