"""A process dies anywhere; whoever comes after finishes its work. (R30, R43)"""

from msgspec.structs import replace

from rota.core.lifecycle import rescue
from rota.core.model import Outcome, Run, State
from rota.core.policy import Overlap
from rota.ports import Store
from rota.queries import AuditQuery, RoundQuery, RunQuery
from tests.contract.mill import RESCUE_AFTER, Mill
from tests.crash import crash_points
from tests.values import (
    LEASE,
    NOON,
    a_control,
    a_firing,
    a_request,
    a_run,
    a_schedule,
    an_entry,
    ended,
    ids,
    outcomes,
    settle_all,
    succeeded,
)

BATCH = "campaign/7"


def test_a_worker_may_die_at_any_call(begin_anew):
    points = crash_points(lambda: Mill(begin_anew()))

    assert {point.verb for point in points} >= {"enqueue", "promote", "settle", "counts"}
    assert len(points) > 20


class Firer:
    """A scheduler in miniature: it fires what is due until nothing is."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.schedules = [a_schedule(name=name) for name in ("a", "b", "c")]

    def run(self, store: Store) -> None:
        for schedule in self.schedules:
            store.put_schedule(schedule, expected_version=None)
        while due := store.due(now=NOON, limit=2):
            store.fire([a_firing(schedule) for schedule in due], now=NOON)

    def restart(self, store: Store) -> None:
        self.run(store)

    def check(self) -> None:
        rounds = self.store.rounds(RoundQuery())
        runs = self.store.runs(RunQuery(kind=None))
        assert sorted(round_.schedule or "" for round_ in rounds) == ["a", "b", "c"]
        assert sorted(run.round_id or "" for run in runs) == sorted(round_.id for round_ in rounds)
        assert {schedule.cursor for schedule in self.store.schedules()} == {NOON}


def test_a_scheduler_may_die_at_any_call(begin_anew):
    points = crash_points(lambda: Firer(begin_anew()))

    assert {point.verb for point in points} == {"put_schedule", "due", "fire"}


def test_a_worker_may_die_while_it_gives_back(store):
    runs = [a_run() for _ in range(3)]
    store.enqueue(runs, now=NOON)
    claimed = store.claim(a_request(), now=NOON)

    store.release("w1", [(claimed[0].id, claimed[0].token)], now=NOON)
    late = NOON + RESCUE_AFTER
    settle_all(store, *[rescue(run, now=late) for run in store.expired(now=late)], now=late)

    assert ids(store.claim(a_request("w2"), now=late)) == ids(runs)
    assert [outcomes(store, run.id)[:-1] for run in runs] == [[], [Outcome.LOST], [Outcome.LOST]]


class Porter:
    """A keeper of gates in miniature, with a worker: it lets through what there are places for, and finishes it."""

    PLACES = 2

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOON
        self.most = 0
        self.runs = [
            a_run(held_by=BATCH, batch=BATCH, concurrency_key=f"line-{number % 3}", tenant=f"t{number % 2}")
            for number in range(5)
        ]
        self.entry = an_entry()

    def run(self, store: Store) -> None:
        self._work(store, "w1")

    def restart(self, store: Store) -> None:
        # Nobody renews: the leases of the dead run out.
        self.now += RESCUE_AFTER
        store.settle([rescue(run, now=self.now) for run in store.expired(now=self.now)], now=self.now)
        self._work(store, "w2")

    def _work(self, store: Store, worker: str) -> None:
        store.enqueue(self.runs, now=self.now)
        store.put_control(a_control(), expected_version=None, audit=self.entry)
        store.hold("tenant/t1", tenant="t1", now=self.now)
        store.skip_held([self.runs[4].id], now=self.now, reason="made up")
        while store.counts().by_queue:
            for gate in store.gates():
                places = self.PLACES if gate == BATCH else None
                store.admit(gate, now=self.now, places=places, to=None if gate == BATCH else BATCH)
            counts = self.store.batch_counts(BATCH)
            self.most = max(self.most, counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0))
            claimed = store.claim(a_request(worker), now=self.now)
            store.settle([succeeded(run, now=self.now) for run in claimed], now=self.now)

    def check(self) -> None:
        assert self.most <= self.PLACES
        assert self.store.gates() == []
        assert self.store.batch_counts(BATCH) == {State.SUCCEEDED: 4, State.SKIPPED: 1}
        assert self.store.controls() == [a_control()]
        assert self.store.audit(AuditQuery()) == [self.entry]


def test_a_keeper_of_gates_may_die_at_any_call(begin_anew):  # R13, R30, R35
    points = crash_points(lambda: Porter(begin_anew()))

    assert {point.verb for point in points} >= {"put_control", "hold", "skip_held", "gates", "admit", "claim", "settle"}


class Replacer:
    """Somebody who wants the newest state worked on and nothing older, and a worker that obeys."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOON
        self.runs = [a_run(concurrency_key="k", overlap=Overlap.REPLACE) for _ in range(3)]

    def run(self, store: Store) -> None:
        self._work(store, "w1")

    def restart(self, store: Store) -> None:
        self.now += RESCUE_AFTER
        store.settle([rescue(run, now=self.now) for run in store.expired(now=self.now)], now=self.now)
        self._work(store, "w2")

    def _work(self, store: Store, worker: str) -> None:
        held: list[Run] = []
        for run in self.runs:
            store.enqueue([run], now=self.now)
            held += store.claim(a_request(worker), now=self.now)
        while held:
            stop = store.renew(worker, [(run.id, run.token) for run in held], lease=LEASE, now=self.now, stamps={}).stop
            ends = [
                ended(replace(run, cancel_requested=run.id in stop), now=self.now, outcome=_end(run, stop))
                for run in held
            ]
            held = store.settle(ends, now=self.now, claim=a_request(worker)).claimed

    def check(self) -> None:
        assert self.store.counts().by_queue == {}
        assert [run.state for run in self.store.runs(RunQuery())][:1] == [State.SUCCEEDED]
        assert {run.state for run in self.store.runs(RunQuery())} <= {State.SUCCEEDED, State.CANCELLED}


def _end(run: Run, stop: frozenset[str]) -> Outcome:
    return Outcome.CANCELLED if run.id in stop else Outcome.SUCCEEDED


def test_who_replaces_runs_may_die_at_any_call(begin_anew):  # R10, R30
    points = crash_points(lambda: Replacer(begin_anew()))

    assert {point.verb for point in points} == {"enqueue", "claim", "renew", "settle"}
