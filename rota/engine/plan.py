"""What a process does, and its times."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct


class Plan(Struct, frozen=True, kw_only=True):
    """What a process does, and its times; defaults are those of the settings."""

    works: bool = True
    claims: bool = True
    """Whether it looks for work by itself. Else it has the runs that it is told to take over, see
    `Worker.take_over`."""
    schedules: bool = True
    watches: bool = True
    """Whether it looks out for what is stale and tells of what went wrong."""
    queues: Mapping[str, int]
    """How many runs of each queue are claimed at once at most; 0 leaves it to the places."""
    places: int = 8
    """Runs at once in threads and child processes."""
    coroutines: int = 500
    """Coroutine jobs at once, beside them."""
    lease: timedelta = timedelta(seconds=20)
    heartbeat: timedelta = timedelta(seconds=5)
    margin: timedelta = timedelta(seconds=7)
    drain: timedelta = timedelta(seconds=30)
    grace: timedelta = timedelta(seconds=30)
    """How long an attempt that is out of time or cancelled has to stop by itself."""
    kill_grace: timedelta = timedelta(seconds=5)
    """How long it has after that, and all that it has when its lease is lost or the process ends."""
    tick: timedelta = timedelta(seconds=1)
    keep_succeeded: timedelta = timedelta(days=30)
    keep_failed: timedelta = timedelta(days=90)
    keep_slots: timedelta = timedelta(days=7)
    keep_logs: timedelta = timedelta(days=14)
    keep_audit: timedelta = timedelta(days=365)
    keep_rollups: timedelta = timedelta(days=400)
    capture: bool = True
    """Whether what runs print and log is kept with them."""
    capture_level: str = "INFO"
    capture_bytes: int = 1 << 20
    version: str = ""
