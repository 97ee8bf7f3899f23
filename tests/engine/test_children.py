"""Runs of process jobs, as the worker sees them: whatever its children's side does, each comes to an end."""

from rota import Retry, Rota
from rota.core.model import Outcome, State
from tests.system.processes import wait_until

app = Rota("memory://")


@app.job(executor="process", retry=Retry(attempts=1))
def work() -> None: ...


class Broken:
    """Children with a fault of our own."""

    def execute(self, *_arguments, **_options):
        raise TypeError("Size in a frame")

    def close(self):
        pass


def test_a_fault_of_our_own_fails_the_attempt_and_keeps_the_place():  # R21, F1
    handles = [work.enqueue() for _ in range(3)]
    crew = app.crew(places=1)
    crew.worker._bench.children = Broken()
    try:
        wait_until(lambda: crew.worker.tick(app.clock.now()) and all_over(handles), what="the end of all runs")
    finally:
        for executor in crew._executors:
            executor.close()

    for handle in handles:
        run = app.store.run(handle.id).run
        assert (run.state, run.outcome, run.error.message) == (State.FAILED, Outcome.FAILED, "Size in a frame")


def all_over(handles):
    return all(app.store.run(handle.id).run.state.is_final for handle in handles)
