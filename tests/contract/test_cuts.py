"""The services of a process, with each of their calls to the store cut off in turn: the jobs' journal stays the same.

No process dies here, so that nothing may start twice. What a death allows is in tests/engine/test_crash.py.
"""

from contextlib import suppress

import pytest

from rota import Retry, Rota, RunContext, State, every
from rota.core.controls import Pause, Paused
from rota.core.model import Outcome, RoundState
from rota.errors import StoreUnavailable
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven, an_app, rounds_of, runs_of
from tests.values import HOUR, MINUTE, SECOND, a_control, a_run, a_worker, claim

TENANTS = ("acme", "globex", "initech")
ROUNDS = 3
SERVICES = (
    "standing", "scheduler", "resumer", "promoter", "rescuer", "neighbours", "gatekeeper", "worker", "closer",
)  # fmt: skip
# What these services call, each at least three times while this mix runs.
VERBS = (
    "claim", "settle", "renew", "release", "enqueue", "promote", "unblock", "expired", "now", "due", "fire",
    "schedules", "finished_rounds", "round_counts", "end_round", "workers",
    "controls", "drop_control", "hold", "gates", "held", "admit",
)  # fmt: skip


class Mix:
    """A process with a schedule for three tenants, one of which fails at first, and a job that depends on it, among
    what other workers left behind: runs that they claimed and never began, and runs of jobs that only they know. One
    job is paused now and then."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(clock=self.clock)
        client, self.line = flaky(self.store)
        self.app = an_app(store=client, clock=self.clock, tenants=TENANTS)
        self.journal: list[tuple[object, ...]] = []
        self.strangers: list[str] = []
        self._declare(self.app)
        self.store.register(a_worker(id="gone", host="another host"))
        self.crew = self.app.crew(inline=True)

    def _declare(self, app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=Retry(attempts=2, base=MINUTE, jitter=False))
        def report(ctx: RunContext) -> None:
            self.journal.append(("report", ctx.slot, ctx.tenant.id, ctx.attempt))
            self._tick("heartbeat")
            if ctx.tenant.id == "acme" and ctx.attempt == 1:
                raise ValueError("the first attempt fails")

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, depends_on=[report])
        def digest(ctx: RunContext) -> None:
            assert ("report", ctx.slot, ctx.tenant.id, 2 if ctx.tenant.id == "acme" else 1) in self.journal
            self.journal.append(("digest", ctx.slot, ctx.tenant.id))

        @app.job()
        def count(number: int) -> None:
            self.journal.append(("count", number))

    def _pause(self) -> None:
        now = self.clock.now()
        pause = Pause(kind=Paused.JOB, name="count", reason="migration", since=now, until=now + 90 * SECOND)
        control = a_control(name="job/count", body=pause.body(), changed_at=now)
        assert self.store.put_control(control, expected_version=None)

    def _tick(self, name: str) -> None:
        services = {"worker": self.crew.worker, "heartbeat": self.crew.heartbeat, **self.crew.services}
        # As its loop does, which logs it and comes back.
        with suppress(StoreUnavailable):
            services[name].tick(self.clock.now())

    def run(self) -> None:
        for number in range(ROUNDS):
            count = a_run(job="count", args=f'{{"args":[{number}],"kwargs":{{}}}}', due_at=self.clock.now())
            self.store.enqueue([count], now=self.clock.now())
            others = frozenset(f"stranger-{old}" for old in range(number))
            assert len(claim(self.store, "gone", now=self.clock.now(), except_jobs=others)) == 1
            stranger = a_run(job=f"stranger-{number}", due_at=self.clock.now())
            self.strangers.append(stranger.id)
            self.store.enqueue([stranger], now=self.clock.now())
            self.clock.tick(HOUR)
            self._pause()
            for _ in range(6):
                self._settle_down()
                # Longer than a lease and than the wait for a retry.
                self.clock.tick(MINUTE + SECOND)
        self._settle_down()

    def _settle_down(self) -> None:
        for _ in range(8):
            for name in SERVICES:
                self._tick(name)

    def check(self) -> None:
        slots = sorted({round_.slot for round_ in rounds_of(self.app) if round_.slot is not None})
        starts = [("report", slot, tenant, 1) for slot in slots for tenant in TENANTS]
        starts += [("report", slot, "acme", 2) for slot in slots]
        starts += [("digest", slot, tenant) for slot in slots for tenant in TENANTS]
        starts += [("count", number) for number in range(ROUNDS)]
        assert len(slots) == ROUNDS
        assert sorted(map(str, self.journal)) == sorted(map(str, starts))
        known = [run for run in runs_of(self.app) if run.id not in self.strangers]
        assert {run.state for run in known} == {State.SUCCEEDED}
        assert {run.lost_count for run in known if run.job == "count"} == {1}
        strangers = [run for run in runs_of(self.app) if run.id in self.strangers]
        assert {(run.state, run.attempt) for run in strangers} == {(State.QUEUED, 0)}
        assert {round_.state for round_ in rounds_of(self.app)} == {RoundState.SUCCEEDED}
        assert (self.store.gates(), self.store.controls()) == ([], [])
        outcomes = [self._outcomes(run.id) for run in known if (run.job, run.tenant) == ("report", "acme")]
        assert outcomes == [[Outcome.FAILED, Outcome.SUCCEEDED]] * ROUNDS

    def _outcomes(self, run_id: str) -> list[Outcome | None]:
        history = self.store.run(run_id)
        assert history is not None
        return [attempt.outcome for attempt in history.attempts]


def test_without_a_cut_every_verb_is_called_three_times():
    mix = Mix()

    mix.run()

    mix.check()
    assert [verb for verb in VERBS if mix.line.calls[verb] < 3] == []


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_is_cut_off_loses_nothing_and_starts_nothing_twice(verb, moment, call):  # R30, G1-G4, G7
    mix = Mix()
    mix.line.cut(verb, moment, call=call)

    mix.run()

    assert mix.line.is_done, "the cut never came: this proves nothing"
    mix.check()


@pytest.mark.parametrize("verb", ["claim", "settle", "renew", "fire", "release"])
def test_three_calls_in_a_row_that_lose_their_answers_do_no_more_harm_than_one(verb):  # R30
    mix = Mix()
    for call in (1, 2, 3):
        mix.line.cut(verb, Moment.AFTER, call=call)

    mix.run()

    assert mix.line.is_done
    mix.check()


@pytest.mark.parametrize("moment", list(Moment))
def test_a_store_that_is_away_for_a_moment_does_not_fail_the_round_of_a_job_without_retries(moment):  # G4, R20
    clock = FakeClock()
    client, line = flaky(MemoryStore(clock=clock))
    app = an_app(store=client, clock=clock, tenants=TENANTS)

    @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=Retry(attempts=1))
    def report(ctx: RunContext) -> None: ...

    process = Driven(app, clock)
    clock.tick(HOUR)
    line.cut("enqueue", moment)

    process.settle_down()
    process.advance(MINUTE)

    assert line.is_done
    assert [run.state for run in runs_of(app)] == [State.SUCCEEDED] * len(TENANTS)
    assert [round_.state for round_ in rounds_of(app)] == [RoundState.SUCCEEDED]
