"""Channels that are down, processes that die or are many: nothing lost, doubled or in a circle (R50, A17, H1, H4)."""

from datetime import timedelta

import pytest

from rota import Retry, Rota
from rota.alerting import alert_services
from rota.core.alert import IncidentKind, Stage
from rota.core.delivery import DeliveryState
from rota.core.events import IncidentClosed, IncidentOpened
from rota.core.routing import Rule
from rota.engine.alerts.alerter import EVERY
from rota.queries import DeliveryQuery
from rota.settings import AlertSettings, RuleSettings, Settings
from rota.stores.memory import MemoryStore
from tests.clocks import FakeClock
from tests.engine.alerting import Watch
from tests.values import DAY, HOUR, MINUTE, SECOND, a_run, claim, given_up, settle_all


@pytest.fixture
def watch():
    return Watch()


# --- channels that fail ---


def test_mail_that_is_down_for_an_hour_loses_no_alert(watch):  # R50, H1
    watch.down()
    watch.fail("mail")
    watch.advance(30 * MINUTE)
    watch.fail("report")
    watch.advance(30 * MINUTE)

    watch.ops.fault = None
    watch.advance(10 * MINUTE)

    opened = [alert.job for alert in watch.ops.got if alert.stage is Stage.OPENED]
    assert sorted(opened) == ["mail", "report"]


def test_a_channel_that_is_down_is_waited_for_once_in_a_round(watch):  # R51, H1
    for job in ("mail", "report", "sync"):
        watch.fail(job)
    watch.alerter.tick(watch.clock.now())
    watch.alerter.tick(watch.clock.tick(MINUTE))
    watch.down()

    # Who goes round by hand, as a watchdog of its own does, goes on when it says so.
    assert watch.deliverers["ops"].tick(watch.clock.now()) > timedelta(0)
    assert watch.ops.tries == 1


def test_mail_that_is_down_delays_no_job(watch):  # R50, H1
    watch.down()
    watch.fail()
    watch.advance(MINUTE)

    run = watch.succeed("other")

    assert watch.state(run).is_final


def test_a_channel_that_is_down_is_asked_more_and_more_rarely(watch):  # H1
    watch.down()
    watch.fail()

    watch.advance(HOUR)

    # 10, 20, 40, ... seconds, then each ten minutes.
    assert 8 <= watch.ops.tries <= 13


def test_a_failing_alert_makes_no_alert(watch):  # H4
    watch.down()
    watch.fail()

    watch.advance(12 * HOUR)

    assert len(watch.incidents()) == 1
    assert {delivery.alert.kind for delivery in watch.deliveries()} == {IncidentKind.FAILED}
    assert len(watch.deliveries()) == 1 + 3
    assert watch.store.alerts.signals() == []


def test_a_channel_that_raises_what_it_likes_ends_nothing(watch):  # H4
    watch.ops.fault = RuntimeError("a bug of somebody's notifier")
    watch.fail()
    watch.advance(MINUTE)
    [waiting] = watch.deliveries()

    watch.ops.fault = None
    watch.advance(5 * MINUTE)

    assert "a bug of somebody's notifier" in waiting.error
    assert watch.ops.stages == [Stage.OPENED]


def test_a_password_in_what_a_channel_raises_is_not_kept(watch, caplog):  # R65
    watch.down("smtp://ops:canary@mail refused")
    watch.fail()

    watch.advance(MINUTE)

    assert [delivery.error for delivery in watch.deliveries()] == ["smtp://ops:***@mail refused"]
    assert "canary" not in caplog.text


def test_a_channel_that_is_down_holds_up_no_other_one():  # R50
    watch = Watch(channels=("ops", "pager"))
    watch.down()
    watch.fail()

    watch.advance(MINUTE)

    assert watch.channels["pager"].stages == [Stage.OPENED]


def test_the_end_of_an_incident_does_not_overtake_its_beginning(watch):  # R50
    watch.down()
    watch.fail()
    watch.advance(MINUTE)
    watch.succeed()
    watch.advance(MINUTE)

    watch.ops.fault = None
    watch.advance(10 * MINUTE)

    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]


def test_what_no_channel_accepted_for_a_day_is_given_up_and_says_so(watch):  # R50
    watch.down("no such host")
    watch.fail()

    watch.advance(DAY + 20 * MINUTE)

    oldest = watch.deliveries()[-1]
    assert (oldest.state, oldest.error) == (DeliveryState.GIVEN_UP, "no such host")


