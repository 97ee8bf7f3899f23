"""From what goes wrong to whoever has to know: opened once, grouped over tenants, and over when it is over (R50)."""

import pytest
from msgspec.structs import replace

from rota.core.alert import IncidentKind, Stage
from rota.core.controls import Circuit, Control, ControlKind
from rota.core.freshness import Freshness
from rota.core.incident import IncidentState
from rota.core.liveness import USUAL
from rota.core.model import ErrorReport, Outcome, RunKind, ScheduleState
from rota.core.routing import Rule
from rota.core.watched import PingKind, Turn, watch_key
from rota.engine.alerts import alerter, conditions
from rota.queries import FlipQuery, IncidentQuery
from tests.contract.flaky import flaky
from tests.engine.alerting import Watch
from tests.values import (
    DAY,
    HOUR,
    LEASE,
    MINUTE,
    NOON,
    SECOND,
    a_flip,
    a_pair,
    a_ping,
    a_progress,
    a_schedule,
    a_slot_run,
    a_worker,
    claim,
    given_up,
    lost,
    settle_all,
    succeeded,
)  # fmt: skip


@pytest.fixture
def watch():
    return Watch()


# --- what failed ---


def test_a_run_that_failed_for_good_is_told_once(watch):  # R50
    run = watch.fail("mail", "acme")

    watch.advance(MINUTE)

    [alert] = watch.ops.got
    assert (alert.stage, alert.kind, alert.job, alert.tenants) == (Stage.OPENED, IncidentKind.FAILED, "mail", ("acme",))
    assert (alert.error, alert.run_id, alert.title) == ("ValueError: boom", run.id, "mail fails for acme")


def test_twelve_tenants_are_one_message(watch):  # R50
    for number in range(12):
        watch.fail("mail", f"t{number:02}")

    watch.advance(MINUTE)

    [alert] = watch.ops.got
    assert (alert.title, alert.number_of_tenants, len(alert.tenants)) == ("mail fails for 12 tenants", 12, 12)


def test_five_hundred_tenants_that_fail_at_once_are_one_message_with_names_up_to_a_limit(watch):  # H3, R50
    for number in range(500):
        watch.fail("mail", f"t{number:03}")

    watch.advance(HOUR)

    [alert] = watch.ops.got
    assert (alert.number_of_tenants, len(alert.tenants)) == (500, 20)
    assert len(watch.store.alerts.members(alert.incident)) == 500


def test_tenants_that_fail_within_the_time_others_are_waited_for_are_one_message(watch):  # H3, R50
    for number in range(4):
        watch.fail("mail", f"t{number}")
        watch.advance(2 * SECOND)

    watch.advance(MINUTE)

    assert [alert.number_of_tenants for alert in watch.ops.got] == [4]


def test_tenants_whose_error_names_them_are_one_message(watch):  # H3, R50, R38
    for tenant in ("acme", "globex", "hooli"):
        watch.fail("mail", tenant, error=ErrorReport(type="LookupError", message=f"no schema {tenant}"))

    watch.advance(MINUTE)

    assert [alert.title for alert in watch.ops.got] == ["mail fails for 3 tenants"]


def test_five_hundred_tenants_with_as_many_errors_are_a_handful_of_messages(watch):  # H3, R50
    for number in range(500):
        error = ErrorReport(type="E", message="m", fingerprint=f"{number:04}")
        watch.fail("mail", f"t{number:03}", error=error)

    watch.advance(MINUTE)

    assert len(watch.ops.got) == 6


@pytest.mark.parametrize(
    ("outcome", "kind"), [(Outcome.FAILED, IncidentKind.FAILED), (Outcome.TIMED_OUT, IncidentKind.TIMED_OUT)]
)
def test_a_returned_failure_and_a_run_out_of_time_alert_alike(watch, outcome, kind):  # R50, R43
    watch.end(outcome)

    watch.advance(MINUTE)

    assert [alert.kind for alert in watch.ops.got] == [kind]


def test_a_run_that_lost_its_workers_again_and_again_alerts(watch):  # R50, R30
    run = watch.run(lost_count=2)
    settle_all(watch.store, lost(run, now=watch.clock.now()), now=watch.clock.now())

    watch.advance(MINUTE)

    assert [alert.kind for alert in watch.ops.got] == [IncidentKind.LOST]


def test_a_list_of_tenants_that_cannot_be_had_alerts(watch):  # R50, R20
    watch.fail("mail", None, kind=RunKind.EXPANSION)

    watch.advance(MINUTE)

    assert [alert.title for alert in watch.ops.got] == ["mail fails"]


