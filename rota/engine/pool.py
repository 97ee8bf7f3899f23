"""Places of one kind in a worker, and the attempts that take them."""

from datetime import timedelta

from rota.calls import Executor
from rota.engine.attempt import LiveAttempt
from rota.engine.prefetch import Prefetch

REST = timedelta(milliseconds=50)
LONGEST_REST = timedelta(milliseconds=200)
"""A claim that finds nothing among the many runs of other pools reads over all of them: while the others are busy, it
is not sent with every pass."""

GATHER = timedelta(milliseconds=10)
"""How long what ended waits to be settled while the places have more to do that is short."""

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
        self._supplied_at = 0.0

    def room(self, *, at: float) -> int:
        """Return how many runs may be claimed for it now; `at` is monotonic."""
        if at < self._rests_until:
            return 0
        if self._prefetch is None:
            return self.places - len(self.live)
        return self._prefetch.room(held=len(self.live))

    def supplied(self, *, at: float, took: float) -> None:
        """Take note that it has just been given what there was, and how many seconds the store took for that; `at` is
        monotonic."""
        self._supplied_at = at
        if self._prefetch is not None:
            self._prefetch.learn_answer(took)

    def gathers(self, *, at: float) -> bool:
        """Whether it is better to claim nothing now, and let what ended wait a little: the runs that wait here will be
        done before the answer to a claim could come, and the last answer is not longer ago than `GATHER`.

        Of runs that do nothing a thousand are done in 7 ms. A claim in the midst of them takes two or three, and its
        transaction waits for the interpreter's lock between any two statements: 7 ms in which no other process can
        write to SQLite.
        """
        waiting = self.executor.waiting()
        if not waiting or self._prefetch is None or self._prefetch.outlasts_an_answer(waiting):
            return False
        return at < self._supplied_at + GATHER.total_seconds()

    def learn(self, attempt: LiveAttempt, *, at: float) -> None:
        """Take note of an attempt that just ended; `at` is monotonic."""
        if self._prefetch is not None and attempt.began_at is not None:
            self._prefetch.learn(at - attempt.began_at)

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
