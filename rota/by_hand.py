"""The services of one process, driven in the thread that calls: for inline mode and tests."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from rota.clock import Clock
from rota.core.model import OPEN, Run
from rota.engine.crew import Crew
from rota.errors import NeverAtRest
from rota.ports import Store
from rota.queries import RunQuery

MOST_CLAIMS = 10_000
"""How often the worker claims before it is taken for certain that the work feeds itself."""

SELDOM = timedelta(seconds=30)
"""What comes round less often than this is not needed to come to rest."""

NO_TIME = timedelta(0)


class ByHand:
    """Ticks the services of a crew that was not started and executes inline, until nothing changes any more."""

    def __init__(self, crew: Crew, *, store: Store, clock: Clock, then: Callable[[], object] | None = None) -> None:
        """`then` is called after each pass of the worker, and may raise to end it there."""
        self.crew: Crew = crew
        self._then = then
        self._store = store
        self._clock = clock
        self._next: dict[str, float] = {}

    def settle_down(self, *, most: int = MOST_CLAIMS) -> None:
        """Fire, execute and close until all that is left waits for something: for time, a pause, a limit.

        Raises:
            NeverAtRest: the worker has claimed `most` times, and there is still more.
        """
        left = most
        quiet = 0
        standing: object = None
        while quiet < 2:
            self._tick_services()
            claims = self.work(most=left)
            left -= claims
            before, standing = standing, self._standing()
            # Twice: a gate that was opened in the last pass is seen by the next.
            quiet = quiet + 1 if not claims and standing == before else 0

    def work(self, *, most: int = MOST_CLAIMS) -> int:
        """Execute what is queued, and what that queues; return how often the worker claimed something.

        Raises:
            NeverAtRest: it was `most` times, and there is still more.
        """
        claims = 0
        # It says "at once" as long as something ended that is not settled, or more is queued than it took.
        while self._tick_worker() == NO_TIME:
            claims += 1
            if claims > most:
                left = self._store.runs(RunQuery(states=tuple(OPEN), limit=10))
                raise NeverAtRest(told(left), claims=most)
        return claims

    def _tick_worker(self) -> timedelta:
        pause = self.crew.worker.tick(self._clock.now())
        if self._then is not None:
            self._then()
        return pause

    def _tick_services(self) -> None:
        for name, service in self.crew.services.items():
            at = self._clock.monotonic()
            if self._next.get(name, at) > at:
                continue
            pause = service.tick(self._clock.now())
            self._next[name] = at + (pause.total_seconds() if pause >= SELDOM else 0.0)

    def _standing(self) -> object:
        counts = self._store.counts()
        return counts.by_queue, counts.waiting, bool(self._store.finished_rounds(limit=1))


def told(runs: Sequence[Run]) -> list[str]:
    """Return how people are told of runs that are left: each job and state once."""
    return sorted({f"{run.job} ({run.state})" for run in runs})
