"""Where a test breaks in: workers that die, tenants whose databases are gone, exceptions as they were."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from msgspec import Struct

from rota.context import RunContext
from rota.core.model import Run, State, Tenant
from rota.errors import TenantUnavailable
from rota.ports import Store

log: logging.Logger = logging.getLogger(__name__)


class Moment(StrEnum):
    """When a worker dies."""

    CLAIM = "claim"
    """With the run in hand, before anything of it began."""
    START = "start"
    """When what the application puts around its runs was entered, before the function's first line."""
    EFFECT = "effect"
    """When the function has ended, before that is recorded."""
    SETTLE = "settle"
    """When the end is recorded, before the worker hears of it: such a run is not begun again."""


class WorkerKilled(BaseException):
    """Unwinds the job whose worker a test kills. No `RotaError`: nobody is to catch it."""


class WorkerGone(Exception):
    """Ends the work of a worker that is dead, in the thread of the test."""


class Kill(Struct, frozen=True, kw_only=True):
    """A death that was ordered."""

    after: Moment
    job: str | None

    def means(self, run: Run, moment: Moment) -> bool:
        return self.after is moment and self.job in (None, run.job)


class Faults:
    """What goes wrong, and when."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.raised: dict[str, BaseException] = {}
        """What jobs raised last, by run id: a store keeps only its text."""
        self.unreachable: dict[str, BaseException | None] = {}
        """Tenants whose databases cannot be reached, by id."""
        self.kills: list[Kill] = []
        self.is_dead: bool = False
        """Whether the worker of this moment was killed."""
        self._dies_once_settled: str | None = None

    def revive(self) -> None:
        """Let a new worker begin."""
        self.is_dead, self._dies_once_settled = False, None

    def check(self) -> None:
        """End the worker here if it is dead.

        Raises:
            WorkerGone: nobody ticks it any more.
        """
        if self.is_dead or self._has_settled_its_last():
            raise WorkerGone

    def reach(self, tenant: Tenant) -> None:
        """Keep the way to a tenant's database closed, if it is."""
        if tenant.id in self.unreachable:
            error = self.unreachable[tenant.id]
            told = "this test says so" if error is None else f"{type(error).__name__}: {error}"
            raise TenantUnavailable(f"the database of tenant {tenant.id!r} cannot be reached: {told}") from error

    @contextmanager
    def outermost(self, ctx: RunContext) -> Iterator[None]:
        """Stand around each run, and around what the application puts around it."""
        # What a dead worker had claimed beside this run never begins; nor does what it claimed while it settled.
        if self.is_dead or self._has_settled_its_last() or self._dies(Moment.CLAIM, ctx.run):
            self.is_dead = True
            raise WorkerKilled
        yield

    @contextmanager
    def innermost(self, ctx: RunContext) -> Iterator[None]:
        """Stand around the function alone."""
        self._die(Moment.START, ctx.run)
        try:
            yield
        # Whatever it is goes on from here.
        except BaseException as error:
            self.raised[ctx.run_id] = error
            log.warning("job %r raised %s: %s", ctx.run.job, type(error).__name__, error, exc_info=error)
            self._die(Moment.EFFECT, ctx.run)
            raise
        self._die(Moment.EFFECT, ctx.run)
        if self._dies(Moment.SETTLE, ctx.run):
            self._dies_once_settled = ctx.run_id

    def _die(self, moment: Moment, run: Run) -> None:
        if self._dies(moment, run):
            self.is_dead = True
            raise WorkerKilled

    def _dies(self, moment: Moment, run: Run) -> bool:
        found = next((kill for kill in self.kills if kill.means(run, moment)), None)
        if found is not None:
            self.kills.remove(found)
        return found is not None

    def _has_settled_its_last(self) -> bool:
        """Whether that is recorded after which the worker was to die."""
        history = None if self._dies_once_settled is None else self._store.run(self._dies_once_settled)
        return history is not None and history.run.state is not State.RUNNING
