"""Rows of `cron_jobs` as an application writes them: what each means, and what becomes of it (R6, R7)."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from rota import Rota, RunContext
from rota.core.controls import AuditEntry
from rota.core.cron_jobs import INACTIVE, CronJobRow, timing_of
from rota.core.events import ScheduleBroken
from rota.core.model import Schedule, ScheduleState
from rota.errors import BadSchedule
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.house import Driven, an_app, noon_plus
from tests.values import HOUR, MINUTE, NOON


class RowStore(MemoryStore):
    """A memory store with a table of such rows."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self.rows: dict[int, CronJobRow] = {}
        self.taken: dict[int, str] = {}
        self.problems: dict[int, str | None] = {}

    def write(self, **fields: Any) -> None:
        """Insert or update a row, as an application does."""
        row = CronJobRow(**{"seen": ""} | fields)
        self.rows[row.id] = replace(row, seen=repr(row))

    def changed_rows(self, limit: int = 500) -> list[CronJobRow]:
        return [row for id_, row in sorted(self.rows.items()) if self.taken.get(id_) != row.seen][:limit]

    def take_row(
        self, row: CronJobRow, schedule: Schedule | None, *, expected_version: int | None, problem: str | None
    ) -> bool:
        if self.rows.get(row.id) != row:
            return False
        if schedule is not None and not self.put_schedule(schedule, expected_version=expected_version):
            return False
        self.taken[row.id], self.problems[row.id] = row.seen, problem
        return True

    def lost_rows(self, limit: int = 500) -> list[Schedule]:
        return [one for one in self.schedules() if int(one.name.partition("/")[2] or 0) not in self.rows]

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        self.rows.pop(int(name.partition("/")[2]), None)
        return super().drop_schedule(name, expected_version=expected_version, audit=audit)


class Fixture:
    def __init__(self, tenants: Sequence[str] = ("acme", "globex")) -> None:
        self.clock = FakeClock()
        self.store = RowStore(self.clock)
        self.app: Rota = an_app(store=self.store, clock=self.clock, tenants=list(tenants))
        self.seen: list[tuple[object, ...]] = []
        self.told: list[ScheduleBroken] = []
        self.app.on(ScheduleBroken)(self.told.append)

        @self.app.job()
        def noop(ctx: RunContext, code: str = "") -> None:
            self.seen.append((ctx.user_id, code))

        @self.app.job(per_tenant=True)
        def report(ctx: RunContext) -> None:
            self.seen.append((ctx.tenant.id, ctx.slot))

        self.process = Driven(self.app, self.clock)

    def keep(self) -> None:
        for name in ("rows", "cron_jobs", "onces"):
            self.process.crew.services[name].tick(self.clock.now())
        self.process.settle_down()

    def advance(self, by: Any) -> None:
        self.process.advance(by)
        self.keep()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"run_at": "2026-12-01 09:00:00"}, "at 2026-12-01T09:00 UTC"),
        ({"run_at": "2026-12-01 09:00:00.000000", "timezone": "Europe/Paris"}, "at 2026-12-01T09:00 Europe/Paris"),
        # Never before its time.
        ({"run_at": "2026-12-01 08:59:59.5", "timezone": "Europe/Paris"}, "at 2026-12-01T09:00 Europe/Paris"),
        ({"run_at": "2026-12-01T09:00:00+02:00"}, "at 2026-12-01T07:00 UTC"),
        ({"interval_minutes": 15}, "every 15 minutes"),
        (
            {"interval_minutes": 90, "run_at": "2026-12-01 09:07:00", "timezone": "Europe/Paris"},
            "every 90 minutes from 2026-12-01T08:07Z",
        ),
        ({"cron": "30 2 * * *"}, "30 2 * * * Europe/Berlin"),
        ({"cron": "30 2 * * *", "timezone": "Asia/Tokyo"}, "30 2 * * * Asia/Tokyo"),
        ({"cron": "every monday at 06:00"}, "every monday at 06:00 Europe/Berlin"),
    ],
)
def test_each_column_has_its_meaning(fields, text):  # R6
    assert str(timing_of(CronJobRow(id=1, seen="", **fields), zone="Europe/Berlin")) == text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "give run_at"),
        ({"interval_minutes": 0}, "at least 1"),
        ({"run_at": "next tuesday"}, "run_at"),
        ({"cron": "* * *"}, "field"),
        ({"cron": "0 3 * * *", "interval_minutes": 5}, "goes without"),
        ({"cron": "0 3 * * *", "timezone": "Moon/Crater"}, "Moon/Crater"),
    ],
)
def test_a_row_that_says_nothing_clear_is_refused_with_the_column(fields, said):  # R64
    with pytest.raises(BadSchedule, match=said):
        timing_of(CronJobRow(id=1, seen="", **fields), zone="UTC")


def test_rows_may_repeat_a_name_one_per_user_and_are_gone_after_they_ran():  # R6, R7
    fixture = Fixture()
    for number, user in ((1, "ana"), (2, "ben")):
        fixture.store.write(
            id=number, name="InvalidateCode", job_type="noop", user_id=user, run_at="2026-06-01 11:59:58",
            args='{"code": "x"}',
        )  # fmt: skip

    fixture.keep()
    fixture.keep()

    assert fixture.seen == [("ana", "x"), ("ben", "x")]
    assert fixture.store.rows == {} and fixture.store.schedules() == []


