"""Schedules of the code: overrides, orphans, and two versions of the code at once."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from rota import CatchUp, Overlap, Rota, RunContext
from rota.core.definition import Definition
from rota.core.model import Origin, Schedule, ScheduleState, WorkerRecord
from rota.engine.crew import Crew
from rota.errors import Refused, ScheduleInCode
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import an_app, driven, hourly, noon_plus, runs_of
from tests.values import HOUR, MINUTE, NOON, SECOND, a_schedule, a_worker


class Deployment:
    """One store, and processes with different code on it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(clock=self.clock)
        self.alive: list[WorkerRecord] = []

    def start(self, when: str | None, *, job: str = "report", **policy: Any) -> tuple[Rota, Crew]:
        """Start a process whose code declares the job with this schedule."""
        app = an_app(store=self.store, clock=self.clock, tenants=["acme"])

        @app.job(name=job, schedule=when, per_tenant=True, **policy)
        def report(ctx: RunContext) -> None: ...

        crew = app.crew(inline=True)
        self.alive.append(a_worker(id=crew.worker.id, started_at=self.clock.now(), last_seen=self.clock.now()))
        self.store.register(self.alive[-1])
        return app, crew

    def stop(self, crew: Crew) -> None:
        self.alive = [one for one in self.alive if one.id != crew.worker.id]
        self.store.deregister(crew.worker.id)

    def advance(self, by: timedelta, *crews: Crew) -> None:
        """Let time pass in which all live, and let these processes say what their code has."""
        now = self.clock.tick(by)
        for one in self.alive:
            self.store.register(replace(one, last_seen=now))
        for crew in crews:
            crew.services["confirmer"].tick(now)

    def stored(self, name: str = "report") -> Schedule:
        schedule = self.store.schedule(name)
        assert schedule is not None
        return schedule


def test_a_schedule_that_left_the_code_is_orphaned_at_once_when_nobody_else_lives():  # R5
    deployment = Deployment()
    _, old = deployment.start("every hour")
    deployment.stop(old)

    deployment.start("every hour", job="other")

    assert deployment.stored().state is ScheduleState.ORPHANED


def test_while_an_older_process_has_a_schedule_a_newer_one_does_not_orphan_it():  # R5
    deployment = Deployment()
    _, old = deployment.start("every hour")
    _, new = deployment.start("every hour", job="other")

    for _ in range(5):
        deployment.advance(MINUTE + SECOND, old, new)
    assert deployment.stored().state is ScheduleState.ACTIVE
    deployment.stop(old)
    _, another = deployment.start("every hour", job="other")
    deployment.advance(2 * MINUTE, new, another)
    assert deployment.stored().state is ScheduleState.ACTIVE
    deployment.advance(2 * MINUTE, new, another)

    assert deployment.stored().state is ScheduleState.ORPHANED


def test_a_newer_version_that_starts_with_a_new_schedule_keeps_it_from_an_older_one():  # R5
    deployment = Deployment()
    _, old = deployment.start("every hour", job="other")
    _, new = deployment.start("every hour")

    for _ in range(5):
        deployment.advance(MINUTE + SECOND, old, new)

    assert deployment.stored().state is ScheduleState.ACTIVE


def test_whoever_has_an_orphan_in_its_code_takes_it_back():  # R5
    deployment = Deployment()
    _app, old = deployment.start("every hour")
    deployment.stop(old)
    _, _new = deployment.start("every hour", job="other")
    assert deployment.stored().state is ScheduleState.ORPHANED

    _, _back = deployment.start("every hour")

    assert (deployment.stored().state, deployment.stored().reason) == (ScheduleState.ACTIVE, None)


def test_the_process_that_was_started_last_says_what_is_written():  # R5
    deployment = Deployment()
    _, new = deployment.start("daily at 05:00")
    deployment.clock.tick(SECOND)
    # An old process that was restarted in the middle of a deploy writes what it has ...
    _, old = deployment.start("daily at 03:00")
    deployment.advance(2 * MINUTE, old, new)
    assert deployment.stored().timing == "daily at 03:00 UTC"

    # ... and when it is gone, what the others have is written again.
    deployment.stop(old)
    deployment.advance(2 * MINUTE, new)

    assert deployment.stored().timing == "daily at 05:00 UTC"


def test_a_confirmation_is_one_write_a_minute_and_moves_nothing():  # R5
    deployment = Deployment()
    _, crew = deployment.start("every hour")
    before = deployment.stored()

    deployment.advance(30 * SECOND, crew)
    assert deployment.stored() == before
    deployment.advance(31 * SECOND, crew)

    after = deployment.stored()
    assert after == replace(before, confirmed_at=NOON + 61 * SECOND)


