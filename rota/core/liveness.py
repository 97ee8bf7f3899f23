"""Which loops of a process do not come round, though it lives (R52)."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from rota.core.model import WorkerRecord

LATE = 3
"""A loop that took so many times its usual time is late."""

USUAL: Mapping[str, timedelta] = MappingProxyType(
    {
        "worker": timedelta(seconds=1),
        "waiter": timedelta(seconds=1),
        "timekeeper": timedelta(seconds=1),
        "handover": timedelta(seconds=1),
        "station": timedelta(seconds=1),
        "lag": timedelta(seconds=1),
        "surroundings": timedelta(seconds=1),
        "neighbours": timedelta(seconds=5),
        "rescuer": timedelta(seconds=5),
        "promoter": timedelta(seconds=1),
        "closer": timedelta(seconds=1),
        "standing": timedelta(seconds=1),
        "gatekeeper": timedelta(seconds=1),
        "circuits": timedelta(seconds=1),
        "flows": timedelta(seconds=2),
        "limiter": timedelta(seconds=1),
        "prober": timedelta(seconds=1),
        "campaigns": timedelta(seconds=1),
        "onces": timedelta(seconds=5),
        "cloudwatch": timedelta(minutes=1),
        "resumer": timedelta(seconds=15),
        "confirmer": timedelta(minutes=1),
        "pruner": timedelta(minutes=10),
        "rulebook": timedelta(seconds=15),
        "chronicle": timedelta(seconds=10),
        "dead_man": timedelta(seconds=15),
        "alerter": timedelta(seconds=2),
    }
)
"""How long each loop is away at most when all is well; others are a matter of settings, and those that send alerts are
away for as long as their channels take: a channel that is slow is no reason for another alert."""


def is_late(worker: WorkerRecord, name: str, usual: Mapping[str, timedelta], *, heartbeat: timedelta) -> bool:
    """Whether a loop should have come round again before its worker's last heartbeat.

    Against that, which brought the stamp: how long that is ago says nothing of the loop. And by heartbeats at least,
    since a loop is not seen more often.
    """
    away = worker.last_seen - worker.stamps[name]
    return name in usual and away > LATE * max(usual[name], heartbeat)


def late_loops(worker: WorkerRecord, usual: Mapping[str, timedelta], *, heartbeat: timedelta) -> list[str]:
    """Return the names of the loops that are late, sorted."""
    return [name for name in sorted(worker.stamps) if is_late(worker, name, usual, heartbeat=heartbeat)]
