"""What the enqueue of a flow returns: its runs to ask after, together."""

from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from rota.core.codec import decode
from rota.core.flow import in_order, part_of
from rota.core.gates import flow_batch, follow_batch
from rota.core.model import OPEN, Run, State
from rota.core.part import Role
from rota.errors import FlowNotFound, WaitTimedOut
from rota.footing import Footing
from rota.handle import RunHandle, pauses, result_of
from rota.paging import PAGE, every_run
from rota.queries import RunQuery
from rota.reopening import reopen


class FlowProgress(Struct, frozen=True, kw_only=True):
    """How far a flow has come: how many of its steps or members stand where. What follows a batch does not count."""

    total: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int
    running: int
    waiting: int
    """Queued, held for what comes before them, or due later."""

    @property
    def done(self) -> int:
        """How many are over, however they ended."""
        return self.succeeded + self.failed + self.cancelled + self.skipped


class FlowHandle:
    """A chain or batch by its id. Every question goes to the store."""

    def __init__(self, flow: str, footing: Footing) -> None:
        self.id = flow
        self._footing = footing

    def __repr__(self) -> str:
        return f"<flow {self.id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlowHandle) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def children(self) -> list[RunHandle]:
        """Its runs: steps or members in their order, then what follows the batch."""
        return [RunHandle(run.id, self._footing.store, self._footing.clock) for run in self.runs()]

    def runs(self) -> list[Run]:
        """Return its runs as they are now, in the order of `children`.

        Raises:
            FlowNotFound: there are none: retention has pruned it, or it never was.
        """
        found = self._members()
        followers = list(self._runs_of(follow_batch(self.id)))
        if not found and not followers:
            raise FlowNotFound(self.id)
        return in_order(found) + sorted(followers, key=lambda run: run.id)

    @property
    def progress(self) -> FlowProgress:
        """How many of its steps or members stand where.

        Raises:
            FlowNotFound: retention has pruned it; or it waits for the commit of the transaction that it belongs to.
            StoreIsBlackHole: the store keeps nothing.
        """
        counts = self._footing.store().batch_counts(flow_batch(self.id))
        if not counts:
            # A black hole says so. Of no runs all are over, and nobody who waits for some must hear that.
            self._footing.store().run(self.id)
            raise FlowNotFound(self.id)
        return FlowProgress(
            total=sum(counts.values()),
            succeeded=counts.get(State.SUCCEEDED, 0),
            failed=counts.get(State.FAILED, 0),
            cancelled=counts.get(State.CANCELLED, 0),
            skipped=counts.get(State.SKIPPED, 0),
            running=counts.get(State.RUNNING, 0),
            waiting=counts.get(State.QUEUED, 0) + counts.get(State.SCHEDULED, 0),
        )

    @property
    def is_over(self) -> bool:
        """Whether all of its runs have ended, what follows a batch too."""
        progress = self.progress
        if progress.done < progress.total:
            return False
        query = RunQuery(batch=follow_batch(self.id), states=tuple(sorted(OPEN)), limit=1)
        return not self._footing.store().runs(query)

    def wait(self, timeout: timedelta | str | None = None) -> FlowProgress:
        """Return its progress once all of its runs have ended.

        Raises:
            WaitTimedOut: they have not, after `timeout`; the flow goes on.
        """
        left = pauses(timeout, self._footing.clock)
        while not self.is_over:
            self._footing.clock.sleep(self._next(left))
        return self.progress

    async def await_end(self, timeout: timedelta | str | None = None) -> FlowProgress:
        """`wait`, from a coroutine: others go on meanwhile."""
        # Weight by choice: a program without coroutines never loads asyncio.
        import asyncio

        left = pauses(timeout, self._footing.clock)
        while not await asyncio.to_thread(lambda: self.is_over):
            await asyncio.sleep(self._next(left).total_seconds())
        return await asyncio.to_thread(lambda: self.progress)

    def _next(self, left: Iterator[timedelta]) -> timedelta:
        pause = next(left, None)
        if pause is None:
            raise WaitTimedOut(f"flow {self.id} is not over, and the time to wait for it is; it goes on")
        return pause

    def result(self, timeout: timedelta | str | None = None) -> object:
        """Return what the last step of a chain returned, or of a batch a list of what its members did, once it is over.

        Raises:
            RunFailed: the chain ended before, with the step that ended it; or a member did not succeed, the first one.
            WaitTimedOut: it is not over after `timeout`.
        """
        self.wait(timeout)
        return self._result()

    async def aresult(self, timeout: timedelta | str | None = None) -> object:
        """`result`, from a coroutine."""
        # As above.
        import asyncio

        await self.await_end(timeout)
        return await asyncio.to_thread(self._result)

    def _result(self) -> object:
        members = in_order(self._members())
        if part_of(members[-1]).role is Role.STEP:
            return result_of(members[-1])
        return [result_of(run) for run in members]

    def results(self) -> Iterator[object]:
        """Yield what its steps or members returned so far, in their order; None for one that has not succeeded."""
        for run in in_order(self._members()):
            yield None if run.result is None else decode(run.result)

    def cancel(self, *, reason: str = "cancelled by its enqueuer") -> int:
        """Cancel what is not over, and ask to stop what is running; return how many runs that were."""
        # What follows a batch first: it must not be opened by the end of the members.
        followers = [run.id for run in self._runs_of(follow_batch(self.id))]
        members = [run.id for run in self._runs_of(flow_batch(self.id), *sorted(OPEN))]
        ids = followers + members
        store, now = self._footing.store(), self._footing.clock.now()
        return sum(
            len(store.cancel(ids[start : start + PAGE], now=now, reason=reason)) for start in range(0, len(ids), PAGE)
        )

    def retry(self, *, reason: str = "retried by its enqueuer") -> int:
        """Open what failed or was cancelled again, with what was given up for it; return how many runs that are."""
        ended = [run.id for run in self.runs() if run.state in (State.FAILED, State.CANCELLED, State.SKIPPED)]
        return len(reopen(self._footing.store(), ended, now=self._footing.clock.now(), reason=reason))

    def _members(self) -> list[Run]:
        return list(self._runs_of(flow_batch(self.id)))

    def _runs_of(self, batch: str, *states: State) -> Iterator[Run]:
        return every_run(self._footing.store(), RunQuery(batch=batch, states=states))