def test_what_succeeds_says_nothing(watch):  # R50
    watch.succeed()

    watch.advance(HOUR)

    assert (watch.ops.got, watch.incidents()) == ([], [])


# --- recovery ---


def test_a_later_success_is_told_as_the_end(watch):  # R50
    watch.fail()
    watch.advance(MINUTE)

    watch.succeed()
    watch.advance(MINUTE)

    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]
    assert watch.incident().state is IncidentState.CLOSED


def test_it_is_over_when_the_last_tenant_has_succeeded(watch):  # R50
    for tenant in ("acme", "globex"):
        watch.fail("mail", tenant)
    watch.advance(MINUTE)

    watch.succeed("mail", "acme")
    watch.succeed("other", "globex")
    watch.advance(MINUTE)
    still = watch.ops.stages
    watch.succeed("mail", "globex")
    watch.advance(MINUTE)

    assert still == [Stage.OPENED]
    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]
    assert watch.ops.got[-1].tenants == ("acme", "globex")


def test_a_run_that_was_retried_with_success_is_over(watch):  # R50
    run = watch.fail()
    watch.advance(MINUTE)
    watch.store.requeue([run.id], now=watch.clock.now(), reason="ann")
    [again] = claim(watch.store, now=watch.clock.now())

    settle_all(watch.store, succeeded(again, now=watch.clock.now()), now=watch.clock.now())
    watch.advance(MINUTE)

    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]


def test_five_hundred_tenants_that_succeed_again_are_over_at_the_next_look(watch):  # H3, R50
    for number in range(500):
        watch.fail("mail", f"t{number:03}")
    watch.advance(MINUTE)

    for number in range(500):
        watch.succeed("mail", f"t{number:03}")
    watch.advance(20 * SECOND)

    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]


def test_a_retried_run_is_found_however_many_ran_since(watch):  # R50
    runs = [watch.fail("mail", f"t{number}") for number in range(30)]
    watch.advance(MINUTE)
    for _ in range(250):
        watch.fail("mail", "noise", error=ErrorReport(type="E", message="", fingerprint="other"))
    watch.store.requeue([run.id for run in runs], now=watch.clock.now(), reason="ann")

    for again in claim(watch.store, now=watch.clock.now()):
        settle_all(watch.store, succeeded(again, now=watch.clock.now()), now=watch.clock.now())
    watch.advance(2 * MINUTE)

    assert [one.state for one in watch.incidents() if one.fingerprint == "f00d"] == [IncidentState.CLOSED]


def test_the_progress_of_a_schedule_tells_of_its_success(watch):  # R50, R9
    watch.store.put_schedule(a_schedule(name="nightly", job="mail"), expected_version=None)
    now = watch.clock.now()
    watch.store.enqueue([a_slot_run(job="mail", slot=now)], now=now)
    [run] = claim(watch.store, now=now)
    settle_all(watch.store, given_up(run, now=now), now=now)
    watch.advance(MINUTE)
    for _ in range(250):
        watch.fail("mail", "noise", error=ErrorReport(type="E", message="", fingerprint="other"))

    marked = a_progress(schedule="nightly", tenant="acme", last_success=now, last_success_at=watch.clock.now())
    [known] = watch.store.progress(schedule="nightly", tenants=["acme"])
    assert watch.store.mark(marked, expected=known)
    watch.advance(MINUTE)

    assert [one.state for one in watch.incidents() if one.fingerprint != "other"] == [IncidentState.CLOSED]


def test_what_was_forgotten_by_retention_is_not_wrong_for_ever(watch):  # R50, R72
    watch.fail()
    watch.advance(MINUTE)
    far = watch.clock.now() + DAY

    ages = {"succeeded_before": far, "failed_before": far, "slots_before": far, "logs_before": far}
    watch.store.prune(**ages, limit=100)
    watch.advance(MINUTE)

    assert watch.incident().state is IncidentState.CLOSED


def test_while_it_is_open_it_is_told_again_after_the_cool_down(watch):  # R50
    watch.fail()

    watch.advance(8 * HOUR)

    assert watch.ops.stages == [Stage.OPENED] + 3 * [Stage.REMINDER]
    assert len({alert.id for alert in watch.ops.got}) == 4
    assert len({alert.incident for alert in watch.ops.got}) == 1


