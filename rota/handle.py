"""What an enqueue returns: a run to ask after."""

from collections.abc import Callable
from datetime import timedelta

from rota.clock import Clock
from rota.core.codec import decode
from rota.core.model import Run, State
from rota.errors import RunFailed, RunNotFound, WaitTimedOut
from rota.ports import Store


class RunHandle:
    """A run by its id. Every question goes to the store."""

    def __init__(self, run_id: str, store: Callable[[], Store], clock: Clock) -> None:
        self.id = run_id
        self._store = store
        self._clock = clock

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunHandle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def refresh(self) -> Run:
        """Return the run as it is now.

        Raises:
            RunNotFound: retention has pruned it.
            StoreIsBlackHole: the store keeps nothing.
        """
        history = self._store().run(self.id)
        if history is None:
            raise RunNotFound(self.id)
        return history.run

    @property
    def state(self) -> State:
        return self.refresh().state

    def wait(self, timeout: timedelta | None = None) -> Run:
        """Return the run once it is final.

        Raises:
            WaitTimedOut: it is not, after `timeout`; the run goes on.
        """
        ends = None if timeout is None else self._clock.monotonic() + timeout.total_seconds()
        pause = timedelta(milliseconds=2)
        while not (run := self.refresh()).state.is_final:
            if ends is not None and self._clock.monotonic() >= ends:
                raise WaitTimedOut(f"run {self.id} is still {run.state} after {timeout}")
            self._clock.sleep(pause)
            pause = min(pause * 1.5, timedelta(milliseconds=200))
        return run

    def result(self, timeout: timedelta | None = None) -> object:
        """Return what the job returned, once it has.

        Raises:
            RunFailed: the run ended otherwise.
            WaitTimedOut: it has not ended after `timeout`.
        """
        run = self.wait(timeout)
        if run.state is not State.SUCCEEDED:
            raise RunFailed(run.id, state=run.state, error=run.error.first_line if run.error else run.reason)
        return None if run.result is None else decode(run.result)

    def cancel(self, *, reason: str = "cancelled by its enqueuer") -> bool:
        """Cancel the run, or ask it to stop if it is running; return whether it was still open."""
        return bool(self._store().cancel([self.id], now=self._clock.now(), reason=reason))
