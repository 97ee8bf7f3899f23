"""The status page of an application, as its watchdog writes it."""

import json
from datetime import timedelta

import pytest

from rota import Retry, Rota, RunContext, every
from rota.core.expecting import Watch
from rota.engine.last_known import Fallback, LastKnown
from rota.lookouts import make_boards, make_watchdog
from rota.settings import FreshnessSettings, Settings
from rota.status_board import DAYS
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.contract.flaky import Moment, flaky
from tests.engine.house import Driven

HOUR = timedelta(hours=1)


class World:
    """An hourly job that fails for tenants who are broken, its watchdog, and the pages."""

    def __init__(self, folder, *, zone="UTC", watches=()):
        self.clock = FakeClock()
        self.store, self.flaky = flaky(MemoryStore(clock=self.clock))
        self.folder = folder
        self.broken = set()
        settings = Settings(
            timezone=zone,
            freshness=FreshnessSettings(
                status_page=str(folder), status_title="Jobs of Example", public_tags=("customer",)
            ),
        )
        self.app = Rota(self.store, tenants=["acme", "globex"], clock=self.clock, settings=settings)

        @self.app.job(
            schedule=every().hour, per_tenant=True, fresh_within="3h", tags=["customer"], retry=Retry(attempts=1)
        )
        def sync(ctx: RunContext) -> None:
            """Fetch what is new."""
            if ctx.tenant.id in self.broken:
                raise RuntimeError("broken")

        self.driven = Driven(self.app, self.clock)
        self.watchdog = self.a_watchdog()
        self.watchdog.tick(self.clock.now())

    def a_watchdog(self, **fields):
        premises = self.app.premises()
        return make_watchdog(premises, tell=make_boards(premises), **fields)

    def pass_time(self, hours):
        for _ in range(hours):
            self.driven.advance(HOUR)
            self.watchdog.tick(self.clock.now())

    def told(self, name="sync_fresh.json"):
        return json.loads((self.folder / name).read_text())

    def page(self, name="sync_fresh.html"):
        return (self.folder / name).read_text()


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "freshness")


def test_it_tells_of_each_tenant_what_the_watchdog_found(world):  # R51
    world.pass_time(2)
    world.broken.add("globex")
    world.pass_time(4)

    told = world.told()

    assert told["state"] == "stale"
    assert [(pair["tenant"], pair["state"], pair["failures"]) for pair in told["pairs"]] == [
        ("globex", "stale", 4), ("acme", "fresh", 0),
    ]  # fmt: skip
    assert told["subject"]["description"] == "Fetch what is new."
    assert list(told["subject"]["schedules"].values()) == ["every hour"]


def test_it_remembers_how_the_last_days_went(world):  # R51
    world.pass_time(24)
    world.broken = {"acme", "globex"}
    world.pass_time(24)
    world.broken.clear()
    world.pass_time(24)

    days = world.told()["days"]

    assert len(days) == DAYS
    assert [day["worst"] for day in days[-4:]] == ["fresh", "stale", "stale", "fresh"]
    assert days[-4]["in_time"] == 1
    # From 15:00, three hours after the last slot that succeeded, to midnight; the day began as fresh.
    assert 0.4 < days[-3]["in_time"] < 0.7
    assert days[0]["in_time"] is None


def test_a_watchdog_that_is_started_anew_knows_the_days_before(world):  # R51
    world.broken = {"acme", "globex"}
    world.pass_time(30)
    before = world.told()["days"][-2]

    world.watchdog = world.a_watchdog()
    world.watchdog.tick(world.clock.now())

    assert world.told()["days"][-2] == before
    assert before["worst"] == "stale"


def test_while_the_store_is_away_it_is_drawn_from_what_was_read_last(world, tmp_path):  # R51, H5
    world.watchdog = world.a_watchdog(fallback=Fallback(LastKnown(tmp_path / "known.json"), bus=world.app.bus))
    world.pass_time(3)
    world.clock.tick(5 * HOUR)
    for verb in ("schedules", "freshness.flips", "progress"):
        for call in range(1, 6):
            world.flaky.cut(verb, Moment.BEFORE, call=call)
    world.watchdog.tick(world.clock.now())

    told = world.told()

    assert told["state"] == "stale"
    assert told["warning"] == "The store could not be asked: judged by what was known at 2026-06-01 15:00 UTC."
    assert list(told["subject"]["schedules"].values()) == ["every hour"]
    assert world.told("public/sync_fresh.json")["warning"] == "This page was made from what was known last."


def test_a_page_that_cannot_be_written_is_said_once_and_harms_no_watchdog(world, caplog):  # H7
    world.folder.rename(world.folder.with_name("gone"))
    world.folder.write_text("a file where the folder should be")

    world.pass_time(3)

    assert [record.message for record in caplog.records if "status page" in record.message] == [
        f"the status page is not up to date: {world.folder} could not be written: File exists; what was there before "
        "stays"
    ]
    world.folder.unlink()
    world.pass_time(1)
    assert world.told()["state"] == "fresh"


def test_the_days_are_those_of_the_application(tmp_path):
    world = World(tmp_path / "freshness", zone="America/New_York")
    world.pass_time(1)

    assert world.told()["days"][-1]["start"] == "2026-06-01T04:00:00Z"


def test_a_day_on_which_clocks_change_is_one_day(tmp_path):  # R3
    world = World(tmp_path / "freshness", zone="America/New_York")
    world.pass_time(1)

    starts = [day["start"] for day in world.told()["days"]]

    assert "2026-03-08T05:00:00Z" in starts
    assert "2026-03-09T04:00:00Z" in starts


def test_a_script_outside_has_a_page_too(tmp_path, world):  # R51
    premises = world.app.premises()
    outside = type(premises)(
        **{name: getattr(premises, name) for name in premises.__struct_fields__}
        | {"watches": (Watch(name="nightly-dump", description="Dump all."),)}
    )
    make_watchdog(outside, tell=make_boards(outside)).tick(world.clock.now())

    assert "Dump all." in world.page("nightly-dump_fresh.html")
