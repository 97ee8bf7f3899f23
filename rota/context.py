"""What a job is given: its tenant, its slot and window, its stop signal."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from rota import numbers
from rota.clock import Clock
from rota.core.carried import unpack
from rota.core.gates import flow_of
from rota.core.model import Outcome, Run, Tenant
from rota.errors import NoTenant, Stopped
from rota.numbers import Numbers

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

log: logging.Logger = logging.getLogger("rota.job")

current_run: ContextVar[Run | None] = ContextVar("rota_current_run", default=None)
"""The run that this code belongs to; log records take job and tenant from it."""


class Contact:
    """Whether an attempt has had a connection to its tenant's database."""

    __slots__ = ("is_made",)

    def __init__(self) -> None:
        self.is_made: bool = False


current_contact: ContextVar[Contact | None] = ContextVar("rota_current_contact", default=None)
"""Of the attempt that this code belongs to. An object and not a flag: threads to which the job gave a copy of its
context mark the same one."""


NO_GRACE = timedelta(0)


class Window(NamedTuple):
    """The time a run stands for: after `since`, up to and with `until`. `since` is None before the first success."""

    since: datetime | None
    until: datetime


class StopSignal:
    """Tells one attempt that it should end. Belongs to that attempt and dies with it (R41).

    Reads like an Event: `is_set()` and `wait(seconds)`.
    """

    # On the class: most attempts end before anybody asks or waits, and are made without a word of this.
    _event: threading.Event | None = None
    _is_set: bool = False
    _then: tuple[Callable[[], object], ...] = ()
    reason: str = ""
    outcome: Outcome = Outcome.CANCELLED
    """What the attempt is when it ends because of this signal."""
    grace: timedelta = NO_GRACE
    """How long it has to stop by itself once it was asked, before harder means."""

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Return True as soon as the attempt should stop, False after `timeout` seconds."""
        with _signalling:
            event = self._event = self._event or threading.Event()
            if self._is_set:
                event.set()
        return event.wait(timeout)

    def set(
        self,
        reason: str = "asked to stop",
        *,
        outcome: Outcome = Outcome.CANCELLED,
        grace: timedelta = NO_GRACE,
    ) -> None:
        """Ask the attempt to stop. The first reason stays; a shorter grace than the first counts."""
        with _signalling:
            if not self._is_set:
                self.reason, self.outcome, self.grace = reason, outcome, grace
            self.grace = min(self.grace, grace)
            self._is_set = True
            if self._event is not None:
                self._event.set()
            told = self._then
        for tell in told:
            tell()

    def then(self, tell: Callable[[], object]) -> None:
        """Call `tell` when the signal is set, in the thread that sets it, and again when its grace may be shorter;
        at once if it is set."""
        with _signalling:
            self._then = (*self._then, tell)
            is_set = self._is_set
        if is_set:
            tell()


_signalling = threading.Lock()
"""Guards the flag and the event of every signal: so that one set while its event is made is not missed."""


class BoundTenant:
    """A tenant and the way into its own database, for the length of one attempt."""

    def __init__(self, tenant: Tenant, borrow: Callable[[Tenant], "AbstractContextManager[Engine]"]) -> None:
        self.tenant = tenant
        self._borrow = borrow
        self._engine: Engine | None = None
        self._held = ExitStack()

    def __str__(self) -> str:
        # What a job prints to say for whom it works.
        return self.tenant.id

    @property
    def id(self) -> str:
        return self.tenant.id

    @property
    def attributes(self) -> Mapping[str, str]:
        return self.tenant.attributes

    @property
    def engine(self) -> "Engine":
        """The SQLAlchemy engine of this tenant's database; nobody else's (R22).

        Raises:
            TenantUnavailable: the database is not there.
            NoTenant: this tenant has no database.
        """
        if self._engine is None:
            self._engine = self._held.enter_context(self._borrow(self.tenant))
        return self._engine

    @property
    def database_name(self) -> str:
        """The name of this tenant's database, as its URL has it."""
        return self.engine.url.database or self.tenant.id

    @contextmanager
    def begin(self) -> "Iterator[Connection]":
        """Open a transaction on the tenant's database: committed at the end, rolled back by an exception."""
        with self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give the engine back. Called when the attempt ends."""
        self._engine = None
        self._held.close()


class RunContext:
    """What a job may ask of its run. Find it by annotating a parameter with this class."""

    def __init__(
        self,
        run: Run,
        *,
        clock: Clock,
        stop: StopSignal,
        tenant: BoundTenant | None,
        deadline: datetime | None,
        tell_progress: Callable[[int, int | None], None],
        first_time: "Callable[[Connection, str, str], bool]",
        counted_by: Numbers | None = None,
    ) -> None:
        self.run = run
        self.stop = stop
        self.deadline = deadline
        """When the soft time limit ends; None without one."""
        self.log: logging.Logger = log
        self.returned: object = None
        """What the job has returned, for what wraps it; None before."""
        self._began_at = clock.now()
        self._tenant = tenant
        self._tell_progress = tell_progress
        self._first_time = first_time
        self._numbers = counted_by

    @property
    def run_id(self) -> str:
        return self.run.id

    @property
    def round_id(self) -> str | None:
        return self.run.round_id

    @property
    def user_id(self) -> str | None:
        return self.run.user_id

    @property
    def slot(self) -> datetime | None:
        """The instant this run stands for, in UTC; None for work that no schedule named."""
        return self.run.slot

    @property
    def attempt(self) -> int:
        """Which try this is, from 1."""
        return self.run.attempt

    @property
    def token(self) -> int:
        """Grows with every claim: a resource that keeps the largest it has seen can refuse a worker taken for dead."""
        return self.run.token

    @property
    def tenant(self) -> BoundTenant:
        """This run's tenant.

        Raises:
            NoTenant: the run has none; there is no default database to fall back to (R22).
        """
        if self._tenant is None:
            raise NoTenant(f"run {self.run.id} of job {self.run.job!r} has no tenant; is the job per_tenant?")
        return self._tenant

    @property
    def flow_id(self) -> str | None:
        """The chain or batch that this run is of; `rota.flow(...)` takes it."""
        return flow_of(self.run)

    @property
    def carried(self) -> Mapping[str, Any]:
        """What was carried from where this run was enqueued, by name; empty for the runs of schedules (R37).

        Raises:
            CarriedUnreadable: it is broken, or of a version that is not known here.
        """
        return unpack(self.run.carried)

    @property
    def last_success(self) -> datetime | None:
        """The newest slot of this schedule and tenant that succeeded; None before the first (R9)."""
        return self.run.last_success

    @property
    def window(self) -> Window:
        """The time to work on: (last success, slot]; a made-up slot starts at the slot before instead, a manual run
        ends when the attempt began (R9)."""
        return Window(self.run.since or self.run.last_success, self.run.slot or self._began_at)

    def check(self) -> None:
        """Raise `Stopped` if this attempt should end: cancelled, out of time, shutting down, or its lease is lost."""
        if self.stop.is_set():
            raise Stopped(self.stop.reason)

    def sleep(self, duration: timedelta | float) -> None:
        """Sleep for a timedelta or seconds; raise `Stopped` as soon as the attempt should end."""
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        self.stop.wait(seconds)
        self.check()

    async def asleep(self, duration: timedelta | float) -> None:
        """`sleep`, for `async def` jobs: other coroutines go on meanwhile."""
        # Weight by choice: a program without coroutines never loads asyncio.
        import asyncio

        await asyncio.sleep(duration.total_seconds() if isinstance(duration, timedelta) else duration)
        self.check()

    def progress(self, done: int, total: int | None = None) -> None:
        """Say how far this attempt has come, in units of its own. Cheap: what is newest is written once a second."""
        self._tell_progress(int(done), None if total is None else int(total))

    def count(self, name: str, number: float = 1) -> None:
        """Add to a number of this job's own, such as `rows`: it is summed up over time, per tenant (R53).

        Cheap, and never an error: what is no number is left out, and said in the log. Counted when it is said,
        whatever becomes of the run.
        """
        numbers.count(self._numbers, self.run.job, self.run.tenant, name, number)

    def once(self, connection: "Connection", name: str = "") -> bool:
        """Return whether this run does this for the first time, and remember that it did, in the transaction of
        `connection`: `if ctx.once(db): ...` has its effect exactly once in that database (G8).

        The mark is a row of the table `rota_once` there, of the run and `name`: it is committed or rolled back with
        the writes of the job. Another attempt of the run that is still at it is waited for.
        """
        return self._first_time(connection, self.run.id, name)
