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

from rota.core.controls import ControlKind
from rota.core.lifecycle import rescue
from rota.core.limits import Bounds, Limit, LimitScope, Rate, place_of, reopened
from rota.core.model import OPEN, LogChunk, LogLine, Note, Outcome, Round, RoundState, Run, RunKind, State
from rota.core.policy import Overlap
from rota.core.unique import Conflict, Scope, UniqueRun
from rota.errors import NotUnique
from rota.ports import Store
from rota.queries import AuditQuery, RoundQuery, RunQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.values import (
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_control,
    a_firing,
    a_request,
    a_round,
    a_run,
    a_schedule,
    a_skipped_round,
    a_worker,
    an_entry,
    ended,
)

WORKERS = ("w1", "w2")
BATCH = "campaign/7"
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
        "held_by": st.sampled_from([None, None, None, "depends", "canary/1", BATCH]),
        "batch": st.sampled_from([None, BATCH]),
        "parent": st.sampled_from([None, None, f"{7:032x}"]),
        "limit_key": st.sampled_from([None, None, "smtp"]),
        "host": st.sampled_from([None, "db1"]),
        "expires_at": st.sampled_from([None, None, None, NOON + 2 * MINUTE, NOON + 2 * HOUR]),
    }
)
names = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(list(Scope)), st.sampled_from(list(Conflict)))
limits = st.lists(
    st.builds(
        Limit,
        scope=st.sampled_from(list(LimitScope)),
        name=st.sampled_from(["*", "report", "default", "acme", "smtp", "db1"]),
        running=st.sampled_from([None, 1, 2, 3]),
        rate=st.sampled_from([None, None, Rate(number=2, per=MINUTE)]),
    ),
    max_size=4,
    unique_by=lambda limit: limit.known_as,
).map(tuple)
gates = st.sampled_from(["depends", "canary/1", BATCH, "job/report", "tenant/acme"])


def a_draft(draft, **fields):
    # Heavier as a tenant, not as a run: runs of one tenant with different weights in one call are nobody's promise.
    return a_run(**draft, weight=2.0 if draft["tenant"] == "acme" else 1.0, **fields)


def a_unique(draft, name, scope, conflict, *, until):
    kept_until = until if scope is Scope.PERIOD else None
    # Runs with dedupe keys that others may have are not meant.
    run = a_draft(draft | {"dedupe_key": None})
    return UniqueRun(run=run, name=name, scope=scope, conflict=conflict, kept_until=kept_until)


