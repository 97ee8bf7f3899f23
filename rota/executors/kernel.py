"""What the process tree asks of Linux: who descends from whom, who dies with whom, how much memory one holds."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

IS_SUPPORTED = sys.platform == "linux"


def become_subreaper() -> None:
    """Be the parent of every descendant whose own parent ends, whatever session it has made itself."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int, number: int) -> None:
    """Get this signal when `parent` ends; end now if it has ended already."""
    _prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(0)


def _prctl(option: int, argument: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {argument})")


def children(pid: int) -> list[int]:
    """Return the children of a process, zombies among them; none if it is not there."""
    if not _KERNEL_LISTS_CHILDREN:
        return _parents().get(pid, [])
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Return all that descend from a process, as far as their parents live, nearest first."""
    found = children(pid)
    for one in found:
        found += children(one)
    return found


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to each; one that is gone, or is somebody else's by now, is left alone."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_group(group: int, number: int) -> None:
    """Send a signal to a process group. Only for one whose leader is not reaped yet: its number is not reused."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 if it is not there."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def heap(pid: int) -> int:
    """Return the bytes that RLIMIT_DATA counts for a process."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _parents() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        with suppress(OSError, ValueError, IndexError):
            # The program's name may hold spaces and brackets; what follows the last one does not.
            fields = Path(f"/proc/{int(name)}/stat").read_text().rpartition(")")[2].split()
            found.setdefault(int(fields[1]), []).append(int(name))
    return found


_KERNEL_LISTS_CHILDREN = Path("/proc/thread-self/children").exists()
"""A build option of the kernel, which not all have. Looking through all processes costs milliseconds instead."""
