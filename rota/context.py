"""What a job is given: its tenant, its slot and window, its stop signal."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from rota.clock import Clock
from rota.core.model import Outcome, Run, Tenant
from rota.errors import NoTenant, Stopped

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

log: logging.Logger = logging.getLogger("rota.job")

current_run: ContextVar[Run | None] = ContextVar("rota_current_run", default=None)
"""The run that this code belongs to; log records take job and tenant from it."""


class Window(NamedTuple):
    """The time a run stands for: after `since`, up to and with `until`. `since` is None before the first success."""

    since: datetime | None
    until: datetime


class StopSignal:
    """Tells one attempt that it should end. Belongs to that attempt and dies with it (R41).

    Reads like an Event: `is_set()` and `wait(seconds)`.
    """

    __slots__ = ("_event", "_is_set", "outcome", "reason")

    def __init__(self) -> None:
        # Most attempts end before anybody waits, and an Event costs more than all else that an attempt sets up.
        self._event: threading.Event | None = None
        self._is_set = False
        self.reason: str = ""
        self.outcome: Outcome = Outcome.CANCELLED
        """What the attempt is when it ends because of this signal."""

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, timeout: float | None = None) -> bool:
        """Return True as soon as the attempt should stop, False after `timeout` seconds."""
        with _signalling:
            event = self._event = self._event or threading.Event()
            if self._is_set:
                event.set()
        return event.wait(timeout)

    def set(self, reason: str = "asked to stop", *, outcome: Outcome = Outcome.CANCELLED) -> None:
        """Ask the attempt to stop. The first reason stays."""
        with _signalling:
            if not self._is_set:
                self.reason, self.outcome = reason, outcome
            self._is_set = True
            if self._event is not None:
                self._event.set()


_signalling = threading.Lock()
"""Guards the flag and the event of every signal: so that one set while its event is made is not missed."""


class BoundTenant:
    """A tenant and the way into its own database, for the length of one attempt."""

    def __init__(self, tenant: Tenant, borrow: Callable[[Tenant], "AbstractContextManager[Engine]"]) -> None:
        self.tenant = tenant
        self._borrow = borrow
        self._engine: Engine | None = None
        self._held = ExitStack()

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
        self, run: Run, *, clock: Clock, stop: StopSignal, tenant: BoundTenant | None, deadline: datetime | None
    ) -> None:
        self.run = run
        self.stop = stop
        self.deadline = deadline
        """When the soft time limit ends; None without one."""
        self.log: logging.Logger = log
        self._began_at = clock.now()
        self._tenant = tenant

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
