"""A watchdog as a process of its own: with its store, without it, and telling of both."""

import pytest
from msgspec.structs import replace

from rota import Rota, every
from rota.core.alert import Stage
from rota.core.freshness import Freshness
from rota.errors import DeliveryFailed, StoreUnavailable
from rota.outpost import Outpost
from rota.settings import AlertSettings, RuleSettings, Settings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.receiver import answered, receiving
from tests.values import HOUR, MINUTE, NOON, a_progress


class Channel:
    """Takes alerts, or refuses them."""

    def __init__(self):
        self.sent = []
        self.fault = None

    def send(self, alert):
        if self.fault is not None:
            raise self.fault
        self.sent.append(alert)

    @property
    def stages(self):
        return [alert.stage for alert in self.sent]


def an_app(store=None, *, settings=None):
    clock = FakeClock()
    app = Rota(store or MemoryStore(clock=clock), tenants=["acme", "hooli"], clock=clock, settings=settings)

    @app.job(schedule=every().hour, per_tenant=True)
    def report() -> None:
        """Write the report."""

    return app


def known_to(state_file, *, settings=None):
    """Have a watchdog know an application whose two tenants have succeeded at noon."""
    app = an_app(settings=settings)
    app.schedules.sync()
    for tenant in ("acme", "hooli"):
        app.store.mark(a_progress(schedule="report", tenant=tenant, last_success=NOON), expected=None)
    assert Outpost(app, state_file=state_file).look(NOON).worst is Freshness.FRESH


@pytest.fixture
def state_file(tmp_path):
    return tmp_path / "known.json"


@pytest.fixture
def channel(monkeypatch):
    one = Channel()
    monkeypatch.setattr("rota.outpost.notifiers", lambda *_, **__: {"log": one})
    return one


def without_store(tmp_path):
    """Return an application whose store is not even there to be opened."""
    app = an_app(f"sqlite:///{tmp_path / 'nowhere' / 'rota.db'}")
    with pytest.raises(StoreUnavailable):
        app.store.now()
    return app


def test_a_store_that_cannot_even_be_opened_is_no_reason_to_be_silent(tmp_path, state_file):  # R51, fault row H5
    known_to(state_file)

    found = Outpost(without_store(tmp_path), state_file=state_file).look(NOON + 3 * HOUR)

    assert {pair.tenant: str(pair.state) for pair in found.pairs} == {"acme": "stale", "hooli": "stale"}
    assert found.store != "ok"
    assert found.known_at == NOON


def test_what_turns_stale_without_the_store_is_sent_once_for_all_tenants(tmp_path, state_file, channel):  # R50, R51, H5
    known_to(state_file)
    outpost = Outpost(without_store(tmp_path), state_file=state_file, notify=True)

    for minutes in range(180, 240):
        outpost.look(NOON + minutes * MINUTE)

    [alert] = channel.sent
    assert alert.title == "report is stale for 2 tenants, and the store is down"
    assert alert.tenants == ("acme", "hooli")


@pytest.mark.parametrize("fault", [DeliveryFailed("refused"), RuntimeError("a bug")], ids=["refused", "a bug"])
def test_what_no_channel_accepts_ends_no_watch_and_is_told_when_one_does(
    tmp_path, state_file, channel, fault
):  # R50, H1, H4
    known_to(state_file)
    outpost = Outpost(without_store(tmp_path), state_file=state_file, notify=True)
    channel.fault = fault
    outpost.look(NOON + 3 * HOUR)

    channel.fault = None
    outpost.look(NOON + 3 * HOUR + MINUTE)
    outpost.look(NOON + 3 * HOUR + 2 * MINUTE)

    assert channel.stages == [Stage.OPENED]


def test_what_was_decided_before_it_was_killed_is_told_by_the_next_one(tmp_path, state_file, channel):  # A17, H5
    known_to(state_file)
    channel.fault = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        Outpost(without_store(tmp_path), state_file=state_file, notify=True).look(NOON + 3 * HOUR)

    channel.fault = None
    Outpost(without_store(tmp_path), state_file=state_file, notify=True).look(NOON + 3 * HOUR + MINUTE)

    assert channel.stages == [Stage.OPENED]


def test_who_was_told_that_the_store_is_down_is_told_that_it_is_back(tmp_path, state_file, channel):  # R50, H5
    known_to(state_file)
    Outpost(without_store(tmp_path), state_file=state_file, notify=True).look(NOON + 3 * HOUR)

    back = Outpost(an_app(), state_file=state_file, notify=True)
    back.look(NOON + 3 * HOUR + MINUTE)
    back.look(NOON + 3 * HOUR + 2 * MINUTE)

    opened, recovered = channel.sent
    assert (recovered.stage, recovered.incident) == (Stage.RECOVERED, opened.incident)
    assert recovered.title == "the store is back, and judges report again"


def test_without_its_store_the_rules_say_who_is_told_as_well(tmp_path, state_file, channel):  # R50, H5
    alerts = AlertSettings(rule=(RuleSettings(jobs=("rep*",), channels=()),))
    known_to(state_file)

    app = replaced_store(tmp_path, Settings(alerts=alerts))
    Outpost(app, state_file=state_file, notify=True).look(NOON + 3 * HOUR)

    assert channel.sent == []


def test_with_its_store_alerts_go_through_that(state_file, channel, monkeypatch):  # R50, R51
    monkeypatch.setattr("rota.alerting.make", lambda *_, **__: channel)
    app = an_app()
    app.schedules.sync()
    outpost = Outpost(app, state_file=state_file, notify=True)
    outpost.look(app.clock.now())

    for _ in range(10):
        outpost.look(app.clock.tick(HOUR))

    assert [alert.kind for alert in channel.sent][:1] == ["stale"]
    assert len(app.store.freshness.pairs()) == 2


def test_each_good_pass_calls_the_dead_man_address_and_no_other(tmp_path, state_file):  # R52
    with receiving(answered(200)) as receiver:
        base = Settings()
        freshness = replace(base.freshness, dead_man_url=receiver.url, dead_man_networks=("127.0.0.0/8",))
        settings = replace(base, freshness=freshness)
        app = an_app(settings=settings)
        outpost = Outpost(app, state_file=state_file)

        outpost.look(app.clock.now())
        outpost.look(app.clock.tick(MINUTE))
        Outpost(replaced_store(tmp_path, settings), state_file=state_file).look(NOON + HOUR)

        assert [asked.path for asked in receiver.requests] == ["/hook", "/hook"]


def replaced_store(tmp_path, settings):
    return an_app(f"sqlite:///{tmp_path / 'nowhere' / 'rota.db'}", settings=settings)


def test_the_status_page_is_written_also_while_the_store_cannot_even_be_opened(state_file, tmp_path, monkeypatch):  # H5
    known_to(state_file)
    app = an_app()

    def away(self):
        raise StoreUnavailable("db1 is away")

    monkeypatch.setattr(Rota, "store", property(away))
    Outpost(app, state_file=state_file, pages=[tmp_path / "pages"]).look(NOON + 5 * HOUR)

    page = (tmp_path / "pages" / "report_fresh.html").read_text()
    assert "■ stale" in page
    assert "judged by what was known at 2026-06-01 12:00 UTC" in page
    assert "Write the report." in page
