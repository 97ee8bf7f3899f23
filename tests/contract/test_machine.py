"""Any sequence of calls leaves a store as it leaves the reference.

Hypothesis makes up the calls of two workers, a scheduler and an operator; each goes to `MemoryStore` and to the store
under test, and both must answer and look the same. ROTA_MACHINE_EXAMPLES=2000 soaks.
"""

import os
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from msgspec.structs import replace

from rota.core.lifecycle import rescue
from rota.core.model import OPEN, Outcome, Overlap, Round, RoundState, Run, RunKind, State
from rota.ports import RoundQuery, RunQuery, Store
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import (
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_firing,
    a_request,
    a_round,
    a_run,
    a_schedule,
    a_skipped_round,
    a_worker,
    ended,
)

WORKERS = ("w1", "w2")
EVERYTHING = RunQuery(kind=None, limit=10_000)

workers = st.sampled_from(WORKERS)
outcomes = st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.SUPERSEDED])
some = st.lists(st.integers(0, 30), max_size=5)
drafts = st.fixed_dictionaries(
    {
        "job": st.sampled_from(["report", "mail"]),
        "queue": st.sampled_from(["default", "default", "slow"]),
        "tenant": st.sampled_from([None, "acme", "globex"]),
        "priority": st.integers(-1, 1),
        "due_at": st.sampled_from([NOON - HOUR, NOON, NOON + MINUTE, NOON + HOUR]),
        "schedule": st.sampled_from([None, "nightly"]),
        "slot": st.sampled_from([None, NOON - DAY, NOON, NOON + HOUR]),
        "dedupe_key": st.sampled_from([None, None, "once", "twice"]),
        "concurrency_key": st.sampled_from([None, None, "k", "l"]),
        "overlap": st.sampled_from(list(Overlap)),
        "max_attempts": st.integers(1, 3),
        "kind": st.sampled_from([RunKind.JOB, RunKind.JOB, RunKind.EXPANSION]),
    }
)