def test_who_learns_of_it_by_a_reminder_is_told_that_it_is_over():  # R50
    rules = [Rule(tenants=("acme",), channels=("pager",)), Rule(channels=("ops",))]
    watch: Watch = Watch(channels=("ops", "pager"), rules=rules)
    watch.fail(tenant="globex")
    watch.advance(MINUTE)
    watch.fail(tenant="acme")
    watch.advance(20 * MINUTE)

    for tenant in ("acme", "globex"):
        watch.succeed(tenant=tenant)
    watch.advance(MINUTE)

    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]
    assert watch.channels["pager"].stages == [Stage.REMINDER, Stage.RECOVERED]


def test_however_many_incidents_there_are_each_failure_finds_its_own(watch, monkeypatch):  # R50
    monkeypatch.setattr(alerter, "PAGE", 2)
    for job in ("a", "b", "c", "d", "e"):
        watch.fail(job)
        watch.advance(MINUTE)

    watch.fail("a", "globex")
    watch.advance(MINUTE)

    assert watch.store.alerts.signals() == []
    assert [alert.job for alert in watch.ops.got] == ["a", "b", "c", "d", "e"]


# --- what is wrong without having ended ---


def looking(find):
    """Return a watch that looks with one of the ways to look."""
    watch: Watch = Watch(conditions=lambda now: find(watch, now))
    return watch


def test_a_schedule_that_cannot_be_understood_is_told_until_it_is_mended():  # R50, R5
    watch = looking(lambda watch, now: conditions.broken(watch.store, now=now))
    broken = a_schedule(state=ScheduleState.BROKEN, reason="no such zone", created_at=NOON - 365 * DAY)
    watch.store.put_schedule(broken, expected_version=None)
    watch.advance(MINUTE)
    [alert] = watch.ops.got

    watch.store.put_schedule(replace(broken, state=ScheduleState.ACTIVE, reason=None, version=2), expected_version=1)
    watch.advance(MINUTE)

    assert (alert.kind, alert.error, alert.tenants) == (IncidentKind.BROKEN, "no such zone", ("nightly",))
    # It was made a year ago, and was well until today.
    assert alert.first_at >= NOON - MINUTE
    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]


def test_parked_tenants_are_told_together_until_they_can_be_reached():  # R50, R25
    watch = looking(lambda watch, _: conditions.parked(watch.store))
    for tenant in ("acme", "globex"):
        park(watch, tenant)
    watch.advance(MINUTE)

    for tenant in ("acme", "globex"):
        watch.store.drop_control(ControlKind.CIRCUIT, tenant, expected_version=1)
    watch.advance(MINUTE)

    assert [alert.title for alert in watch.ops.got] == 2 * ["2 tenants are parked: no way to the database"]
    assert watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]


def park(watch, tenant, parked_at=NOON):
    circuit = Circuit(failures=3, reason="no route", parked_at=parked_at)
    control = Control(kind=ControlKind.CIRCUIT, name=tenant, body=circuit.body(), changed_at=NOON)
    assert watch.store.put_control(control, expected_version=None)


def test_a_tenant_that_is_not_parked_yet_is_no_incident():  # R25
    watch = looking(lambda watch, _: conditions.parked(watch.store))
    park(watch, "acme", parked_at=None)

    watch.advance(MINUTE)

    assert watch.ops.got == []


def stopped(watch, now):
    return conditions.stopped(watch.store, USUAL | {"scheduler": SECOND}, heartbeat=5 * SECOND, lease=LEASE, now=now)


def test_a_loop_that_does_not_come_round_though_its_process_lives_is_told():  # R50, R52
    watch = looking(stopped)
    now = watch.clock.now()
    watch.store.register(a_worker(pid=7, host="web-1", last_seen=now + MINUTE, stamps={"scheduler": now - MINUTE}))

    watch.advance(MINUTE)

    assert [(alert.kind, alert.tenants) for alert in watch.ops.got] == [
        (IncidentKind.STOPPED, ("scheduler of pid 7 on web-1",))
    ]


def test_a_process_that_is_gone_is_no_stopped_loop():  # R52
    watch = looking(stopped)
    watch.store.register(a_worker(last_seen=NOON - HOUR, stamps={"scheduler": NOON - 2 * HOUR}))

    watch.advance(MINUTE)

    assert watch.ops.got == []


def turn(watch, before, after, **flipped):
    """Let the watchdog flip a pair."""
    state = Freshness.NEW if before is None else before.state
    flip = a_flip(**flipped, schedule=after.schedule, tenant=after.tenant, before=state, after=after.state)
    assert watch.store.freshness.turn([Turn(before=before, after=after, flip=flip)]) == [after.key]
    return after


