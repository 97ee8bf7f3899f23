"""One attempt at a run: fills in what the function asks for, calls it, and cleans up after it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rota.clock import Clock
from rota.context import BoundTenant, RunContext, StopSignal, current_run
from rota.core.lifecycle import Ending
from rota.core.model import Outcome, Run, RunKind, Tenant
from rota.engine.bus import Bus
from rota.engine.directory import Directory
from rota.errors import TenantGone
from rota.signature import Gift, Registered

if TYPE_CHECKING:
    from sqlalchemy import Engine

Around = Callable[[RunContext], AbstractContextManager[object]]
Execute = Callable[..., Ending]


class Bench:
    """What every attempt in this process shares."""

    def __init__(
        self,
        *,
        clock: Clock,
        bus: Bus,
        directory: Directory,
        borrow: "Callable[[Tenant], AbstractContextManager[Engine]]",
        execute: Execute,
        expand: Callable[[Run, StopSignal], int],
        slot_before: Callable[[Run], datetime | None],
        arounds: Sequence[Around] = (),
    ) -> None:
        self.clock = clock
        self.bus = bus
        self.directory = directory
        self.borrow = borrow
        self.execute = execute
        self.expand = expand
        self.slot_before = slot_before
        self.arounds = arounds


class LiveAttempt:
    """A claimed run in this process, from claim to settlement."""

    __slots__ = (
        "_bench", "_registered", "claimed_at", "deadline", "lost", "overdue_at", "renewed_at", "run", "started_at",
        "stop_signal",
    )  # fmt: skip

    def __init__(self, run: Run, registered: Registered, bench: Bench, *, asked_at: float) -> None:
        self.run: Run = run
        self._registered = registered
        self._bench = bench
        self.stop_signal: StopSignal = StopSignal()
        self.started_at: datetime | None = None
        self.deadline: datetime | None = None
        """When the time limit ends, for the job to read."""
        self.overdue_at: float | None = None
        """The same by the monotonic clock, which decides: a step of the store's clock times nobody out."""
        self.lost: bool = False
        self.claimed_at: float = asked_at
        """By the monotonic clock, as it was before the claim was sent: a slow answer only shortens the lease (6.4)."""
        self.renewed_at: float = asked_at
        """By the monotonic clock: when the last renewal that was granted was asked for."""

    def stop(self, reason: str, *, outcome: Outcome) -> None:
        self.stop_signal.set(reason, outcome=outcome)

    def execute(self) -> Ending:
        bench, run = self._bench, self.run
        if self.stop_signal.is_set():
            return Ending(outcome=self.stop_signal.outcome, reason=self.stop_signal.reason)
        self.started_at = started_at = bench.clock.now()
        self._limit(started_at)
        if run.kind is RunKind.EXPANSION:
            return self._expand(started_at)
        ending: Ending = bench.execute(self._call, stop=self.stop_signal, started_at=started_at)
        return ending

    def _limit(self, started_at: datetime) -> None:
        timeout = self._registered.job.timeout
        if timeout is None:
            return
        self.overdue_at = self._bench.clock.monotonic() + timeout.total_seconds()
        # A time limit beyond the end of the calendar is none to read about.
        with suppress(OverflowError):
            self.deadline = started_at + timeout

    def _expand(self, started_at: datetime) -> Ending:
        listed: list[int] = []
        ending: Ending = self._bench.execute(
            lambda: listed.append(self._bench.expand(self.run, self.stop_signal)),
            stop=self.stop_signal,
            started_at=started_at,
        )
        return replace(ending, expanded=listed[0]) if listed else ending

    def _call(self) -> object:
        bench, run, registered = self._bench, self.run, self._registered
        if run.tenant is None and not registered.signature.gifts and not bench.arounds:
            # Nothing to fill in: the shortest way, for the many small jobs.
            current_run.set(run)
            arguments = registered.signature.decode(run.args)
            return registered.function(*arguments.args, **arguments.kwargs)
        return self._call_with_gifts()

    def _call_with_gifts(self) -> object:
        bench, run, registered = self._bench, self.run, self._registered
        tenant = self._bound_tenant()
        context = RunContext(
            self._with_window(run), clock=bench.clock, stop=self.stop_signal, tenant=tenant, deadline=self.deadline
        )
        current_run.set(run)
        with ExitStack() as held:
            if tenant is not None:
                held.callback(tenant.close)
            for around in bench.arounds:
                held.enter_context(around(context))
            arguments = registered.signature.decode(run.args)
            gifts = {name: _given(gift, context, held) for name, gift in registered.signature.gifts.items()}
            return registered.function(*arguments.args, **arguments.kwargs, **gifts)

    def _with_window(self, run: Run) -> Run:
        """Give a slot that is run after a later one succeeded its own window: from the slot before (R9)."""
        is_passed = run.slot is not None and run.last_success is not None and run.last_success >= run.slot
        if run.since is not None or not is_passed:
            return run
        return replace(run, since=self._bench.slot_before(run))

    def _bound_tenant(self) -> BoundTenant | None:
        if self.run.tenant is None:
            return None
        tenant = self._bench.directory.find(self.run.tenant, now=self._bench.clock.now())
        if tenant is None:
            raise TenantGone(self.run.tenant)
        return BoundTenant(tenant, self._bench.borrow)


def _given(gift: Gift, context: RunContext, held: ExitStack) -> Any:
    match gift:
        case Gift.CONTEXT:
            return context
        case Gift.STOP:
            return context.stop
        case Gift.TENANT:
            return context.tenant.tenant
        case Gift.BOUND_TENANT:
            return context.tenant
        case Gift.ENGINE:
            return context.tenant.engine
        case Gift.CONNECTION:
            return held.enter_context(context.tenant.begin())
        case Gift.DATABASE_NAME:
            return context.tenant.database_name
