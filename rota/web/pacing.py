"""Who goes too fast is told when to come again (T58, T59): requests by token, what they start by tenant."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from math import ceil

from rota.clock import Clock
from rota.core.counting import counted
from rota.core.model import State
from rota.core.pace import Bucket, spent
from rota.errors import BacklogFull, TooFast
from rota.ports import Store
from rota.settings.web import WebSettings

MOST_KNOWN = 10_000
"""Tokens or tenants of which it is remembered how fast they go; who was not seen longest is forgotten first."""

BURST_S = 2.0
"""For so many seconds' worth of the rate may come at once."""

WAITING = (State.QUEUED, State.SCHEDULED)

LOOK_EVERY_S = 1.0
SHARE = 0.05
"""Of the time at most so much is spent on counting what waits."""


class Paces:
    """How fast each of many goes."""

    def __init__(self, *, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def spend(self, who: str, *, cost: float = 1.0) -> float:
        """Take what something costs, and return 0; or return after how many seconds it may be asked again."""
        now = self._clock.monotonic()
        with self._lock:
            answer = spent(
                self._buckets.pop(who, None), rate=self._rate, burst=self._rate * BURST_S, now=now, cost=cost
            )
            self._buckets[who] = answer.bucket
            if len(self._buckets) > MOST_KNOWN:
                self._buckets.popitem(last=False)
        return answer.wait_s


class Brakes:
    """Looks at what is about to be started: how fast, for whom, and how much waits already."""

    def __init__(self, web: WebSettings, *, clock: Clock) -> None:
        self._tenants = Paces(rate=web.tenant_rate, clock=clock)
        self._most_queued = web.most_queued
        self._clock = clock
        self._lock = threading.Lock()
        self._queued = 0
        self._look_at = 0.0

    def check(self, store: Store, *, tenants: Sequence[str], runs: int) -> None:
        """Let so many runs for these tenants be made.

        Raises:
            TooFast: one of them is having too much made.
            BacklogFull: too many wait; another one would only wait longer.
        """
        self._check_backlog(store, runs)
        for tenant in tenants:
            wait_s = self._tenants.spend(tenant, cost=max(runs / len(tenants), 1.0))
            if wait_s:
                raise TooFast(f"too much is started for tenant {tenant!r}", retry_after_s=ceil(wait_s))

    def _check_backlog(self, store: Store, runs: int) -> None:
        began = self._clock.monotonic()
        with self._lock:
            looks = began >= self._look_at
            if looks:
                # Nobody else looks meanwhile, and who does not look goes by what was found last.
                self._look_at = began + LOOK_EVERY_S
        if looks:
            queued = _waiting(store)
            took = self._clock.monotonic() - began
            with self._lock:
                self._queued = queued
                self._look_at = began + max(LOOK_EVERY_S, took / SHARE)
        with self._lock:
            if self._queued + runs > self._most_queued:
                raise BacklogFull(f"{counted(self._queued, 'run')} wait already", most=self._most_queued)
            # What comes until the next look is counted here.
            self._queued += runs


def _waiting(store: Store) -> int:
    # Those for later as well: who asks for next week would else fill the store without end.
    return sum(states.get(one, 0) for states in store.counts().by_queue.values() for one in WAITING)
