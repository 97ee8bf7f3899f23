"""PGQueuer on PostgreSQL, through asyncpg as its documentation begins."""

import asyncio
import os
import sys

import asyncpg
import notes
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

URL = os.environ["PEERS_URL"]


async def work(batch: int) -> None:
    """Be a worker process."""
    pgq = PgQueuer(AsyncpgDriver(await asyncpg.connect(URL)))

    @pgq.entrypoint("nothing")
    async def nothing(job: Job) -> None:  # noqa: ARG001  it is called with one
        notes.nothing()

    @pgq.entrypoint("arrive")
    async def arrive(job: Job) -> None:
        notes.arrive(float(job.payload or b"0"))

    @pgq.entrypoint("slow")
    async def slow(job: Job) -> None:
        await asyncio.sleep(notes.SLOW_S)
        notes.note(f"{int(job.payload or b'0')}\n")

    # Without a bound it takes on all that there is. It wants at least two batches.
    if at_once := int(os.environ["PEERS_AT_ONCE"]):
        await pgq.run(batch_size=min(batch, at_once // 2), max_concurrent_tasks=at_once)
    else:
        await pgq.run(batch_size=batch)


def enqueue() -> None:
    loop = asyncio.new_event_loop()
    queries = Queries(AsyncpgDriver(loop.run_until_complete(asyncpg.connect(URL))))

    def send(name: str, payload: object = "") -> None:
        loop.run_until_complete(queries.enqueue(name, str(payload).encode()))

    def send_many(number: int) -> None:
        for start in range(0, number, 1_000):
            size = min(1_000, number - start)
            loop.run_until_complete(queries.enqueue(["nothing"] * size, [None] * size, [0] * size))

    notes.main(
        send_nothing=lambda: send("nothing"),
        send_arrive=lambda sent_at: send("arrive", sent_at),
        send_slow=lambda number: send("slow", number),
        send_many=send_many,
        set_up=lambda: loop.run_until_complete(queries.install()),
    )


if __name__ == "__main__":
    if sys.argv[1] == "work":
        asyncio.run(work(int(sys.argv[2])))
    else:
        enqueue()