def test_an_override_survives_a_deploy_that_changes_the_code_and_goes_back_on_request():  # R5
    deployment = Deployment()
    app, old = deployment.start("every hour")
    app.schedules.override("report", when="every 6 hours", actor="cli:ana", reason="load")
    deployment.stop(old)

    newer, _ = deployment.start("every 2 hours", overlap=Overlap.ALLOW)
    assert (deployment.stored().timing, deployment.stored().origin) == ("every 6 hours", Origin.CODE)
    restored = newer.schedules.restore("report")

    assert (restored.timing, restored.overlap, restored.declared) == ("every 2 hours", Overlap.ALLOW, None)
    assert restored.next_at == NOON + 2 * HOUR
    with pytest.raises(Refused, match="not overridden"):
        newer.schedules.restore("report")


def test_how_old_a_success_may_be_is_overridden_over_deploys_and_given_back():  # R5, R51
    deployment = Deployment()
    app, old = deployment.start("every hour")
    app.schedules.override("report", fresh_within="26h", actor="cli:ana")
    deployment.stop(old)

    newer, _ = deployment.start("every hour", fresh_within="3h", overlap=Overlap.ALLOW)

    assert deployment.stored().fresh_within == 26 * HOUR
    assert newer.schedules.restore("report").fresh_within is None


def test_another_age_of_the_job_rewrites_no_schedule():  # R5, R51
    deployment = Deployment()
    _, old = deployment.start("every hour", fresh_within="3h")
    before = deployment.stored()
    deployment.stop(old)

    deployment.start("every hour", fresh_within="5h")

    assert deployment.stored() == before


def test_a_schedule_that_says_no_age_keeps_the_fingerprint_of_earlier_versions():  # R5, R51
    said = Definition.of(a_schedule())

    assert said.fingerprint == "v17bd901dc4f4d5a6d1abef51725dd86"
    assert Definition.read(said.written) == said


def test_an_age_is_a_part_of_what_a_schedule_says():  # R5, R51
    said = Definition.of(a_schedule(fresh_within=26 * HOUR))

    assert said.fingerprint != Definition.of(a_schedule()).fingerprint
    assert Definition.read(said.written) == said


def test_an_edit_with_sql_of_a_schedule_of_the_code_becomes_an_override():  # R5
    deployment = Deployment()
    app, crew = deployment.start("every hour")
    stored = deployment.stored()
    deployment.store.put_schedule(replace(stored, timing="daily at 13:30"), expected_version=stored.version)

    deployment.advance(MINUTE, crew)
    app.schedules.sync()

    edited = deployment.stored()
    assert (edited.timing, edited.next_at) == ("daily at 13:30", NOON + 90 * MINUTE)
    assert edited.declared is not None
    assert app.schedules.restore("report").timing == "every hour"


def test_a_change_of_a_policy_in_the_code_leaves_missed_slots_missed():  # R5, R8
    deployment = Deployment()
    _, old = deployment.start("every hour")
    deployment.stop(old)
    deployment.clock.tick(3 * HOUR)

    _app, crew = deployment.start("every hour", catch_up=CatchUp.all())
    crew.scheduler.tick(deployment.clock.now())

    assert [round_.slot for round_ in deployment.store.rounds(_all())] == [
        noon_plus(hours=number) for number in (3, 2, 1)
    ]  # fmt: skip


def _all() -> Any:
    from rota.queries import RoundQuery

    return RoundQuery(limit=100)


def test_a_schedule_of_the_code_is_not_deleted_but_an_orphan_is():  # R5
    deployment = Deployment()
    app, old = deployment.start("every hour")
    with pytest.raises(ScheduleInCode, match="pause it"):
        app.schedules.delete("report")
    deployment.stop(old)
    newer, _ = deployment.start("every hour", job="other")

    newer.schedules.delete("report", actor="ana")

    assert deployment.store.schedule("report") is None


def test_a_paused_schedule_of_the_code_stays_paused_over_a_deploy():  # R12
    deployment = Deployment()
    app, old = deployment.start("every hour")
    app.schedules.pause("report", reason="migration", actor="cli:ana")
    deployment.stop(old)

    deployment.start("every 2 hours")

    stored = deployment.stored()
    assert (stored.state, stored.reason, stored.paused_by) == (ScheduleState.PAUSED, "migration", "ana")
    assert stored.timing == "every 2 hours"


def test_a_run_by_hand_uses_up_no_slot():  # R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    before = process.app.schedules.get("report")

    round_ = process.app.schedules.run_now("report", actor="ana")
    process.settle_down()

    assert process.app.schedules.get("report") == before
    assert [(run.round_id, run.slot) for run in runs_of(process.app)] == [(round_.id, None)]
    process.advance(HOUR)
    assert len(seen) == 2