def test_a_row_without_a_job_type_is_resolved_by_its_name_and_an_interval_stays():  # R6, R7
    fixture = Fixture()
    fixture.store.write(id=1, name="report", interval_minutes=30, tenant="globex")

    fixture.keep()
    for _ in range(2):
        fixture.advance(30 * MINUTE)

    assert fixture.seen == [("globex", NOON + 30 * MINUTE), ("globex", NOON + HOUR)]
    assert list(fixture.store.rows) == [1]


def test_a_row_that_is_switched_off_does_not_fire_and_makes_nothing_up_when_it_is_on_again():  # R6, R12
    fixture = Fixture()
    fixture.store.write(id=1, name="report", interval_minutes=60, tenant="acme", is_active=False)
    fixture.keep()
    fixture.advance(3 * HOUR)
    assert fixture.app.schedules.get("cron_jobs/1").reason == INACTIVE

    fixture.store.write(id=1, name="report", interval_minutes=60, tenant="acme", is_active=True)
    fixture.keep()
    assert fixture.seen == []
    fixture.advance(HOUR)

    assert fixture.seen == [("acme", noon_plus(hours=4))]


def test_an_operators_pause_outlives_a_change_of_the_row():  # R12
    fixture = Fixture()
    fixture.store.write(id=1, name="report", interval_minutes=60)
    fixture.keep()
    fixture.app.schedules.pause("cron_jobs/1", reason="migration")

    fixture.store.write(id=1, name="report", interval_minutes=30)
    fixture.keep()

    stored = fixture.app.schedules.get("cron_jobs/1")
    assert (stored.state, stored.reason, stored.timing) == (ScheduleState.PAUSED, "migration", "every 30 minutes")


def test_a_changed_row_runs_nothing_of_the_past_and_a_deleted_one_runs_nothing():  # R5
    fixture = Fixture()
    fixture.store.write(id=1, name="report", interval_minutes=60, tenant="acme")
    fixture.keep()
    fixture.clock.tick(5 * MINUTE)
    fixture.store.write(id=1, name="report", interval_minutes=1, tenant="acme")
    fixture.keep()
    assert fixture.seen == []

    del fixture.store.rows[1]
    fixture.keep()
    fixture.advance(HOUR)

    assert fixture.seen == [] and fixture.store.schedules() == []


def test_a_bad_row_says_what_is_wrong_is_told_of_once_stops_no_other_and_can_be_mended():  # R5
    fixture = Fixture()
    bad = {
        1: {"name": "nobody", "interval_minutes": 5},
        2: {"name": "report", "interval_minutes": 0},
        3: {"name": "noop", "interval_minutes": 5, "args": '{"decade": 1}'},
        4: {"name": "noop", "interval_minutes": 5, "args": "{broken"},
        5: {"name": "report", "interval_minutes": 5, "tenant": "nobody"},
        6: {"name": "noop", "interval_minutes": 5, "tenant": "acme"},
    }
    for number, fields in bad.items():
        fixture.store.write(id=number, **fields)
    fixture.store.write(id=7, name="report", interval_minutes=60, tenant="acme")

    for _ in range(3):
        fixture.keep()
    fixture.advance(HOUR)

    assert [event.schedule for event in fixture.told] == [f"cron_jobs/{number}" for number in bad]
    assert all(fixture.store.problems[number] for number in bad)
    assert fixture.seen == [("acme", NOON + HOUR)]
    fixture.store.write(id=2, name="report", interval_minutes=30, tenant="acme")
    fixture.keep()
    assert fixture.store.problems[2] is None
    assert fixture.app.schedules.get("cron_jobs/2").next_at == noon_plus(hours=1, minutes=30)


def test_a_good_row_that_is_made_bad_stops_firing_until_it_is_mended():  # R5
    fixture = Fixture()
    fixture.store.write(id=1, name="report", interval_minutes=60, tenant="acme")
    fixture.keep()
    fixture.store.write(id=1, name="report", interval_minutes=0, tenant="acme")
    fixture.keep()
    fixture.advance(HOUR)
    assert fixture.seen == []
    assert fixture.app.schedules.get("cron_jobs/1").state is ScheduleState.BROKEN

    fixture.store.write(id=1, name="report", interval_minutes=60, tenant="acme")
    fixture.keep()
    fixture.process.settle_down()
    fixture.advance(HOUR)

    assert fixture.seen[-1] == ("acme", noon_plus(hours=2))


def test_a_row_whose_job_comes_with_newer_code_begins_to_fire():  # R5, R36
    fixture = Fixture()
    fixture.store.write(id=1, name="newcomer", interval_minutes=60)
    fixture.keep()
    assert fixture.app.schedules.get("cron_jobs/1").state is ScheduleState.BROKEN

    @fixture.app.job()
    def newcomer(ctx: RunContext) -> None:
        fixture.seen.append((ctx.slot,))

    fixture.process = Driven(fixture.app, fixture.clock)
    fixture.keep()
    fixture.advance(HOUR)

    assert fixture.seen == [(NOON + HOUR,)]


def test_a_change_of_a_row_leaves_how_old_a_success_may_be():  # R6, R51
    house = Fixture()
    house.store.write(id=7, name="noop", interval_minutes=15)
    house.keep()
    house.app.schedules.override("cron_jobs/7", fresh_within="26h")

    house.store.write(id=7, name="noop", interval_minutes=30)
    house.keep()

    stored = house.store.schedule("cron_jobs/7")
    assert (stored.timing, stored.fresh_within) == ("every 30 minutes", 26 * HOUR)
