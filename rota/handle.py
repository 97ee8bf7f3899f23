"""What an enqueue returns: a run to ask after."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

from rota.clock import Clock
from rota.core.codec import decode
from rota.core.duration import parse_duration
from rota.core.flow import MOST_STEPS, in_order
from rota.core.gates import flow_batch, flow_of
from rota.core.model import Run, State
from rota.errors import ConfigurationError, RunFailed, RunNotFound, WaitTimedOut
from rota.paging import every_run
from rota.ports import Store
from rota.queries import RunQuery
from rota.reopening import reopen

FIRST_PAUSE = timedelta(milliseconds=2)
LONGEST_PAUSE = timedelta(milliseconds=200)


class RunProgress(NamedTuple):
    """How far a run said that it has come, in units of its own."""

    done: int
    total: int | None


class RunHandle:
    """A run by its id. Every question goes to the store."""

    def __init__(self, run_id: str, store: Callable[[], Store], clock: Clock) -> None:
        self.id = run_id
        self.existed: bool = False
        """Whether this is another run than the one asked for: it has the key, so nothing was queued."""
        self._store = store
        self._clock = clock

    def __repr__(self) -> str:
        return f"<run {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunHandle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    # --- how it stands ---

    def refresh(self) -> Run:
        """Return the run as it is now.

        Raises:
            RunNotFound: retention has pruned it; or it waits for the commit of the transaction that it belongs to.
            StoreIsBlackHole: the store keeps nothing.
        """
        history = self._store().run(self.id)
        if history is None:
            raise RunNotFound(self.id)
        return history.run

    @property
    def state(self) -> State:
        return self.refresh().state

    @property
    def status(self) -> State:
        """The same as `state`, by the name that other queues have for it."""
        return self.state

    @property
    def progress(self) -> RunProgress | None:
        """How far it said that it has come; None as long as it has said nothing, see `ctx.progress`."""
        run = self.refresh()
        return None if run.done is None else RunProgress(run.done, run.total)

    @property
    def children(self) -> list["RunHandle"]:
        """The runs that come of it: the step of its flow right after it, then what its code enqueued, oldest first."""
        after = self._steps_after(self.refresh())
        enqueued = list(every_run(self._store(), RunQuery(parent=self.id)))[::-1]
        return [RunHandle(run.id, self._store, self._clock) for run in [*after, *enqueued]]

    @property
    def parent(self) -> "RunHandle | None":
        """The run whose code enqueued it; None of one that was enqueued from elsewhere. It may be pruned by now."""
        parent = self.refresh().parent
        return None if parent is None else RunHandle(parent, self._store, self._clock)

    def _steps_after(self, run: Run) -> list[Run]:
        flow = flow_of(run)
        if flow is None:
            return []
        others = self._store().runs(RunQuery(batch=flow_batch(flow), limit=MOST_STEPS))
        return [other for other in in_order(others) if other.part is not None and other.part.after == run.id]

    # --- its end ---

    def wait(self, timeout: timedelta | str | None = None) -> Run:
        """Return the run once it is final.

        Raises:
            WaitTimedOut: it is not, after `timeout`; the run goes on.
        """
        left = pauses(timeout, self._clock)
        while not (run := self.refresh()).state.is_final:
            self._clock.sleep(_next(left, run))
        return run

    async def await_end(self, timeout: timedelta | str | None = None) -> Run:
        """`wait`, from a coroutine."""
        # Weight by choice: a program without coroutines never loads asyncio.
        import asyncio

        left = pauses(timeout, self._clock)
        while not (run := await asyncio.to_thread(self.refresh)).state.is_final:
            await asyncio.sleep(_next(left, run).total_seconds())
        return run

    def result(self, timeout: timedelta | str | None = None) -> object:
        """Return what the job returned, once it has.

        Raises:
            RunFailed: the run ended otherwise.
            WaitTimedOut: it has not ended after `timeout`.
        """
        return result_of(self.wait(timeout))

    async def aresult(self, timeout: timedelta | str | None = None) -> object:
        """`result`, from a coroutine."""
        return result_of(await self.await_end(timeout))

    # --- what to do with it ---

    def cancel(self, *, reason: str = "cancelled by its enqueuer") -> bool:
        """Cancel the run, or ask it to stop if it is running; return whether it was still open."""
        return bool(self._store().cancel([self.id], now=self._clock.now(), reason=reason))

    def retry(self, *, reason: str = "retried by its enqueuer") -> bool:
        """Open the run again, with all its attempts anew; return whether it had ended.

        One of a flow goes on when what comes before it has succeeded, and what was given up for it is opened too.
        """
        return self.id in reopen(self._store(), [self.id], now=self._clock.now(), reason=reason)


def pauses(timeout: timedelta | str | None, clock: Clock) -> Iterator[timedelta]:
    """Yield how long to wait before the next look, until the time is over.

    Raises:
        ConfigurationError: it is no duration.
    """
    limit = _limit(timeout)
    ends = None if limit is None else clock.monotonic() + limit.total_seconds()
    pause = FIRST_PAUSE
    while True:
        left = None if ends is None else timedelta(seconds=ends - clock.monotonic())
        if left is not None and left <= timedelta(0):
            return
        yield pause if left is None else min(pause, left)
        pause = min(pause * 1.5, LONGEST_PAUSE)


def _limit(timeout: timedelta | str | None) -> timedelta | None:
    if timeout is not None and not isinstance(timeout, timedelta | str):
        # What many libraries take for seconds.
        raise ConfigurationError(f"timeout: {timeout!r} has no unit; write a text such as '5s', or a timedelta")
    try:
        return parse_duration(timeout) if isinstance(timeout, str) else timeout
    except ValueError as error:
        raise ConfigurationError(f"timeout: {error}") from None


def _next(pauses: Iterator[timedelta], run: Run) -> timedelta:
    pause = next(pauses, None)
    if pause is None:
        raise WaitTimedOut(f"run {run.id} is still {run.state}: the time to wait for it is over, it goes on")
    return pause


def result_of(run: Run) -> object:
    """Return what an ended run returned.

    Raises:
        RunFailed: it ended otherwise.
    """
    if run.state is not State.SUCCEEDED:
        raise RunFailed(run.id, state=run.state, error=run.error.first_line if run.error else run.reason)
    return None if run.result is None else decode(run.result)
