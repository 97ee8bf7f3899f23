"""Inline mode: what is enqueued is executed before `.enqueue` returns, in the same thread (R33)."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import StrEnum

from rota.by_hand import MOST_CLAIMS, ByHand, told
from rota.clock import Clock, sleep
from rota.context import RunContext
from rota.core.model import Run, State, WorkerRecord
from rota.engine import host
from rota.engine.crew import Crew
from rota.errors import NeverAtRest, RunFailed, StoreIsBlackHole
from rota.ports import Store
from rota.reopening import named_runs
from rota.version import __version__

log: logging.Logger = logging.getLogger(__name__)

LOOK = timedelta(milliseconds=2)


class Inline(StrEnum):
    """What inline mode does with a job that fails."""

    PROPAGATE = "propagate"
    """`.enqueue` raises what the job raised, once its attempts are used up."""
    RECORD = "record"
    """The run fails, as it would under a worker; its handle tells."""


class InlineMode:
    """Executes runs that an application has just accepted, with the services of a worker.

    No time is waited for: what has a delay, and what is to be tried again, is executed at once. Time limits are not
    kept, since nobody is there who could watch them.
    """

    def __init__(self, mode: Inline, *, store: Callable[[], Store], clock: Clock, crew: Callable[[], Crew]) -> None:
        self._mode = mode
        self._store = store
        self._clock = clock
        self._crew = crew
        self._raised: dict[str, BaseException] = {}

    @contextmanager
    def around(self, ctx: RunContext) -> Iterator[None]:
        """Keep what a job raises, as the exception that it is: a store keeps only its text."""
        try:
            yield
        # Whatever it is goes on from here.
        except BaseException as error:
            self._raised[ctx.run_id] = error
            raise

    def run(self, ids: Sequence[str]) -> None:
        """Execute the runs of these ids, and what they enqueue, until each is over or waits for something but time.

        Raises:
            KeyboardInterrupt: during one of them, in either mode.
            RunFailed, or what the job raised: the first run that failed, under `Inline.PROPAGATE`.
            NeverAtRest: a run is begun again without end.
        """
        try:
            ended = self._executed(ids)
        except StoreIsBlackHole:
            # It discards always and executes never, also in inline mode.
            return
        errors = {run.id: self._raised.pop(run.id, None) for run in ended}
        for run in ended:
            if run.state is State.FAILED and self._mode is Inline.PROPAGATE:
                first_line = run.error.first_line if run.error is not None else run.reason
                raise errors[run.id] or RunFailed(run.id, state=run.state, error=first_line)
            if not run.state.is_final:
                log.warning("inline: run %s of job %r stays %s: rota explain says why", run.id, run.job, run.state)

    def _executed(self, ids: Sequence[str]) -> list[Run]:
        current = self._read(ids)
        if all(run.state.is_final for run in current):
            return current
        # A crew of its own: a job that enqueues comes here again while the worker of its own run is in its tick.
        hands = ByHand(self._crew(), store=self._store(), clock=self._clock)
        hands.crew.standing.tick(self._clock.now())
        for _ in range(MOST_CLAIMS):
            open_runs = [run for run in current if not run.state.is_final]
            if not open_runs:
                return current
            self._store().promote(now=max(run.due_at for run in open_runs))
            claims = hands.work()
            self._heed_interrupt()
            hands.crew.flows.move(self._clock.now())
            before, current = current, self._read(ids)
            if any(run.state is State.RUNNING for run in current):
                # Another thread of this process enqueued at the same time, and has it.
                sleep(LOOK)
            elif not claims and current == before:
                return current
        raise NeverAtRest(told([run for run in current if not run.state.is_final]), claims=MOST_CLAIMS)

    def _heed_interrupt(self) -> None:
        """Raise what somebody has ended the program with: this is their own thread, and nobody tries that again."""
        pressed = [error for error in self._raised.values() if isinstance(error, KeyboardInterrupt)]
        if pressed:
            self._raised.clear()
            raise pressed[0]

    def _read(self, ids: Sequence[str]) -> list[Run]:
        return named_runs(self._store(), ids)


def inline_worker(*, now: datetime) -> WorkerRecord:
    """Return the record of a process that executes what it enqueues: its memory store sees that somebody works."""
    return host.this_worker("inline", version=__version__, queues={}, places=1, now=now)