def test_what_a_dead_sender_had_is_sent_by_another_with_the_same_id(watch):  # A17
    watch.fail()
    watch.advance(10 * SECOND)
    watch.clock.tick(5 * SECOND)
    watch.alerter.tick(watch.clock.now())
    [dead] = watch.store.alerts.claim_deliveries("ops", lease=MINUTE, now=watch.clock.now())

    watch.advance(50 * SECOND)
    early = list(watch.ops.got)
    watch.advance(MINUTE)

    assert early == []
    assert [alert.id for alert in watch.ops.got] == [dead.alert.id]


# --- several processes ---


def test_processes_that_watch_the_same_store_tell_once():  # R50
    first = Watch()
    second = Watch(first.store, clock=first.clock)
    for number in range(5):
        first.fail("mail", f"t{number}")

    for _ in range(30):
        first.clock.tick(5 * SECOND)
        first.once()
        second.once()

    assert len(first.ops.got) + len(second.ops.got) == 1


def test_what_failed_while_nobody_watched_is_told_when_somebody_does():  # R50
    first = Watch()
    first.fail()
    first.clock.tick(3 * HOUR)

    later = Watch(first.store, clock=first.clock)
    later.advance(MINUTE)

    assert later.ops.stages == [Stage.OPENED]


# --- rules, events ---


def test_a_rule_says_who_is_told():  # R50
    watch = Watch(channels=("ops", "pager"), rules=[Rule(tenants=("acme",), channels=("pager",)), Rule(channels=())])
    watch.fail("mail", "acme")
    watch.fail("other", "globex")

    watch.advance(MINUTE)

    assert [alert.job for alert in watch.channels["pager"].got] == ["mail"]
    assert watch.ops.got == []


def test_an_application_hears_when_an_incident_is_opened_and_closed(watch):  # R50
    heard = []
    watch.bus.on(IncidentOpened, heard.append)
    watch.bus.on(IncidentClosed, heard.append)

    watch.fail()
    watch.advance(MINUTE)
    watch.succeed()
    watch.advance(MINUTE)

    assert [(type(event), event.incident.job) for event in heard] == [
        (IncidentOpened, "mail"),
        (IncidentClosed, "mail"),
    ]


def test_nothing_to_do_is_asked_for_every_two_seconds(watch):  # R50
    assert watch.alerter.tick(watch.clock.now()) == EVERY


def test_a_pass_of_rota_tick_takes_note_of_failures_and_tells(caplog):  # R50
    app = Rota(MemoryStore(), settings=Settings(alerts=AlertSettings(settle=timedelta(0))))

    @app.job(retry=Retry(attempts=1))
    def sync() -> None:
        raise ValueError("no way")

    app.start_run("sync")
    with caplog.at_level("INFO", logger="rota.alerts"):
        app.tick()
        app.tick()
    app.close()

    assert "sync fails: ValueError: no way" in caplog.text


def test_what_failed_for_a_tenant_that_is_gone_is_over():  # R50, R21
    clock, tenants = FakeClock(), ["acme", "globex"]
    app = Rota(MemoryStore(clock=clock), tenants=lambda: tenants, clock=clock)
    app.store.enqueue([a_run(job="mail", tenant="acme")], now=clock.now())
    settle_all(app.store, *map(given_up, claim(app.store)))
    premises = app.premises()
    alerter = alert_services(premises)["alerter"]
    for _ in range(3):
        alerter.tick(clock.tick(MINUTE))
    [incident] = app.incidents.list()

    tenants.remove("acme")
    premises.directory.list(now=clock.now())
    alerter.tick(clock.tick(MINUTE))

    # Nothing of theirs will ever succeed: a run of theirs would be cancelled.
    assert (incident.affected, app.incidents.list()) == (1, [])


def test_alerts_go_out_while_the_tenants_whose_tags_a_rule_names_cannot_be_listed():  # R50, R21
    def away() -> list[str]:
        raise OSError("the database of the tenants is away")

    clock = FakeClock()
    rule = RuleSettings(tags=("gold",), channels=("log",))
    settings = Settings(alerts=AlertSettings(settle=timedelta(0), rule=(rule,)))
    app = Rota(MemoryStore(clock=clock), tenants=away, clock=clock, settings=settings)
    app.store.enqueue([a_run(job="mail", tenant="acme")], now=clock.now())
    settle_all(app.store, *map(given_up, claim(app.store)))
    alerter = alert_services(app.premises())["alerter"]

    alerter.tick(clock.now())
    alerter.tick(clock.tick(SECOND))

    assert [one.alert.job for one in app.store.alerts.deliveries(DeliveryQuery())] == ["mail"]