def asked_for(store, wanted, now):
    try:
        return store.enqueue_unique(wanted, now=now)
    except NotUnique as error:
        return error.run_id


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
        self.expired: list[Run] = []
        self.limits: tuple[Limit, ...] = ()
        self.newest: dict[str, int] = {}
        self.recorded: set[tuple[str, int]] = set()
        self.rescued: set[tuple[str, int]] = set()
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
            lambda store: {gate: store.held(gate) for gate in store.gates()},
            lambda store: store.limit_use(self.limits, now=self.now, counts_aside=True),
            lambda store: [replace(use, aside=1) for use in store.limit_use(self.limits, now=self.now)],
            lambda store: store.batch_counts(BATCH),
            lambda store: store.controls(),
            lambda store: store.audit(AuditQuery(limit=1_000)),
        ):
            assert look(self.real) == look(self.model)

    def picked(self, values, indices):
        return [values[index % len(values)] for index in indices] if values else []

    @rule(batch=st.lists(drafts, min_size=1, max_size=4), with_round=st.booleans())
    def enqueue(self, batch, with_round):
        round_id = self.rounds[-1].id if with_round and self.rounds else None
        runs = [a_draft(draft, round_id=round_id) for draft in batch]
        self.runs += runs
        self.both(lambda store: store.enqueue(runs, now=self.now))

    @rule(tenant=st.sampled_from(["acme", "globex"]), number=st.integers(2, 5))
    def flood(self, tenant, number):
        flooding = {"tenant": tenant, "slot": NOON - DAY, "schedule": "nightly", "max_attempts": 1}
        runs = [a_draft(flooding) for _ in range(number)]
        self.runs += runs
        self.both(lambda store: store.enqueue(runs, now=self.now))

    @rule(indices=some)
    def enqueue_again(self, indices):
        runs = self.picked(self.runs, indices)
        self.both(lambda store: store.enqueue(runs, now=self.now))

    @rule(batch=st.lists(st.tuples(drafts, names), min_size=1, max_size=3), is_repeated=st.booleans())
    def enqueue_unique(self, batch, is_repeated):
        wanted = [a_unique(draft, *name, until=self.now + MINUTE) for draft, name in batch]
        self.runs += [one.run for one in wanted]
        for _ in range(1 + is_repeated):
            self.both(lambda store: asked_for(store, wanted, self.now))

    @rule()
    def expire(self):
        self.both(lambda store: sorted(store.expire(now=self.now)))

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

    @rule(
        worker=workers,
        limit=st.integers(0, 4),
        unknown=st.sampled_from([frozenset(), frozenset({"mail"})]),
        paused=st.sampled_from([frozenset(), frozenset({"acme"})]),
    )
    def claim(self, worker, limit, unknown, paused):
        queues = {"slow": 2, "default": 3}
        request = a_request(worker, limit=limit, queues=queues, except_jobs=unknown, except_tenants=paused)
        self.take(self.both(lambda store: store.claim(request, now=self.now)))

    @rule(declared=limits)
    def change_limits(self, declared):
        self.limits = declared

    @rule(worker=workers, limit=st.integers(1, 6), is_told=st.booleans(), indices=some, looks=st.booleans())
    def claim_under_limits(self, worker, limit, is_told, indices, looks):
        """As a worker: it settles, names the limits of what it settled, and perhaps those that a look found open."""
        before = {use.name: use for use in self.model.limit_use(self.limits, now=self.now, counts_aside=True)}
        chosen = self.picked(self.claimed, indices) if is_told else []
        settlements = [ended(run, now=self.now) for run in {run.id: run for run in chosen}.values()]
        bounds = Bounds(self.limits)
        names = dict.fromkeys(name for one in settlements for name in bounds.names(place_of(one.run)))
        if looks:
            names |= dict.fromkeys(reopened(self.limits, before.values(), now=self.now)[0])
        queues = {"default": limit, "slow": 2}
        request = a_request(worker, limit=limit, queues=queues, limits=self.limits, reopened=tuple(names))
        answer = self.both(lambda store: store.settle(settlements, now=self.now, claim=request))
        self.judge(settlements, answer.applied)
        self.take(answer.claimed)
        after = {use.name: use for use in self.model.limit_use(self.limits, now=self.now, counts_aside=True)}
        for run in answer.claimed:
            for name, bound in bounds.of(place_of(run)):
                assert bound.running is None or after[name].running <= bound.running
                assert bound.rate is None or after[name].started <= bound.rate.number

    def take(self, claimed):
        for run in claimed:
            # The rule itself, not what the reference makes of it: both might be wrong alike (G5).
            assert run.token > self.newest.get(run.id, 0)
            self.newest[run.id] = run.token
        self.claimed += claimed

    def judge(self, settlements, applied):
        for settlement in settlements:
            key = (settlement.run.id, settlement.run.token)
            if settlement.run.id in applied:
                assert key in self.recorded or self.newest[settlement.run.id] == settlement.run.token
                self.recorded.add(key)

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
        self.judge(settlements, answer.applied)
        self.take(answer.claimed)

    @rule(indices=some)
    def settle_again(self, indices):
        chosen = {settlement.run.id: settlement for settlement in self.picked(self.settlements, indices)}
        answer = self.both(lambda store: store.settle(list(chosen.values()), now=self.now))
        self.judge(chosen.values(), answer.applied)

    @rule(limit=st.integers(1, 3))
    def rescue(self, limit):
        self.write_rescues(self.both(lambda store: store.expired(now=self.now, limit=limit)))

    @rule(limit=st.integers(1, 3), all_of_them=st.booleans())
    def a_heartbeat_comes_between_the_reading_and_the_writing_of_a_rescuer(self, limit, all_of_them):
        self.clock.tick(HOUR)
        expired = self.both(lambda store: store.expired(now=self.now, limit=limit))
        for run in expired if all_of_them else expired[:1]:
            held = [(run.id, run.token)]
            self.both(
                lambda store, run=run, held=held: replace(
                    store.renew(run.owner, held, lease=LEASE, now=self.now, stamps={}), now=NOON
                )
            )
        self.write_rescues(expired)

    @rule(limit=st.integers(1, 3), outcome=outcomes)
    def a_worker_freezes_and_comes_back_when_another_has_its_runs(self, limit, outcome):
        queues = {"slow": 3, "default": 3}
        mine = a_request("w1", limit=limit, queues=queues)
        frozen = self.both(lambda store: store.claim(mine, now=self.now))
        self.take(frozen)
        self.clock.tick(HOUR)
        self.write_rescues(self.both(lambda store: store.expired(now=self.now, limit=100)))
        others = a_request("w2", limit=20, queues={"slow": 20, "default": 20})
        self.take(self.both(lambda store: store.claim(others, now=self.now)))
        settlements = [ended(run, outcome, now=self.now, started_at=self.now) for run in frozen]
        self.settlements += settlements
        answer = self.both(lambda store: store.settle(settlements, now=self.now))
        self.judge(settlements, answer.applied)

    @rule(limit=st.integers(1, 3))
    def a_rescuer_reads(self, limit):
        self.expired += self.both(lambda store: store.expired(now=self.now, limit=limit))

    @rule(indices=some)
    def a_rescuer_writes_what_it_read_a_while_ago(self, indices):
        self.write_rescues(list({run.id: run for run in self.picked(self.expired, indices)}.values()))

    def write_rescues(self, expired):
        settlements = [rescue(run, now=self.now) for run in expired]
        before = {run.id: self.model.run(run.id).run for run in expired if self.model.run(run.id) is not None}
        answer = self.both(lambda store: store.settle(settlements, now=self.now))
        self.settlements += settlements
        self.judge(settlements, answer.applied)
        for run in expired:
            if run.id in answer.applied and (run.id, run.token) not in self.rescued:
                # Renewed since it was read: void (6.7).
                assert before[run.id].lease_until == run.lease_until
                self.rescued.add((run.id, run.token))

    @rule(worker=workers, indices=some)
    def release(self, worker, indices):
        held = [(run.id, run.token) for run in self.picked(self.claimed, indices)]
        self.both(lambda store: store.release(worker, held, now=self.now))

    @rule(indices=some, number=st.integers(0, 3), done=st.sampled_from([None, 1, 2]), drops=st.booleans())
    def note(self, indices, number, done, drops):
        # Which of the chunks of one instant are pruned first is nobody's promise: each call writes one, at an instant
        # of its own.
        self.clock.advance(timedelta(microseconds=1))
        line = LogLine(at=self.now, level="INFO", source="stdout", text="said")
        noted = self.picked(self.claimed, indices)
        notes = [
            Note(
                run_id=run.id,
                token=run.token,
                done=done,
                total=3 if done == 2 else None,
                chunks=(LogChunk(run_id=run.id, token=run.token, number=number, lines=(line,)),)
                if run is noted[0]
                else (),
                drop=(0, number) if drops else None,
            )
            for run in noted
        ]
        self.both(lambda store: store.note(notes, now=self.now))

    @rule(indices=some, is_told=st.booleans())
    def cancel(self, indices, is_told):
        ids = [run.id for run in self.picked(self.runs, indices)]
        audit = an_entry(at=self.now) if is_told else None
        self.both(lambda store: store.cancel(ids, now=self.now, reason="ann", audit=audit))

    @rule(indices=some, behind=st.lists(st.integers(0, 30), max_size=1), gate=st.sampled_from([None, BATCH, "depends"]))
    def give_up(self, indices, behind, gate):
        ids = [run.id for run in self.picked(self.runs, indices)]
        before = [run.id for run in self.picked(self.runs, behind)]
        self.both(
            lambda store: store.cancel(ids, now=self.now, reason="cy", held_by=gate, behind=next(iter(before), None))
        )

    @rule(indices=some, gate=st.sampled_from([None, None, BATCH]), is_told=st.booleans())
    def requeue(self, indices, gate, is_told):
        ids = [run.id for run in self.picked(self.runs, indices)]
        audit = an_entry(at=self.now, action="run.retry") if is_told else None
        self.both(lambda store: store.requeue(ids, now=self.now, reason="bob", held_by=gate, batch=gate, audit=audit))

    @rule(what=st.sampled_from([{"job": "report"}, {"tenant": "acme"}]))
    def hold(self, what):
        [gate] = [f"{kind}/{name}" for kind, name in what.items()]
        # Without a limit that matters: which ones go first is left to the store.
        self.both(lambda store: store.hold(gate, **what, now=self.now, limit=10_000))

    @rule(gate=gates, limit=st.integers(0, 3), to=st.sampled_from([None, None, "depends", BATCH]))
    def admit(self, gate, limit, to):
        if to != gate:
            self.both(lambda store: store.admit(gate, now=self.now, limit=limit, to=to))

    @rule(gate=gates, indices=some)
    def admit_by_name(self, gate, indices):
        ids = [run.id for run in self.picked(self.runs, indices)]
        self.both(lambda store: store.admit(gate, now=self.now, ids=ids))

    @rule(places=st.integers(0, 4), to=st.sampled_from([None, "depends"]))
    def admit_to_places(self, places, to):
        before = self.real.batch_counts(BATCH)
        admitted = self.both(lambda store: store.admit(BATCH, now=self.now, places=places, to=to))
        # The rule itself, not what the reference makes of it: both might be wrong alike (R35).
        busy = sum(before.get(state, 0) for state in (State.QUEUED, State.RUNNING))
        assert len(admitted) <= max(places - busy, 0)

    @rule(indices=some)
    def skip_held(self, indices):
        ids = [run.id for run in self.picked(self.runs, indices)]
        self.both(lambda store: store.skip_held(ids, now=self.now, reason="made up"))

    @rule(name=st.sampled_from(["tenant/acme", "job/report"]), is_late=st.booleans())
    def change_a_control(self, name, is_late):
        stored = self.model.control(ControlKind.PAUSE, name)
        version = stored.version if stored else 0
        control = a_control(name=name, version=version + 1, changed_at=self.now)
        # Whoever is late has seen the version before.
        expected = version - is_late or None
        audit = an_entry(at=self.now, action="tenant.pause")
        self.both(lambda store: store.put_control(control, expected_version=expected, audit=audit))

    @rule(name=st.sampled_from(["tenant/acme", "job/report"]), version=st.integers(1, 3))
    def drop_a_control(self, name, version):
        self.both(lambda store: store.drop_control(ControlKind.PAUSE, name, expected_version=version))

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
        run = a_draft(draft, round_id=round_.id)
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
                succeeded_before=before,
                failed_before=before - MINUTE,
                slots_before=NOON + MINUTE,
                logs_before=before,
                audit_before=before,
                limit=limit,
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
            if self.model.run(run.id) is not None:
                assert self.real.log(run.id) == self.model.log(run.id)
        self.at_most_one_runs_of_each_key()

    def at_most_one_runs_of_each_key(self):
        running = self.real.runs(replace(EVERYTHING, states=(State.RUNNING,)))
        keys = [run.concurrency_key for run in running if run.concurrency_key is not None]
        assert len(keys) == len(set(keys))
        waiting = [run for run in self.real.runs(replace(EVERYTHING, states=tuple(OPEN))) if run.waits_for]
        assert {run.state for run in waiting} <= {State.SCHEDULED}
        gated = [run for run in self.real.runs(EVERYTHING) if run.held_by is not None]
        assert {run.state for run in gated if not run.state.is_final} <= {State.SCHEDULED}


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb", "redis"])
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
