"""RQ on Redis."""

import os

import notes
from redis import Redis
from rq import Queue

queue = Queue(connection=Redis.from_url(os.environ["PEERS_URL"]))

if __name__ == "__main__":
    notes.main(
        send_nothing=lambda: queue.enqueue(notes.nothing),
        send_arrive=lambda sent_at: queue.enqueue(notes.arrive, sent_at),
        send_slow=lambda number: queue.enqueue(notes.slow, number),
    )
