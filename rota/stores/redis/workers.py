"""Who works."""

import msgspec

from rota.core.model import WorkerRecord
from rota.stores.redis.mapping import worker_beat, worker_of
from rota.stores.redis.records import WorkerBeat
from rota.stores.redis.server import Server

_beat = msgspec.msgpack.Decoder(WorkerBeat)


def register(server: Server, worker: WorkerRecord) -> None:
    """Record a worker over what was there."""
    server.call("register", {"id": worker.id, "beat": worker_beat(worker)})


def deregister(server: Server, worker: str) -> None:
    """Forget a worker."""
    server.ask("HDEL", server.key("workers"), worker)


def every(server: Server) -> list[WorkerRecord]:
    """Return the known workers, longest started first."""
    found = [worker_of(_beat.decode(kept)) for kept in server.ask("HVALS", server.key("workers"))]
    return sorted(found, key=lambda worker: (worker.started_at, worker.id))
