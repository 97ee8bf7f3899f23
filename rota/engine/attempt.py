"""One attempt at a run, from claim to settlement: what it is given, its time limit, its stop signal."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from msgspec.structs import replace

from rota.calls import Brief, Children
from rota.clock import Clock
from rota.context import StopSignal
from rota.core.lifecycle import Ending, expired_in_hand, too_late_in_hand
from rota.core.model import Outcome, Run, RunKind, Tenant
from rota.core.policy import Retry
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.errors import StoreUnavailable, TenantGone
from rota.signature import Registered, Signature

Answer = TypeVar("Answer")

AWAY = timedelta(seconds=1)
"""How long an expansion, or a run of a flow that begins, waits when it met a store which was away."""


class Invokes(Protocol):
    """Calls functions in this process."""

    def call(self, registered: Registered, brief: Brief, stop: StopSignal) -> object: ...

    def acall(self, registered: Registered, brief: Brief, stop: StopSignal) -> Awaitable[object]: ...


class Aside(Protocol):
    """Calls a function that may take its time without holding up the event loop."""

    async def __call__(self, function: Callable[[], Answer], /) -> Answer: ...


class Bench:
    """What every attempt in this process shares."""

    def __init__(
        self,
        *,
        clock: Clock,
        bus: Bus,
        directory: Directory,
        invocation: Invokes,
        execute: Callable[..., Ending],
        aexecute: Callable[..., Awaitable[Ending]] | None = None,
        aside: "Aside | None" = None,
        children: Children | None = None,
        expand: Callable[[Run, StopSignal], int],
        slot_before: Callable[[Run], datetime | None],
        handed: Callable[[Run, Signature], str],
        first_start: Callable[[Run], datetime | None],
    ) -> None:
        self.clock = clock
        self.bus = bus
        self.directory = directory
        self.invocation = invocation
        self.execute = execute
        self.aexecute = aexecute
        self.aside = aside
        self.children = children
        """None: process jobs are called in this process, as inline ones."""
        self.fleets: frozenset[str] = frozenset()
        """The executors of jobs that are sent to others; in the processes of a fleet itself there are none."""
        self.expand = expand
        self.slot_before = slot_before
        self.handed = handed
        """Gives a run of a flow its arguments."""
        self.first_start = first_start


class LiveAttempt:
    """A claimed run in this process, from claim to settlement."""

    # On the class, where they cost an attempt nothing that is over before they change: of a run that does nothing, to
    # set all of them was a twentieth of the engine's part.
    started_at: datetime | None = None
    first_at: datetime | None = None
    """When the first of its attempts began, for a policy that asks; None where it is this one."""
    began_at: float | None = None
    """The same by the monotonic clock."""
    deadline: datetime | None = None
    """When the time limit ends, for the job to read."""
    overdue_at: float | None = None
    """The same by the monotonic clock, which decides: a step of the store's clock times nobody out."""
    to_stop_by: float | None = None
    """By the monotonic clock: when its grace is over; None as long as nobody asked it to stop."""
    lost: bool = False
    is_over: bool = False
    """Whether its ending was reported; it waits to be settled."""
    _away: StoreUnavailable | None = None

    def __init__(self, run: Run, registered: Registered, bench: Bench, *, asked_at: float) -> None:
        self.run: Run = run
        self.registered: Registered = registered
        self._bench = bench
        self.stop_signal: StopSignal = StopSignal()
        self.claimed_at: float = asked_at
        """By the monotonic clock, as it was before the claim was sent: a slow answer only shortens the lease (6.4)."""
        self.renewed_at: float = asked_at
        """By the monotonic clock: when the last renewal that was granted was asked for."""

    @property
    def is_coroutine(self) -> bool:
        """Whether it runs on an event loop. The expansion of a coroutine job's rounds does too, beside the loop: it
        was claimed for these places, and those of threads may all be taken for hours."""
        return self.registered.job.executor == "asyncio"

    @property
    def is_in_child(self) -> bool:
        """Whether its code runs in a child process, once it has begun."""
        is_theirs = self.registered.job.executor == "process" and self.run.kind is RunKind.JOB
        return is_theirs and self._bench.children is not None and self.started_at is not None

    @property
    def is_sent(self) -> bool:
        """Whether it only waits here until somebody else takes its run over."""
        return self.registered.job.executor in self._bench.fleets and self.run.kind is RunKind.JOB

    def stop(self, reason: str, *, outcome: Outcome, grace: timedelta = timedelta(0)) -> None:
        """Ask it to stop within `grace`; asked again, what is over earlier counts."""
        until = self._bench.clock.monotonic() + grace.total_seconds()
        self.to_stop_by = until if self.to_stop_by is None else min(self.to_stop_by, until)
        self.stop_signal.set(reason, outcome=outcome, grace=grace)

    def is_stuck(self, *, kill_grace: timedelta, at: float) -> bool:
        """Whether it was asked to stop, and goes on though all its time for that is over."""
        # What is over is not stuck, also where it waits for a store that is away.
        if self.to_stop_by is None or self.started_at is None or self.is_over:
            return False
        return at > self.to_stop_by + kill_grace.total_seconds()

    def execute(self) -> Ending:
        bench, stop = self._bench, self.stop_signal
        refused = self._refused() or (self._too_late() if self._is_timed else None)
        if refused is not None:
            return refused
        started_at = self._begin()
        if self.run.kind is RunKind.EXPANSION:
            return self._expand(started_at)
        if bench.children is not None and self.is_in_child:
            return self._unless_away(self._execute_in_child(bench.children, started_at))
        return self._unless_away(
            bench.execute(
                lambda: bench.invocation.call(self.registered, self._brief(), stop), stop=stop, started_at=started_at
            )
        )

    async def aexecute(self) -> Ending:
        bench, stop = self._bench, self.stop_signal
        assert bench.aexecute is not None, "wired wherever there are coroutine jobs"
        refused = self._refused()
        if refused is None and self._is_timed:
            # It asks the store: other coroutines go on.
            refused = self._too_late() if bench.aside is None else await bench.aside(self._too_late)
        if refused is not None:
            return refused
        started_at = self._begin()
        if self.run.kind is RunKind.EXPANSION:
            assert bench.aside is not None, "wired with the line above"
            return await bench.aside(lambda: self._expand(started_at))

        async def call() -> object:
            return await bench.invocation.acall(self.registered, await self._abrief(), stop)

        return self._unless_away(await bench.aexecute(call, stop=stop, started_at=started_at))

    def _refused(self) -> Ending | None:
        """Return how it ends that must not begin: told to stop before, or out of time for that; else None."""
        if self.stop_signal.is_set():
            return Ending(outcome=self.stop_signal.outcome, reason=self.stop_signal.reason)
        if self.run.expires_at is None:
            return None
        return expired_in_hand(self.run, now=self._bench.clock.now())

    @property
    def _policy(self) -> Retry:
        return self.run.retry or self.registered.job.retry

    @property
    def _is_timed(self) -> bool:
        """Whether it has to begin within some time of the first of its attempts, and is not that one."""
        return self.run.attempt > 1 and self._policy.max_elapsed is not None and self.run.kind is RunKind.JOB

    def _too_late(self) -> Ending | None:
        """Return how it ends if its time to begin is over; else None, with `first_at` known."""
        try:
            self.first_at = self._bench.first_start(self.run)
        except StoreUnavailable as error:
            return Ending(outcome=Outcome.INTERRUPTED, reason=str(error), delay=AWAY)
        return too_late_in_hand(self.run, self._policy, first_at=self.first_at, now=self._bench.clock.now())

    def _begin(self) -> datetime:
        """Take note of when it begins, and return it."""
        clock = self._bench.clock
        self.started_at = started_at = clock.now()
        self.began_at = began_at = clock.monotonic()
        timeout = self.registered.job.timeout
        if timeout is not None:
            self.overdue_at = began_at + timeout.total_seconds()
            # A time limit beyond the end of the calendar is none to read about. `suppress` would cost each run 0.3 us.
            try:  # noqa: SIM105
                self.deadline = started_at + timeout
            except OverflowError:
                pass
        return started_at

    def _execute_in_child(self, children: Children, started_at: datetime) -> Ending:
        brief: list[Brief] = []
        refused = self._bench.execute(lambda: brief.append(self._brief()), stop=self.stop_signal, started_at=started_at)
        if not brief:
            return refused
        endings: list[Ending] = []
        # Whatever goes wrong on this side is an ending as well: or the thread would end, and the run never.
        failed = self._bench.execute(
            lambda: endings.append(
                children.execute(self.registered.job, brief[0], stop=self.stop_signal, started_at=started_at)
            ),
            stop=self.stop_signal,
            started_at=started_at,
        )
        return endings[0] if endings else failed

    def _expand(self, started_at: datetime) -> Ending:
        listed: list[int] = []
        away: list[StoreUnavailable] = []

        def expand() -> None:
            try:
                listed.append(self._bench.expand(self.run, self.stop_signal))
            except StoreUnavailable as error:
                away.append(error)

        ending: Ending = self._bench.execute(expand, stop=self.stop_signal, started_at=started_at)
        if away:
            # No fault of the job's, and no attempt of it: what was written already is found and left alone.
            reason = str(away[0])
            return Ending(outcome=Outcome.INTERRUPTED, started_at=started_at, reason=reason, delay=AWAY)
        return replace(ending, expanded=listed[0]) if listed else ending

    def _brief(self) -> Brief:
        """Return what the function may ask about its run.

        Raises:
            TenantGone: the source does not list its tenant any more.
        """
        run = self.run if self.run.slot is None else self._with_window(self.run)
        if run.part is not None:
            run = replace(run, args=self._handed(run))
        self.registered.signature.hide(run.args)
        if run.tenant is None:
            return Brief(run=run, deadline=self.deadline)
        tenant = self._tenant(run.tenant)
        return Brief(run=run, tenant=tenant, deadline=self.deadline)

    def _handed(self, run: Run) -> str:
        try:
            return self._bench.handed(run, self.registered.signature)
        except StoreUnavailable as error:
            self._away = error
            raise

    def _unless_away(self, ending: Ending) -> Ending:
        """Return the ending of a run that has begun; one that could not be handed what it is to work on has not."""
        if self._away is None:
            return ending
        return Ending(outcome=Outcome.INTERRUPTED, started_at=ending.started_at, reason=str(self._away), delay=AWAY)

    async def _abrief(self) -> Brief:
        asks_nobody = self.run.tenant is None and self.run.slot is None and self.run.part is None
        if asks_nobody or self._bench.aside is None:
            return self._brief()
        # Asked of the store, or of a source of the application's own: other coroutines go on.
        return await self._bench.aside(self._brief)

    def _tenant(self, tenant_id: str) -> Tenant:
        tenant = self._bench.directory.find(tenant_id, now=self._bench.clock.now())
        if tenant is None:
            raise TenantGone(tenant_id)
        return tenant

    def _with_window(self, run: Run) -> Run:
        """Give a slot that is run after a later one succeeded its own window: from the slot before (R9)."""
        is_passed = run.slot is not None and run.last_success is not None and run.last_success >= run.slot
        if run.since is not None or not is_passed:
            return run
        return replace(run, since=self._bench.slot_before(run))
