"""An application whose jobs do to their process what jobs do."""

import contextvars
import ctypes
import json
import locale
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
import warnings
from datetime import timedelta
from pathlib import Path

import structlog

from rota import Fail, Result, RetryLater, Rota, RunContext, Secret, Snooze, metrics
from rota.errors import Stopped
from rota.logs import run_facts

app = Rota("memory://", tenants=["acme", "globex"])
canary = contextvars.ContextVar("canary", default="unset")
log = logging.getLogger("shop.orders")


@app.job()
def nothing():
    pass


@app.job()
def pid():
    return os.getpid()


@app.job()
def add(one: int, other: int):
    return one + other


@app.job()
def environment():
    return {"names": dict(os.environ), "first": open("/proc/self/environ", errors="replace").read()}


@app.job()
def prints():
    print("to standard output")
    print("to standard error", file=sys.stderr)
    os.write(1, b"raw, without a line break")


@app.job()
def structured():
    structlog.configure(processors=[run_facts, structlog.processors.JSONRenderer()])
    structlog.get_logger().info("fetched", rows=3)


@app.job()
def tells(card: Secret[str], key: str):
    print(f"{card} and {key}")
    log.warning("%s", {"inner": json.dumps([card])})
    raise RuntimeError(f"refused {card}")


@app.job()
def logs(ctx: RunContext):
    log.warning("order %d is late", 7)
    ctx.log.info("for information")
    warnings.warn("old way", stacklevel=1)
    ctx.progress(3, 9)


@app.job()
def fails():
    raise LookupError("no such order")


@app.job()
def leaves(what: str):
    match what:
        case "exit":
            os._exit(3)
        case "sys.exit":
            sys.exit(4)
        case "segfault":
            ctypes.string_at(0)
        case "abort":
            os.abort()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "term":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        case "interrupt":
            raise KeyboardInterrupt
        case "kill guardian":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        case "stop guardian":
            os.kill(os.getppid(), signal.SIGSTOP)
            time.sleep(60)
        case "stop itself":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "garbage":
            for number in range(3, 100):
                if os.path.exists(f"/proc/self/fd/{number}") and stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.write(number, b"\x00\x00\x00\x05hello")
            time.sleep(60)
        case "close everything":
            os.closerange(0, 1000)
        case "fork":
            if os.fork() == 0:
                return "twice"
            os.wait()
            return "once"
    return None


class Unpicklable(Exception):
    def __init__(self, one, other):
        super().__init__(one, other)
        self.lock = threading.Lock()


class Speechless(Exception):
    def __str__(self):
        raise ValueError("no")


@app.job()
def raises(what: str):
    match what:
        case "needs arguments":
            raise Unpicklable(1, 2)
        case "speechless":
            raise Speechless
        case "huge":
            raise ValueError("x" * 50_000_000)
        case "surrogate":
            raise ValueError("name \udcff")


class TooMany(ConnectionError):
    retry_after = 120


class Trap(ValueError):
    @property
    def retry_after(self):
        raise SystemExit(3)


@app.job()
def struggles(what: str):
    match what:
        case "a built-in":
            raise ConnectionResetError
        case "asks":
            raise TooMany
        case "asks with a result":
            return Result(success=False, error=TooMany())
        case "later":
            raise RetryLater(timedelta(minutes=3), "the mail server is busy")
        case "says no":
            return Result(success=False, error="half of it")
        case "gives up":
            return Fail("no use")
        case "snoozes":
            return Snooze(timedelta(minutes=4))
        case "a trap":
            raise Trap


@app.job()
def returns(what: str):
    match what:
        case "100 MB":
            return "x" * 100_000_000
        case "cyclic":
            whole = []
            whole.append(whole)
            return whole
        case "generator":
            return (n for n in range(3))
        case "nan":
            return float("nan")
        case "deep":
            deep = []
            for _ in range(100_000):
                deep = [deep]
            return deep


@app.job()
def floods(kind: str, megabytes: int):
    piece = (b"x" * 999 + b"\n") * 1000 if kind == "lines" else b"x" * 1_000_000
    for _ in range(megabytes):
        written = 0
        while written < len(piece):
            written += os.write(1, piece[written:])
    return "done"


