"""Which process this is, and whether another one of this host still lives."""

import os
from datetime import datetime
from pathlib import Path

from rota.core.model import WorkerRecord


def host_name() -> str:
    return os.uname().nodename


def boot_id() -> str:
    """Return what tells this boot of the host, and this container, from any other; empty where nothing does."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        # Process ids mean something only within their namespace.
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def process_started(pid: int) -> str:
    """Return the start time of a process in clock ticks since boot, as the kernel tells it; empty if there is none.

    A pid alone may be somebody else's by now.
    """
    return (_stat(pid) or [""] * 20)[19]


def _stat(pid: int) -> list[str]:
    """Return what the kernel tells of a process, from its state on; nothing if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The command's name, in parentheses, may hold blanks and parentheses itself.
    return stat.rpartition(")")[2].split()


def is_dead_neighbour(worker: WorkerRecord) -> bool:
    """Whether this worker ran on this host and its process is gone for certain."""
    boot = boot_id()
    if not boot or worker.host != host_name():
        return False
    kernel, _, namespace = boot.partition("/")
    its_kernel, _, its_namespace = worker.boot_id.partition("/")
    if kernel != its_kernel:
        # Same host name, another boot: hosts may share a name, so only a lease tells.
        return False
    return namespace == its_namespace and _is_gone(worker.pid, worker.pid_started)


def _is_gone(pid: int, started: str) -> bool:
    if _stat(pid)[:1] == ["Z"]:
        # It is dead, and nobody has asked how: so it stays in a container whose first process reaps no orphans.
        return True
    now_started = process_started(pid)
    if now_started:
        return now_started != started
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        # Another user's process, which /proc may hide (hidepid): it lives.
        return False
    return False


def this_worker(worker_id: str, *, version: str, queues: dict[str, int], places: int, now: datetime) -> WorkerRecord:
    """Return the record of this process."""
    pid = os.getpid()
    return WorkerRecord(
        id=worker_id,
        host=host_name(),
        boot_id=boot_id(),
        pid=pid,
        pid_started=process_started(pid),
        version=version,
        queues=queues,
        places=places,
        started_at=now,
        last_seen=now,
    )
