"""What operators set for one tenant: zone, weight, schedules of its own (R24)."""

from types import SimpleNamespace

import pytest

from rota import Rota, RunContext
from rota.core.controls import ControlKind, TenantSetting
from rota.core.model import Origin, ScheduleState, Tenant
from rota.errors import BadSchedule, ConfigurationError, Refused, ScheduleNotFound, StoreUnavailable, TenantNotFound
from rota.queries import AuditQuery
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.crash import crash_points
from tests.engine.house import Driven, an_app, runs_of
from tests.values import HOUR

SEEN: list[str] = []


def declare(app: Rota) -> None:
    @app.job(schedule="0 * * * *", per_tenant=True)
    def mail(ctx: RunContext) -> None:
        assert ctx.slot is not None
        SEEN.append(f"{ctx.tenant.id} {ctx.slot:%H:%M}")

    @app.job(schedule="0 3 * * *")
    def tidy() -> None: ...


@pytest.fixture
def clock():
    SEEN.clear()
    return FakeClock()


@pytest.fixture
def app(clock):
    app = an_app(clock=clock, tenants=[Tenant(id="acme", tz="Asia/Tokyo", weight=2.0), Tenant(id="globex")])
    declare(app)
    app.schedules.sync()
    return app


def tenant(app: Rota, name: str) -> Tenant:
    return next(one for one in app.list_tenants() if one.id == name)


def test_zone_and_weight_win_over_the_source_and_can_be_given_back(app):  # R24
    app.tenant_settings.set("acme", tz="Europe/Paris", weight=5.0)
    app.tenant_settings.set("globex", tz="America/New_York")
    assert (tenant(app, "acme").tz, tenant(app, "acme").weight) == ("Europe/Paris", 5.0)
    assert (tenant(app, "globex").tz, tenant(app, "globex").weight) == ("America/New_York", 1.0)

    app.tenant_settings.set("acme", tz="", weight=0)

    assert (tenant(app, "acme").tz, tenant(app, "acme").weight) == ("Asia/Tokyo", 2.0)


def test_a_weight_reaches_what_is_enqueued(app):  # R24
    app.jobs["mail"].using(tenant="acme").enqueue()
    app.jobs["mail"].using(tenant="globex").enqueue()

    assert {run.tenant: run.weight for run in runs_of(app)} == {"acme": 2.0, "globex": 1.0}


def test_a_weight_reaches_the_runs(app, clock):  # R24
    process = Driven(app, clock)
    app.tenant_settings.set("globex", weight=5.0)

    process.advance(HOUR)

    assert {run.tenant: run.weight for run in runs_of(app)} == {"acme": 2.0, "globex": 5.0}


def test_a_schedule_of_its_own_takes_the_place_of_the_general_one(app, clock):  # R24
    process = Driven(app, clock)

    setting = app.tenant_settings.set("acme", schedules={"mail": "every day at 22:30"}, actor="cli:ana", reason="asked")

    own, general = app.schedules.get("mail@acme"), app.schedules.get("mail")
    assert setting.schedules == {"mail": "mail@acme"}
    assert (own.tenants, own.origin, own.state) == (("acme",), Origin.ROW, ScheduleState.ACTIVE)
    assert general.exclude == ("acme",)
    # In its own zone: 22:30 in Tokyo is 13:30 in UTC.
    for _ in range(4):
        process.advance(HOUR / 2)
    assert sorted(SEEN) == ["acme 13:30", "globex 13:00", "globex 14:00"]
    assert [entry.action for entry in app.store.audit(AuditQuery())][:1] == ["tenant.set"]


def test_it_goes_back_to_the_general_one(app, clock):  # R24
    process = Driven(app, clock)
    app.tenant_settings.set("acme", schedules={"mail": "every day at 22:30"})

    app.tenant_settings.set("acme", schedules={"mail": None})

    process.advance(HOUR)
    assert sorted(SEEN) == ["acme 13:00", "globex 13:00"]
    assert app.tenant_settings.get("acme") == TenantSetting()
    assert [schedule.name for schedule in app.schedules.list()] == ["mail", "tidy"]


