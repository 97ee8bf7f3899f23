"""A process dies anywhere; whoever comes after finishes its work. (R30, R43)"""

from rota.core.lifecycle import rescue
from rota.core.model import Outcome
from rota.ports import RoundQuery, RunQuery, Store
from tests.contract.mill import RESCUE_AFTER, Mill
from tests.crash import crash_points
from tests.values import (
    NOON,
    a_firing,
    a_request,
    a_run,
    a_schedule,
    ids,
    outcomes,
    settle_all,
)


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
