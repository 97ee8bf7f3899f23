"""Places of one kind in a worker, and the attempts that take them."""

from datetime import timedelta

from rota.calls import Executor
from rota.clock import Clock
from rota.engine.attempt import LiveAttempt
from rota.engine.prefetch import Prefetch

REST = timedelta(milliseconds=50)
LONGEST_REST = timedelta(milliseconds=200)
"""A claim that finds nothing among the many runs of other pools reads over all of them: while the others are busy, it
is not sent with every pass."""

Pair = tuple[str, int]


class Pool:
    """An executor with a number of places, for the jobs that it can run."""

    def __init__(self, executor: Executor, *, places: int, jobs: frozenset[str], ahead: bool) -> None:
        self.executor = executor
        self.places = places
        self.jobs = jobs
        self.live: dict[Pair, LiveAttempt] = {}
        """What was claimed for it and is not settled, by (run id, token), oldest first."""
        self._prefetch = Prefetch(places) if ahead else None
        self._rest = REST
        self._rests_until = 0.0

    def room(self, *, at: float) -> int:
        """Return how many runs may be claimed for it now; `at` is monotonic."""
        if at < self._rests_until:
            return 0
        if self._prefetch is None:
            return self.places - len(self.live)
        return self._prefetch.room(held=len(self.live))

    def learn(self, attempt: LiveAttempt, clock: Clock) -> None:
        """Take note of an attempt that just ended."""
        if self._prefetch is not None and attempt.began_at is not None:
            self._prefetch.learn(clock.monotonic() - attempt.began_at)

    def learn_at_least(self, seconds: float) -> None:
        """Take note that no place has become free for so long."""
        if self._prefetch is not None:
            self._prefetch.learn_at_least(seconds)

    def rest(self, *, at: float) -> None:
        """Claim nothing for a moment: the last claim found nothing, and others are busy."""
        self._rests_until = at + self._rest.total_seconds()
        self._rest = min(self._rest * 2, LONGEST_REST)

    def rests_for(self, *, at: float) -> float:
        """Return for how many seconds it claims nothing from `at` on, which is monotonic."""
        return max(self._rests_until - at, 0.0)

    def found(self) -> None:
        """Take note that the last claim found something."""
        self._rest = REST
