"""What a run costs in a child process: fresh for each run, and kept for the next."""

import sys
from datetime import UTC, datetime
from statistics import median, quantiles
from time import perf_counter

from rota import Rota
from rota.calls import Brief
from rota.clock import SystemClock
from rota.context import StopSignal
from rota.core.model import Run
from rota.executors.process import ProcessChildren
from rota.place import place_of

app = Rota("memory://")

RUNS = 200


@app.job()
def nothing() -> None:
    """Do nothing: what is measured is the way there and back."""


def took(children: ProcessChildren, clock: SystemClock) -> float:
    """Return the milliseconds of one run."""
    now = datetime.now(UTC)
    brief = Brief(run=Run(id=clock.new_id(), job="nothing", due_at=now, created_at=now))
    started = perf_counter()
    ending = children.execute(app.jobs["nothing"].job, brief, stop=StopSignal(), started_at=now)
    if ending.error is not None:
        sys.exit(ending.error.first_line)
    return (perf_counter() - started) * 1000


def main() -> None:
    clock = SystemClock()
    preload = ("sqlalchemy",)
    for name, runs_per_child, most_ms in (("warm", 1_000_000, 3), ("fresh", 1, 40)):
        children = ProcessChildren(
            place=place_of(app),
            clock=clock,
            hear_line=lambda *_: None,
            hear_progress=lambda *_: None,
            enqueue=lambda runs: [run.id for run in runs],
            preload=preload,
            max_runs_per_child=runs_per_child,
        )
        try:
            first = took(children, clock)
            times = [took(children, clock) for _ in range(RUNS)]
        finally:
            children.close()
        p95 = quantiles(times, n=20)[-1]
        print(
            f"{name} child: median {median(times):.2f} ms, p95 {p95:.2f} ms (under {most_ms} ms); first {first:.0f} ms"
        )


if __name__ == "__main__":
    main()