@pytest.fixture
def stale_watch():
    watch: Watch = Watch(conditions=lambda now: look(now))
    look = conditions.Stale(watch.store, lease=LEASE).look
    watch.store.put_schedule(a_schedule(name="nightly", job="mail"), expected_version=None)
    return watch


def test_stale_schedules_are_told_by_schedule_for_all_their_tenants(stale_watch):  # R50, R51
    pairs = [
        turn(stale_watch, None, a_pair(schedule="nightly", tenant=tenant, state=Freshness.STALE, last_success=NOON))
        for tenant in ("acme", "globex")
    ]
    stale_watch.advance(MINUTE)
    [alert] = stale_watch.ops.got

    for pair in pairs:
        turn(stale_watch, pair, replace(pair, state=Freshness.FRESH))
    stale_watch.advance(MINUTE)

    assert (alert.kind, alert.job) == (IncidentKind.STALE, "mail")
    assert alert.title == "nightly has not succeeded in time for 2 tenants"
    assert alert.error == "the last slot that succeeded is 2026-06-01 12:00 UTC"
    assert stale_watch.ops.stages == [Stage.OPENED, Stage.RECOVERED]


def test_what_is_late_or_paused_is_no_incident(stale_watch):  # R51
    for tenant, state in (("acme", Freshness.LATE), ("globex", Freshness.PAUSED)):
        turn(stale_watch, None, a_pair(schedule="nightly", tenant=tenant, state=state))

    stale_watch.advance(MINUTE)

    assert stale_watch.ops.got == []


def test_a_script_outside_of_rota_is_told_by_its_own_name(stale_watch):  # R51
    turn(stale_watch, None, a_pair(schedule=watch_key("backup"), tenant="", state=Freshness.STALE, last_success=None))

    stale_watch.advance(MINUTE)

    assert [(alert.title, alert.error) for alert in stale_watch.ops.got] == [
        ("backup has not succeeded in time", "it has never succeeded")
    ]


def test_what_another_watchdog_wrote_late_under_an_older_id_is_found_too(stale_watch):  # R50, R51
    store = stale_watch.store
    turn(stale_watch, None, a_pair(schedule="other", state=Freshness.FRESH), id="f2")
    stale_watch.advance(MINUTE)

    turn(stale_watch, None, a_pair(schedule="nightly", tenant="acme", state=Freshness.STALE), id="f1")
    stale_watch.advance(10 * MINUTE)

    assert [flip.id for flip in store.freshness.flips(FlipQuery())] == ["f2", "f1"]
    assert [alert.kind for alert in stale_watch.ops.got] == [IncidentKind.STALE]


@pytest.mark.parametrize(("last_seen", "is_said"), [(NOON - HOUR, True), (NOON, False)], ids=["silent", "alive"])
def test_what_is_stale_because_no_scheduler_lives_says_so(stale_watch, last_seen, is_said):  # R50, R52
    stale_watch.store.register(a_worker(last_seen=last_seen, stamps={"scheduler": last_seen}))
    turn(stale_watch, None, a_pair(schedule="nightly", tenant="acme", state=Freshness.STALE, last_success=NOON - DAY))

    stale_watch.alerter.tick(NOON)

    [incident] = stale_watch.store.alerts.incidents(IncidentQuery())
    said = "no scheduler has been heard of since 2026-06-01 11:00 UTC; " if is_said else ""
    assert incident.error == f"{said}the last slot that succeeded is 2026-05-31 12:00 UTC"


def test_a_script_that_said_that_it_failed_is_told_in_its_own_words(stale_watch):  # R50, R51
    text = "dumping\npg_dump: no space left\n"
    stale_watch.store.freshness.ping(a_ping(name="backup", kind=PingKind.FAIL, text=text))
    stale_watch.store.freshness.ping(a_ping(name="backup", kind=PingKind.START))
    turn(stale_watch, None, a_pair(schedule=watch_key("backup"), tenant="", state=Freshness.STALE))

    stale_watch.advance(MINUTE)

    assert [alert.error for alert in stale_watch.ops.got] == ["it said that it failed: pg_dump: no space left"]


def test_while_nothing_flips_and_nothing_is_stale_no_pair_is_read():  # R51
    store, calls = flaky(Watch().store)
    stale = conditions.Stale(store, lease=LEASE)

    stale.look(NOON)
    first = calls.calls["freshness.pairs"]
    stale.look(NOON + MINUTE)

    assert (first, calls.calls["freshness.pairs"]) == (1, 1)
