"""Rota, as its README has it."""

import os

import notes

from rota import Rota

rota = Rota(os.environ["PEERS_URL"])
nothing = rota.job()(notes.nothing)
arrive = rota.job()(notes.arrive)
slow = rota.job()(notes.slow)


def send_many(number: int) -> None:
    for start in range(0, number, 1_000):
        nothing.enqueue_many([()] * min(1_000, number - start))


if __name__ == "__main__":
    notes.main(
        send_nothing=nothing.enqueue,
        send_arrive=arrive.enqueue,
        send_slow=slow.enqueue,
        send_many=send_many,
        set_up=lambda: rota.open_store().setup(),
    )
