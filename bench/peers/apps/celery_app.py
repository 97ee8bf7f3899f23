"""Celery on Redis."""

import os

import notes
from celery import Celery

app = Celery("celery_app", broker=os.environ["PEERS_URL"])
if os.environ.get("PEERS_TUNED"):
    # Its guide "Optimizing": reserve many small tasks at once, keep no results.
    app.conf.update(worker_prefetch_multiplier=128, task_ignore_result=True, worker_disable_rate_limits=True)

nothing = app.task(name="nothing")(notes.nothing)
arrive = app.task(name="arrive")(notes.arrive)
slow = app.task(name="slow")(notes.slow)

if __name__ == "__main__":
    notes.main(send_nothing=nothing.delay, send_arrive=arrive.delay, send_slow=slow.delay)