@app.job()
def breeds(journal: str, then: str):
    """Leave processes behind: a plain one, one in its own session, one forked twice; all ignore SIGTERM."""
    code = (
        "import os,signal,sys,time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "if sys.argv[2] == 'setsid': os.setsid()\n"
        "if sys.argv[2] == 'twice':\n"
        "    if os.fork(): os._exit(0)\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "d = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT); os.write(d, b'%d\\n' % os.getpid())\n"
        "time.sleep(300)\n"
    )
    for kind in ("plain", "setsid", "twice"):
        subprocess.Popen([sys.executable, "-c", code, journal, kind])
    while not os.path.exists(journal) or len(Path(journal).read_text().splitlines()) < 3:
        time.sleep(0.01)
    with open(journal, "a") as file:
        file.write(f"{os.getpid()}\n")
    if then == "ignore":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(300)
    if then == "die":
        os._exit(9)


@app.job()
def stops(stop_event, journal: str):
    stop_event.wait(60)
    with open(journal, "a") as file:
        file.write("stopped")
    return Result(success=False, error="half done", counts={"done": 2})


@app.job()
def sleeps(journal: str):
    open(journal + ".begun", "w").close()
    try:
        time.sleep(60)
    finally:
        with open(journal, "a") as file:
            file.write("cleaned up")


@app.job(executor="process")
def leaves_early(journal: str) -> None:
    open(journal + ".begun", "w").close()
    try:
        time.sleep(60)
    except Stopped:
        return


@app.job()
def stubborn(journal: str):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(journal + ".begun", "w").close()
    while True:
        time.sleep(60)


@app.job()
def changes(what: str):
    match what:
        case "folder":
            os.chdir("/")
        case "umask":
            os.umask(0o777)
        case "environment":
            os.environ["LEFT_BEHIND"] = "1"
        case "mask":
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        case "handler":
            signal.signal(signal.SIGUSR1, lambda *_: None)
        case "alarm":
            signal.alarm(1000)
        case "locale":
            now = locale.setlocale(locale.LC_ALL)
            for name in ("C.UTF-8", "C", "POSIX", "en_US.UTF-8"):
                locale.setlocale(locale.LC_ALL, name)
                if locale.setlocale(locale.LC_ALL) != now:
                    break
        case "thread":
            threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
        case "descriptor":
            os.open("/dev/null", os.O_RDONLY)
        case "process":
            subprocess.Popen(["sleep", "300"])
        case "context":
            canary.set("left behind")
        case "failure":
            raise ValueError("an error leaves nothing behind")
    return os.getpid()


@app.job()
def sees():
    return json.dumps([os.getcwd(), canary.get(), os.environ.get("LEFT_BEHIND")])


@app.job()
def allocates(megabytes: int):
    kept = [bytearray(1 << 20) for _ in range(megabytes)]
    return len(kept)


@app.job()
def fills():
    kept = globals()["kept"] = []
    size = 1 << 20
    while True:
        try:
            kept.append(bytearray(size))
        except MemoryError:
            if size == 1:
                raise
            size //= 2


@app.job()
def core_limit():
    return resource.getrlimit(resource.RLIMIT_CORE)


@app.job()
def chatters(journal: str):
    try:
        while True:
            # 60 KB as UTF-8: the kernel takes less than that in one piece.
            log.warning("\U0001f600" * 15_000)
    finally:
        Path(journal).write_text("cleaned up")


@app.job()
def keeps(megabytes: int):
    globals()["kept"] = bytearray(b"x") * (megabytes << 20)
    return os.getpid()


@app.job()
def burns():
    until = time.monotonic() + 30
    while time.monotonic() < until:
        pass


@app.job()
def asks(tenant: str):
    return pid.using(tenant=tenant, delay=timedelta(minutes=1)).enqueue().id


@app.job()
def asks_once(tenant: str):
    return pid.using(tenant=tenant, unique="one of them").enqueue().id


@app.job()
def reads_the_store():
    app.store.runs(None)


@app.job()
def counts(ctx: RunContext, number: int):
    for _ in range(number):
        ctx.count("rows", 2)
    ctx.count("rows", "no number")
    metrics.record_success("email_sync", "acme")
    metrics.record_failure("email_sync", "globex")
    return {"lines": 3}


@app.job(per_tenant=True)
def whose(ctx: RunContext):
    return ctx.tenant.id
