"""Dramatiq on Redis."""

import os

import dramatiq
import notes
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["PEERS_URL"]))

nothing = dramatiq.actor(notes.nothing)
arrive = dramatiq.actor(notes.arrive)
slow = dramatiq.actor(notes.slow)

if __name__ == "__main__":
    notes.main(send_nothing=nothing.send, send_arrive=arrive.send, send_slow=slow.send)
