"""A hundred thousand triggers: no more is taken than may wait, and nothing grows with who asks (T59).

`python -m bench.flood` sends as many to a real server.
"""

from datetime import timedelta

import pytest

from rota.core.model import State
from rota.errors import BacklogFull
from rota.queries import Counts
from rota.settings.web import WebSettings
from rota.stores.memory import MemoryStore
from rota.testing import FakeClock
from rota.web import pacing
from rota.web.pacing import Brakes, Paces

FLOOD = 100_000
MOST = 1_000


class Filling(MemoryStore):
    """A store of which only the number of runs that wait matters."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state
        self.waiting = 0
        self.looks = 0

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        self.looks += 1
        return Counts(by_queue={"default": {self.state: self.waiting}}, waiting=0, oldest_queued_at=None)


@pytest.mark.parametrize("state", [State.QUEUED, State.SCHEDULED])
def test_of_a_flood_so_much_is_taken_as_may_wait(state):  # T59
    store, clock = Filling(state), FakeClock()
    brakes = Brakes(WebSettings(most_queued=MOST), clock=clock)
    refused = most = 0

    for number in range(FLOOD):
        try:
            brakes.check(store, tenants=(), runs=1)
            store.waiting += 1
        except BacklogFull:
            refused += 1
        most = max(most, store.waiting)
        if number % 1_000 == 999:
            # A second goes by, in which workers end a few.
            clock.advance(timedelta(seconds=1))
            store.waiting -= 10

    assert most == MOST
    assert refused == FLOOD - MOST - 99 * 10
    # Nobody counts what waits for each who asks.
    assert store.looks <= FLOOD // 1_000


def test_who_asks_under_ever_other_names_fills_no_memory(monkeypatch: pytest.MonkeyPatch):  # T59, J14
    monkeypatch.setattr(pacing, "MOST_KNOWN", MOST)
    paces = Paces(rate=1.0, clock=FakeClock())

    for number in range(FLOOD):
        paces.spend(f"token-{number}")

    assert len(paces._buckets) == MOST
