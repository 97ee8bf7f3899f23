"""Calls a job's function with what it asks for: arguments of its own, and what Rota gives it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rota.calls import Brief
from rota.carrying import Carriers
from rota.clock import Clock
from rota.context import BoundTenant, Contact, RunContext, StopSignal, current_contact, current_run
from rota.core.model import Outcome, Run, Tenant
from rota.core.returns import Result
from rota.numbers import Numbers, current_numbers
from rota.signature import Gift, Registered

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Around = Callable[[RunContext], AbstractContextManager[object]]
TellProgress = Callable[[Run, int, int | None], None]
FirstTime = Callable[["Connection", str, str], bool]
HEARING = frozenset({Gift.CONTEXT, Gift.STOP})
"""By what a function hears that it is told to stop."""


class Invocation:
    """What every call in this process shares."""

    def __init__(
        self,
        *,
        clock: Clock,
        borrow: "Callable[[Tenant], AbstractContextManager[Engine]]",
        tell_progress: TellProgress,
        first_time: "FirstTime",
        arounds: Sequence[Around] = (),
        carriers: Carriers | None = None,
        numbers: Numbers | None = None,
    ) -> None:
        self._clock = clock
        self._borrow = borrow
        self._tell_progress = tell_progress
        self._first_time = first_time
        self._arounds = arounds
        self._carriers = carriers or Carriers()
        self._numbers = numbers

    def call(self, registered: Registered, brief: Brief, stop: StopSignal) -> object:
        """Call the function in this thread and return what it returned; raises what it raised."""
        run = brief.run
        current_run.set(run)
        current_numbers.set(self._numbers)
        if run.tenant is None and run.carried is None and not registered.signature.gifts and not self._arounds:
            # Nothing to fill in: the shortest way, for the many small jobs.
            arguments = registered.signature.decode(run.args)
            returned = registered.function(*arguments.args, **arguments.kwargs)
        else:
            with self._filled_in(registered, brief, stop) as (context, args, kwargs):
                returned = context.returned = registered.function(*args, **kwargs)
        if returned is None and stop.outcome is Outcome.INTERRUPTED and not _hears(registered):
            # It has not left early, for it knew of nothing: it is done, and not to be done again by the next worker.
            return Result()
        return returned

    async def acall(self, registered: Registered, brief: Brief, stop: StopSignal) -> object:
        """Call the coroutine function and return what it returned; raises what it raised."""
        current_run.set(brief.run)
        current_numbers.set(self._numbers)
        with self._filled_in(registered, brief, stop) as (context, args, kwargs):
            returned: Any = registered.function(*args, **kwargs)
            context.returned = await returned
        return context.returned

    @contextmanager
    def _filled_in(
        self, registered: Registered, brief: Brief, stop: StopSignal
    ) -> Iterator[tuple[RunContext, tuple[Any, ...], dict[str, Any]]]:
        run = brief.run
        tenant = None if brief.tenant is None else BoundTenant(brief.tenant, self._borrow)
        current_contact.set(None if tenant is None else Contact())
        context = RunContext(
            run,
            clock=self._clock,
            stop=stop,
            tenant=tenant,
            deadline=brief.deadline,
            tell_progress=lambda done, total: self._tell_progress(run, done, total),
            first_time=self._first_time,
            counted_by=self._numbers,
        )
        with ExitStack() as held:
            if tenant is not None:
                held.callback(tenant.close)
            if run.carried is not None:
                # Outermost: what wraps a run finds the world as it was where the run was enqueued.
                self._carriers.enter(run.carried, held)
            for around in self._arounds:
                held.enter_context(around(context))
            arguments = registered.signature.decode(run.args)
            gifts = {name: _given(gift, context, held) for name, gift in registered.signature.gifts.items()}
            yield context, arguments.args, arguments.kwargs | gifts


def _hears(registered: Registered) -> bool:
    """Whether a function may notice that it is told to stop. In a child it always may: SIGTERM raises `Stopped`, which
    it can catch to clean up."""
    return registered.job.executor == "process" or not HEARING.isdisjoint(registered.signature.gifts.values())


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