class Machine(RuleBasedStateMachine):
    """Says everything twice, and compares."""

    real: Store

    @initialize()
    def begin(self):
        self.model = MemoryStore()
        self.clock = FakeClock()
        self.runs: list[Run] = []
        self.claimed: list[Run] = []
        self.rounds: list[Round] = []
        self.settlements = []
        for store in (self.model, self.real):
            store.register(a_worker(id="w1"))
            store.put_schedule(a_schedule(), expected_version=None)

    @property
    def now(self):
        return self.clock.now()

    def both(self, call):
        expected, answer = call(self.model), call(self.real)
        assert answer == expected
        self.compare()
        return answer

    def compare(self):
        for look in (
            lambda store: store.runs(EVERYTHING),
            lambda store: store.rounds(RoundQuery(limit=1_000)),
            lambda store: store.progress(),
            lambda store: store.schedules(),
            lambda store: store.workers(),
            lambda store: store.finished_rounds(),
            lambda store: (store.counts().waiting, store.counts().oldest_queued_at),
        ):
            assert look(self.real) == look(self.model)

    def picked(self, values, indices):
        return [values[index % len(values)] for index in indices] if values else []

    @rule(batch=st.lists(drafts, min_size=1, max_size=4), with_round=st.booleans())
    def enqueue(self, batch, with_round):
        round_id = self.rounds[-1].id if with_round and self.rounds else None
        runs = [a_run(**draft, round_id=round_id) for draft in batch]
        self.runs += runs
        self.both(lambda store: store.enqueue(runs, now=self.now))

    @rule(tenant=st.sampled_from(["acme", "globex"]), number=st.integers(2, 5))
    def flood(self, tenant, number):
        runs = [a_run(tenant=tenant, slot=NOON - DAY, schedule="nightly", max_attempts=1) for _ in range(number)]
        self.runs += runs
        self.both(lambda store: store.enqueue(runs, now=self.now))

    @rule(indices=some)
    def enqueue_again(self, indices):
        runs = self.picked(self.runs, indices)
        self.both(lambda store: store.enqueue(runs, now=self.now))

    @rule(duration=st.sampled_from([SECOND, 10 * SECOND, MINUTE, HOUR]))
    def tick(self, duration):
        self.clock.tick(duration)

    @rule(back=st.sampled_from([SECOND, MINUTE]))
    def the_wall_clock_goes_back(self, back):
        self.clock.step(-back)

    @rule(limit=st.integers(1, 3))
    def promote(self, limit):
        self.both(lambda store: store.promote(now=self.now, limit=limit))

    @rule()
    def unblock(self):
        self.both(lambda store: store.unblock(now=self.now))

    @rule(worker=workers, limit=st.integers(0, 4), unknown=st.sampled_from([frozenset(), frozenset({"mail"})]))
    def claim(self, worker, limit, unknown):
        request = a_request(worker, limit=limit, queues={"slow": 2, "default": 3}, except_jobs=unknown)
        self.claimed += self.both(lambda store: store.claim(request, now=self.now))

    @rule(worker=workers, indices=some)
    def renew(self, worker, indices):
        held = [(run.id, run.token) for run in self.picked(self.claimed, indices)]
        stamps = {"loop": self.now}
        self.both(lambda store: replace(store.renew(worker, held, lease=LEASE, now=self.now, stamps=stamps), now=NOON))

    @rule(indices=some, outcome=outcomes, final=st.booleans(), worker=st.sampled_from([None, *WORKERS]))
    def settle(self, indices, outcome, final, worker):
        runs = list({run.id: run for run in self.picked(self.claimed, indices)}.values())
        settlements = [ended(run, outcome, now=self.now, retry=not final, started_at=self.now) for run in runs]
        self.settlements += settlements
        request = a_request(worker, limit=2) if worker else None
        answer = self.both(lambda store: store.settle(settlements, now=self.now, claim=request))
        self.claimed += answer.claimed

    @rule(indices=some)
    def settle_again(self, indices):
        chosen = {settlement.run.id: settlement for settlement in self.picked(self.settlements, indices)}
        self.both(lambda store: store.settle(list(chosen.values()), now=self.now))

    @rule(limit=st.integers(1, 3))
    def rescue(self, limit):
        expired = self.both(lambda store: store.expired(now=self.now, limit=limit))
        settlements = [rescue(run, now=self.now) for run in expired]
        self.settlements += settlements
        self.both(lambda store: store.settle(settlements, now=self.now))

    @rule(worker=workers, indices=some)
    def release(self, worker, indices):
        held = [(run.id, run.token) for run in self.picked(self.claimed, indices)]
        self.both(lambda store: store.release(worker, held, now=self.now))

    @rule(indices=some)
    def cancel(self, indices):
        ids = [run.id for run in self.picked(self.runs, indices)]
        self.both(lambda store: store.cancel(ids, now=self.now, reason="ann"))

    @rule(indices=some)
    def requeue(self, indices):
        ids = [run.id for run in self.picked(self.runs, indices)]
        self.both(lambda store: store.requeue(ids, now=self.now, reason="bob"))

    @rule()
    def fire(self):
        for schedule in self.both(lambda store: store.due(now=self.now)):
            firing = a_firing(schedule)
            self.rounds += firing.rounds
            self.runs += firing.runs
            self.both(lambda store, firing=firing: store.fire([firing, firing], now=self.now))

    @rule(slot=st.sampled_from([None, NOON, NOON + HOUR, NOON + DAY]), expanded=st.booleans(), draft=drafts)
    def add_rounds(self, slot, expanded, draft):
        round_ = a_round(slot=slot, expanded=expanded)
        skipped = a_skipped_round(slot=NOON - 2 * DAY, skipped_from=NOON - 3 * DAY)
        run = a_run(**draft, round_id=round_.id)
        self.rounds.append(round_)
        self.runs.append(run)
        self.both(lambda store: store.add_rounds([round_, skipped], [run], now=self.now))

    @rule(state=st.sampled_from([RoundState.SUCCEEDED, RoundState.PARTIAL]))
    def end_rounds(self, state):
        for round_ in self.both(lambda store: store.finished_rounds()):
            done = replace(round_, state=state, counts={"succeeded": 1}, reason="done", ended_at=self.now)
            self.both(lambda store, done=done: store.end_round(done))

    @rule(age=st.sampled_from([timedelta(0), MINUTE, HOUR]), limit=st.integers(1, 4))
    def prune(self, age, limit):
        before = self.now - age
        self.both(
            lambda store: store.prune(
                succeeded_before=before, failed_before=before - MINUTE, slots_before=NOON + MINUTE, limit=limit
            )
        )

    @rule(tenants=st.sampled_from([None, ["acme"], ["", "globex"]]))
    def reset(self, tenants):
        self.both(lambda store: store.reset("nightly", tenants=tenants))

    @rule(since=st.sampled_from([NOON - DAY, NOON]))
    def look_at_slots(self, since):
        self.both(lambda store: store.slot_states("nightly", since=since, until=NOON + 2 * DAY))

    def teardown(self):
        for run in self.runs:
            assert self.real.run(run.id) == self.model.run(run.id)
        self.at_most_one_runs_of_each_key()

    def at_most_one_runs_of_each_key(self):
        running = self.real.runs(replace(EVERYTHING, states=(State.RUNNING,)))
        keys = [run.concurrency_key for run in running if run.concurrency_key is not None]
        assert len(keys) == len(set(keys))
        waiting = [run for run in self.real.runs(replace(EVERYTHING, states=tuple(OPEN))) if run.waits_for]
        assert {run.state for run in waiting} <= {State.SCHEDULED}


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
def test_any_sequence_of_calls_leaves_what_it_leaves_in_memory(kind, begin_anew):
    class OnThisStore(Machine):
        @initialize()
        def begin(self):
            self.real = begin_anew()
            super().begin()

    run_state_machine_as_test(
        OnThisStore,
        settings=settings(
            max_examples=int(os.environ.get("ROTA_MACHINE_EXAMPLES", "10")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
