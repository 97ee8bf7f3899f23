"""What a preview of a backfill says of long ranges and short runs, and that it never plans more than it shows."""

import pytest

from rota import Rota, RunContext
from rota.engine.planning import Planner
from rota.errors import Refused
from tests.engine.house import Driven, driven, hourly, noon_plus
from tests.values import DAY, MINUTE, NOON, claim, settle_all, succeeded

TENANTS = ["acme", "globex", "initech"]


def test_the_time_of_short_runs_is_that_of_the_passes_that_let_them_go():  # R13
    process = driven(tenants=TENANTS)(hourly([]))
    process.app.backfill("report", since=noon_plus(hours=-2), until=NOON)
    process.settle_down()

    preview = process.app.backfill("report", since=noon_plus(hours=-42), until=NOON, dry_run=True).preview

    # With a clock that stands still runs take no time; of 40 in a line each waits for a pass.
    assert preview.run_s == 0.0
    assert preview.takes_s == pytest.approx(40 * 0.05)


def minutely(tenants: int = 12) -> Driven:
    """Return a process whose job is due each minute."""

    def declare(app: Rota) -> None:
        @app.job(schedule="* * * * *", per_tenant=True)
        def report(ctx: RunContext) -> None: ...

    return driven(tenants=[f"t{number}" for number in range(tenants)])(declare)


def test_a_year_of_a_minute_schedule_is_looked_at_in_part_and_said_to_be_more():  # R13
    app = minutely().app

    preview = app.backfill("report", since=NOON - 365 * DAY, until=NOON, dry_run=True).preview

    assert not preview.is_all and not preview.slots_are_all
    assert preview.looked_at == 20_000 and preview.total == 240_000
    assert preview.slots == 83_334 and preview.up_to is None
    assert preview.first[0].slot == NOON - 365 * DAY and preview.last[-1].slot == NOON - MINUTE


def test_no_more_slots_are_planned_than_a_preview_looks_at(monkeypatch):  # R13
    app = minutely(tenants=1).app
    planned: list[int] = []
    plans = Planner.plans
    monkeypatch.setattr(Planner, "plans", lambda self, slots: planned.append(len(slots)) or plans(self, slots))

    preview = app.backfill("report", since=NOON - 60 * DAY, until=NOON, newest_first=True, dry_run=True).preview

    assert sum(planned) == 20_000 + len(preview.last)
    assert (preview.slots, preview.slots_are_all, preview.up_to) == (60 * 24 * 60, True, 60 * 24 * 60)
    assert preview.first[0].slot == NOON - MINUTE and preview.last[-1].slot == NOON - 60 * DAY


def test_more_than_is_let_through_is_refused_before_it_is_planned(monkeypatch):  # R13, R64
    app = minutely().app
    monkeypatch.setattr(Planner, "plans", None)

    with pytest.raises(Refused, match="more than 1,000,000"):
        app.backfill("report", since=NOON - 9000 * DAY, until=NOON)

    assert app.campaigns.list() == []


def test_a_range_that_is_looked_at_in_part_and_well_so_far_is_started_all_the_same():  # R13
    process = minutely(tenants=1)
    app = process.app
    app.backfill("report", since=NOON - 20 * DAY, until=NOON - 5 * DAY, as_one=True)
    process.crew.services["campaigns"].tick(process.clock.now())
    settle_all(app.store, *[succeeded(run) for run in claim(app.store)])
    process.crew.services["campaigns"].tick(process.clock.now())

    asked = app.backfill("report", since=NOON - 20 * DAY, until=NOON)

    assert asked.preview.total == 0 and not asked.preview.is_all
    assert asked.campaign is not None