def test_said_twice_it_is_the_same_and_a_new_time_replaces_the_old_one(app):  # R24
    app.tenant_settings.set("acme", schedules={"mail": "every day at 22:30"})
    app.tenant_settings.set("acme", schedules={"mail": "every day at 22:30"})

    app.tenant_settings.set("acme", schedules={"mail": "every day at 23:00"})

    assert app.schedules.get("mail").exclude == ("acme",)
    assert app.schedules.get("mail@acme").timing == "daily at 23:00 Asia/Tokyo"


def test_two_tenants_do_not_undo_one_another(app):  # R24
    app.tenant_settings.set("acme", schedules={"mail": "every day at 22:30"})
    app.tenant_settings.set("globex", schedules={"mail": "every day at 22:30"})

    app.tenant_settings.set("acme", schedules={"mail": None})

    assert app.schedules.get("mail").exclude == ("globex",)


@pytest.mark.parametrize(
    ("who", "said", "raised"),
    [
        ("nobody", {"tz": "Europe/Paris"}, TenantNotFound),
        ("acme", {"tz": "Mars/Base"}, ConfigurationError),
        ("acme", {"tz": "tenant"}, ConfigurationError),
        ("acme", {"weight": -1.0}, ConfigurationError),
        ("acme", {"weight": float("inf")}, ConfigurationError),
        ("acme", {"weight": float("nan")}, ConfigurationError),
        ("acme", {"schedules": {"mail": "every fortnight or so"}}, BadSchedule),
        ("acme", {"schedules": {"mail": "every day at 22:30", "gone": "every day at 22:30"}}, ScheduleNotFound),
        ("acme", {"schedules": {"mail": "every day at 22:30", "tidy": "every day at 22:30"}}, Refused),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_half_created(app, who, said, raised):  # R24
    before = app.schedules.list()

    with pytest.raises(raised):
        app.tenant_settings.set(who, **({"weight": 3.0} | said))

    assert app.schedules.list() == before
    assert app.store.controls(ControlKind.TENANT) == []


def test_a_schedule_that_is_something_else_is_not_overwritten(app):  # R24
    app.schedules.put("mail@acme", job="mail", when="every day at 01:00", tenant="globex")

    with pytest.raises(Refused, match="something else"):
        app.tenant_settings.set("acme", schedules={"mail": "every day at 22:30"})


def test_while_the_store_is_away_what_was_set_last_holds(app, clock):  # R24, R21
    app.tenant_settings.set("acme", tz="Europe/Paris")
    app.list_tenants()

    def away():
        raise StoreUnavailable("away")

    app._tenancy.directory._settings = away

    assert tenant(app, "acme").tz == "Europe/Paris"


class Setting:
    """A tenant gets a schedule of its own; whoever sets it dies anywhere, and does it again."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryStore(clock=self.clock)
        self._app(self.store).schedules.sync()

    def _app(self, store) -> Rota:
        app = an_app(store=store, clock=self.clock)
        declare(app)
        return app

    def run(self, store) -> None:
        self._app(store).tenant_settings.set("acme", schedules={"mail": "every day at 22:30"})

    def restart(self, store) -> None:
        app = self._app(store)
        names = {schedule.name: schedule for schedule in app.schedules.list()}
        # Rather in both than in none.
        assert "mail@acme" in names or names["mail"].exclude == ()
        self.run(store)

    def check(self) -> None:
        app = SimpleNamespace(schedules=self._app(self.store).schedules)
        assert app.schedules.get("mail").exclude == ("acme",)
        assert app.schedules.get("mail@acme").tenants == ("acme",)
        assert [control.name for control in self.store.controls(ControlKind.TENANT)] == ["acme"]


def test_wherever_it_dies_the_tenant_is_in_one_of_them_and_the_same_call_completes_it():  # R24
    assert {point.verb for point in crash_points(Setting)} >= {"put_schedule", "put_control"}
