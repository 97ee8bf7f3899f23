"""What a worker holds, over all its pools: from the claim of a run to its settlement."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence

from rota.core.model import Run
from rota.engine.attempt import LiveAttempt
from rota.engine.pool import Pair, Pool


class Holdings:
    """The live attempts of a worker. Written by the thread that ticks it, read by any."""

    def __init__(self, pools: Sequence[Pool], *, queues: Mapping[str, int]) -> None:
        self.pools: Sequence[Pool] = pools
        self._queues = queues
        self._began: set[str] = set()
        self._is_closed = False
        self._one_begins = threading.Lock()
        """Guards what is taken, against a worker that finishes while the answer to a claim comes."""

    def __bool__(self) -> bool:
        return any(pool.live for pool in self.pools)

    def live(self) -> list[LiveAttempt]:
        """Return the attempts, those of each pool oldest first."""
        return [attempt for pool in self.pools for attempt in list(pool.live.values())]

    def find(self, pair: Pair) -> LiveAttempt | None:
        found = (pool.live.get(pair) for pool in self.pools)
        return next((attempt for attempt in found if attempt is not None), None)

    def take(self, attempts: Sequence[LiveAttempt]) -> list[tuple[Pool, list[LiveAttempt]]]:
        """Hold these, and return which pool executes which; nothing after `close`."""
        divided: dict[int, list[LiveAttempt]] = {}
        for attempt in attempts:
            divided.setdefault(self._pool_of(attempt), []).append(attempt)
        with self._one_begins:
            if self._is_closed:
                return []
            for number, some in divided.items():
                self.pools[number].live.update({(one.run.id, one.run.token): one for one in some})
            self._began.update(attempt.run.job for attempt in attempts)
        return [(self.pools[number], some) for number, some in divided.items()]

    def _pool_of(self, attempt: LiveAttempt) -> int:
        """Return the number of the pool that executes it, whoever it was claimed for; the first has what no other
        names."""
        if len(self.pools) == 1:
            return 0
        return next((number for number, pool in enumerate(self.pools) if attempt.run.job in pool.jobs), 0)

    def forget(self, pair: Pair) -> None:
        for pool in self.pools:
            pool.live.pop(pair, None)

    def close(self) -> list[LiveAttempt]:
        """Hold nothing any more, and return what was held."""
        with self._one_begins:
            self._is_closed = True
            live = self.live()
            for pool in self.pools:
                pool.live.clear()
        return live

    def shares(self, free: int) -> dict[str, int]:
        """Return how many runs may be claimed of each queue now: a share is what is held of it at once, at most."""
        if not any(self._queues.values()):
            return dict.fromkeys(self._queues, free)
        held = Counter(attempt.run.queue for attempt in self.live())
        left = {name: min(share - held[name], free) if share else free for name, share in self._queues.items()}
        return {name: room for name, room in left.items() if room > 0}

    def withdraw(self, pools: Sequence[Pool]) -> list[Run]:
        """Take back what has not begun in these, and hold it no more; return its runs."""
        runs = [call.run for pool in pools for call in pool.executor.withdraw()]
        for run in runs:
            self.forget((run.id, run.token))
        return runs

    def began_since_last_look(self) -> list[str]:
        """Return the names of the jobs whose runs were taken since the last call. Safe from any thread."""
        with self._one_begins:
            began, self._began = self._began, set()
        return sorted(began)
