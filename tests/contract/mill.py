"""A worker in miniature, whose process may die anywhere."""

from collections import Counter
from datetime import timedelta

from rota.core.lifecycle import rescue
from rota.core.model import OPEN, Outcome, Run, Settlement, State
from rota.ports import Store
from rota.queries import RunQuery
from tests.clocks import FakeClock
from tests.values import LEASE, MINUTE, NOON, a_request, a_slot_run, failed, history, succeeded, the_progress

RESCUE_AFTER = LEASE + timedelta(seconds=2)


class Mill:
    """It enqueues, claims, executes into a journal, settles, and fails one run once."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock()
        self.journal: list[str] = []
        self.runs = [
            a_slot_run(tenant="acme", concurrency_key="nightly|acme", max_attempts=3),
            a_slot_run(tenant="acme", concurrency_key="nightly|acme", slot=NOON + MINUTE, max_attempts=3),
            a_slot_run(tenant="globex", max_attempts=3),
        ]

    def run(self, store: Store) -> None:
        self._work(store, "w1")

    def restart(self, store: Store) -> None:
        # Nobody renews: the leases of the dead run out.
        now = self.clock.tick(RESCUE_AFTER)
        store.settle([rescue(run, now=now) for run in store.expired(now=now)], now=now)
        self._work(store, "w2")

    def _work(self, store: Store, worker: str) -> None:
        store.enqueue(self.runs, now=self.clock.now())
        held: list[Run] = []
        while True:
            now = self.clock.now()
            store.promote(now=now)
            done = [self._execute(run) for run in held]
            held = store.settle(done, now=now, claim=a_request(worker, limit=2)).claimed
            if not held:
                if store.counts().by_queue == {}:
                    return
                self.clock.tick(MINUTE)
                store.unblock(now=self.clock.now())

    def _execute(self, run: Run) -> Settlement:
        self.journal.append(run.id)
        fails = run.tenant == "globex" and run.attempt == 1
        return (failed if fails else succeeded)(run, now=self.clock.now())

    def check(self) -> None:
        executed = Counter(self.journal)
        for run in self.runs:
            stored = history(self.store, run.id)
            ends = [attempt.outcome for attempt in stored.attempts]
            assert stored.run.state is State.SUCCEEDED
            assert ends.count(Outcome.SUCCEEDED) == 1
            # Started more often than recorded only where an attempt was lost (G7).
            recorded = len(ends) - ends.count(Outcome.LOST)
            assert recorded <= executed[run.id] <= len(ends)
            assert len({attempt.token for attempt in stored.attempts}) == len(ends)
        assert self.store.runs(RunQuery(states=tuple(OPEN), kind=None)) == []
        assert the_progress(self.store).last_success == NOON + MINUTE
        assert the_progress(self.store, tenant="globex").last_success == NOON
        # Of one key in order, whatever died: the first success of the later slot comes after the earlier one's.
        first, second = (self.journal.index(run.id) for run in self.runs[:2])
        assert first < second
