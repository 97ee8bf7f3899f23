"""What a store keeps for alerts: signals of what failed, incidents, and what is to be told of them."""

import msgspec
import pytest
from msgspec.structs import replace

from rota.core.alert import IncidentKind
from rota.core.delivery import DeliveryState, failed, sent
from rota.core.incident import IncidentState
from rota.core.model import ErrorReport, Outcome, RunKind
from rota.queries import AuditQuery, DeliveryQuery, IncidentQuery
from tests.contract.races import together
from tests.values import (
    DAY,
    HOUR,
    MICROSECOND,
    MINUTE,
    NOON,
    SECOND,
    a_delivery,
    a_member,
    a_request,
    a_run,
    an_entry,
    an_incident,
    claim,
    ended,
    given_up,
    lost,
    settle_all,
    succeeded,
)
from tests.values import failed as tried_in_vain

BOOM = ErrorReport(type="KeyError", message="'boom' in\nline 2", place="app.mail, line 4", fingerprint="f00dfeed")


def running(store, **fields):
    """Return a run that is running."""
    store.enqueue([a_run(**fields)], now=NOON)
    [run] = claim(store)
    return run


def stopped(run):
    return ended(run, Outcome.CANCELLED)


def signal_of(store):
    """Return the only signal there is."""
    [signal] = store.alerts.signals()
    return signal


def write(store, incident, expected_version=None, **fields):
    return store.alerts.write(incident, expected_version=expected_version, **fields)


def next_version(incident, **fields):
    return replace(incident, version=incident.version + 1, **fields)


def incidents(store, **fields):
    return store.alerts.incidents(IncidentQuery(**fields))


def deliveries(store, **fields):
    return store.alerts.deliveries(DeliveryQuery(**fields))


def claimed(store, channel="ops", now=NOON, limit=10):
    return store.alerts.claim_deliveries(channel, lease=MINUTE, now=now, limit=limit)


# --- signals ---


def test_a_run_that_failed_for_good_leaves_a_signal_with_its_settlement(store):  # R50
    run = running(store, tenant="acme", job="mail", slot=NOON)

    settle_all(store, given_up(run, error=BOOM))

    signal = signal_of(store)
    assert (signal.kind, signal.job, signal.tenant) == (IncidentKind.FAILED, "mail", "acme")
    assert (signal.fingerprint, signal.error, signal.place) == ("f00dfeed", "KeyError: 'boom' in", BOOM.place)
    assert (signal.run_id, signal.slot, signal.at) == (run.id, NOON, given_up(run).ended_at)


@pytest.mark.parametrize("ending", [succeeded, stopped, tried_in_vain])
def test_a_run_that_has_not_failed_for_good_leaves_none(store, ending):  # R50
    run = running(store, max_attempts=3)

    settle_all(store, ending(run))

    assert store.alerts.signals() == []


def test_a_run_that_failed_without_a_word_leaves_a_signal(store):  # R50
    run = running(store)

    settle_all(store, given_up(run, error=None))

    assert (signal_of(store).run_id, signal_of(store).error) == (run.id, "")


def test_a_run_that_lost_its_worker_too_often_leaves_a_signal_of_that(store):  # R50, R30
    run = running(store, lost_count=2)

    settle_all(store, lost(run))

    assert signal_of(store).kind is IncidentKind.LOST


def test_an_expansion_that_failed_leaves_a_signal(store):  # R50, R20
    run = running(store, kind=RunKind.EXPANSION)

    settle_all(store, given_up(run))

    assert signal_of(store).run_id == run.id


def test_a_settlement_that_is_refused_leaves_no_signal(store):  # R50, G5
    run = running(store)
    store.release(run.owner, [(run.id, run.token)], now=NOON)

    settle_all(store, given_up(run))

    assert store.alerts.signals() == []


def test_a_settlement_that_is_repeated_leaves_one_signal(store):  # R50
    run = running(store)
    settlement = given_up(run)

    settle_all(store, settlement)
    settle_all(store, settlement)

    assert len(store.alerts.signals()) == 1


def test_a_run_that_fails_again_after_it_was_retried_leaves_another_signal(store):  # R50
    run = running(store)
    settle_all(store, given_up(run))
    store.requeue([run.id], now=NOON + MINUTE, reason="ann")
    [again] = claim(store, now=NOON + MINUTE)

    settle_all(store, given_up(again), now=NOON + MINUTE)

    assert [signal.run_id for signal in store.alerts.signals()] == [run.id, run.id]


def test_a_settlement_that_claims_the_next_leaves_its_signal_too(store):  # R50
    run = running(store)
    store.enqueue([a_run()], now=NOON)
    request = a_request()

    answer = store.settle([given_up(run)], now=NOON, claim=request)

    assert len(answer.claimed) == 1
    assert len(store.alerts.signals()) == 1


def test_what_a_job_says_is_kept_whatever_is_in_it(store):  # R50, R64
    run = running(store, tenant="acmé ☃")

    settle_all(store, given_up(run, error=ErrorReport(type="E", message="half \ud800 \x00 \x1b[31m")))

    assert signal_of(store).tenant == "acmé ☃"
    assert "half" in signal_of(store).error


def test_a_password_in_an_error_does_not_come_into_a_signal(store):  # R65
    run = running(store)

    settle_all(store, given_up(run, error=ErrorReport(type="E", message="no way to mysql://ops:canary@db")))

    assert "canary" not in signal_of(store).error


def test_signals_are_read_by_id_up_to_a_limit(store):  # R50
    for _ in range(3):
        settle_all(store, given_up(running(store)))

    every = store.alerts.signals()

    assert [one.id for one in every] == sorted(one.id for one in every)
    assert store.alerts.signals(limit=2) == every[:2]


def test_signals_that_nobody_took_are_forgotten_with_old_failures(store):  # R72
    settle_all(store, given_up(running(store)))
    ages = {"succeeded_before": NOON, "slots_before": NOON, "logs_before": NOON, "limit": 100}

    store.prune(failed_before=NOON - DAY, **ages)
    kept = store.alerts.signals()
    store.prune(failed_before=NOON + DAY, **ages)

    assert len(kept) == 1
    assert store.alerts.signals() == []


# --- incidents ---


def test_an_incident_comes_back_as_it_was_written(store):  # R50
    incident = an_incident(
        error="x\x00\u2028é", run_id="r1", slot=NOON, channels=("ops", "pager"), tell_at=NOON + SECOND, number=7
    )

    assert write(store, incident, members=[a_member("b", number=2), a_member("", recovered_at=NOON), a_member("é")])

    assert incidents(store) == [incident]
    assert store.alerts.members(incident.id) == [
        a_member("", recovered_at=NOON), a_member("b", number=2), a_member("é")
    ]  # fmt: skip


def test_a_member_is_replaced_by_one_of_the_same_name_and_others_stay(store):  # R50
    incident = an_incident()
    write(store, incident, members=[a_member("a"), a_member("b")])

    write(store, next_version(incident), 1, members=[a_member("b", number=9)])

    assert store.alerts.members(incident.id) == [a_member("a"), a_member("b", number=9)]


def test_an_incident_takes_its_signals_with_it(store):  # R50
    for _ in range(2):
        settle_all(store, given_up(running(store)))
    first, second = store.alerts.signals()

    assert write(store, an_incident(), taken=[first.id])

    assert store.alerts.signals() == [second]


def test_a_signal_is_taken_once(store):  # R50
    settle_all(store, given_up(running(store)))
    signal = signal_of(store)
    write(store, an_incident(), taken=[signal.id])

    assert not write(store, an_incident(key="other"), taken=[signal.id], deliveries=[a_delivery()])

    assert len(incidents(store)) == 1
    assert deliveries(store) == []


def test_of_two_who_read_the_same_version_one_writes(store):  # R50
    incident = an_incident()
    write(store, incident)

    assert write(store, next_version(incident, number=5), 1)
    assert not write(store, next_version(incident, number=6), 1, deliveries=[a_delivery()])

    assert incidents(store)[0].number == 5
    assert deliveries(store) == []


def test_a_key_is_of_one_incident(store):  # R50
    write(store, an_incident(key="k"))

    assert not write(store, an_incident(key="k"))

    assert len(incidents(store)) == 1


def test_a_key_that_was_given_free_may_be_taken_again(store):  # R50
    incident = an_incident(key="k")
    write(store, incident)
    write(store, next_version(incident, key=None, look_at=None), 1)

    assert write(store, an_incident(key="k"))

    assert len(incidents(store)) == 2
    assert len(incidents(store, held=True)) == 1


def test_of_many_who_open_the_same_incident_one_does_with_all_signals_of_it(store):  # R50, H3
    for _ in range(10):
        settle_all(store, given_up(running(store)))
    taken = [one.id for one in store.alerts.signals()]

    answers = together(
        *[lambda: write(store, an_incident(key="k"), taken=taken, deliveries=[a_delivery()]) for _ in range(6)]
    )

    assert sorted(answers) == [False] * 5 + [True]
    assert len(deliveries(store)) == 1
    assert store.alerts.signals() == []


def test_incidents_are_found_by_what_they_are(store):  # R50
    old = an_incident(job="a", key=None, state=IncidentState.CLOSED, closed_at=NOON, look_at=None)
    due = an_incident(job="b", key="b", look_at=NOON + MINUTE)
    later = an_incident(job="b", key="c", look_at=NOON + HOUR)
    for one in (old, due, later):
        write(store, one)

    assert incidents(store) == [later, due, old]
    assert incidents(store, jobs=("a",)) == [old]
    assert incidents(store, states=(IncidentState.OPEN,)) == [later, due]
    assert incidents(store, held=True, limit=1) == [later]
    assert incidents(store, look_before=NOON + MINUTE) == [due]
    assert incidents(store, before_id=due.id) == [old]
    assert incidents(store, ids=(due.id, old.id)) == [due, old]


def test_what_somebody_did_is_in_the_audit_where_it_changed_something(store):  # R50, G12
    incident = an_incident()
    write(store, incident)
    entry = an_entry(action="incident.ack", target=incident.id)

    write(store, next_version(incident), 7, audit=an_entry(action="incident.mute"))
    write(store, next_version(incident), 1, audit=entry)

    assert store.audit(AuditQuery(action="incident.")) == [entry]


def test_incidents_that_are_over_for_long_are_forgotten_with_what_belongs_to_them(store):  # R72
    over = an_incident(key=None, state=IncidentState.CLOSED, closed_at=NOON, look_at=None)
    held = an_incident(key="h", state=IncidentState.CLOSED, closed_at=NOON)
    write(store, over, members=[a_member()], deliveries=[a_delivery(incident=over.id)])
    write(store, held, members=[a_member()])

    assert store.alerts.prune(before=NOON) == 0
    assert store.alerts.prune(before=NOON + MICROSECOND) == 1

    assert incidents(store) == [held]
    assert store.alerts.members(over.id) == []
    assert store.alerts.members(held.id) == [a_member()]
    assert (deliveries(store), claimed(store)) == ([], [])


# --- deliveries ---


def with_deliveries(store, *wanted):
    """Write these deliveries, with an incident that they may be of."""
    write(store, an_incident(key=None), deliveries=wanted)


def test_a_delivery_is_claimed_once_under_a_new_token(store):  # R50, A17
    one = a_delivery()
    with_deliveries(store, one)

    first, second = claimed(store), claimed(store)

    assert first == [replace(one, attempt=1, token=1, due_at=NOON + MINUTE)]
    assert second == []


def test_of_many_who_claim_a_delivery_one_gets_it(store):  # R50
    with_deliveries(store, *[a_delivery(incident=f"i{number}") for number in range(8)])

    answers = together(*[lambda: claimed(store, limit=3) for _ in range(6)])

    got = [one.id for answer in answers for one in answer]
    assert len(got) == len(set(got))


def test_a_delivery_whose_sender_died_is_claimed_again_with_the_same_alert(store):  # A17
    with_deliveries(store, a_delivery())
    [first] = claimed(store)

    [again] = claimed(store, now=NOON + MINUTE)

    assert again.alert == first.alert
    assert (again.attempt, again.token) == (2, 2)


def test_who_was_taken_for_dead_settles_nothing(store):  # A17
    with_deliveries(store, a_delivery())
    [old] = claimed(store)
    [new] = claimed(store, now=NOON + MINUTE)

    assert not store.alerts.settle_delivery(sent(old, now=NOON + MINUTE))
    assert store.alerts.settle_delivery(sent(new, now=NOON + MINUTE))

    assert [one.state for one in deliveries(store)] == [DeliveryState.SENT]


def test_a_delivery_that_was_sent_is_sent_no_more(store):  # R50
    with_deliveries(store, a_delivery())
    [one] = claimed(store)

    assert store.alerts.settle_delivery(sent(one, now=NOON + SECOND))
    assert not store.alerts.settle_delivery(sent(one, now=NOON + SECOND))

    assert claimed(store, now=NOON + DAY) == []
    assert deliveries(store)[0].ended_at == NOON + SECOND


def test_a_delivery_that_failed_is_due_again_with_the_reason(store):  # R50, H1
    with_deliveries(store, a_delivery())
    [one] = claimed(store)
    again = failed(one, "refused: é", now=NOON)

    assert store.alerts.settle_delivery(again)

    assert deliveries(store) == [again]
    assert claimed(store, now=again.due_at - MICROSECOND) == []
    assert len(claimed(store, now=again.due_at)) == 1


def test_channels_do_not_see_what_is_for_others(store):  # R50
    with_deliveries(store, a_delivery(channel="ops"), a_delivery(channel="pager"))

    assert [one.channel for one in claimed(store, "pager")] == ["pager"]


def test_news_of_an_incident_wait_for_those_before_in_the_same_channel(store):  # R50
    first, second = a_delivery(), a_delivery()
    other, elsewhere = a_delivery(incident="i2"), a_delivery(channel="pager")
    with_deliveries(store, first, second, other, elsewhere)

    got = claimed(store)

    assert [one.id for one in got] == [first.id, other.id]
    assert claimed(store, now=NOON + SECOND) == []
    store.alerts.settle_delivery(sent(got[0], now=NOON))
    assert [one.id for one in claimed(store)] == [second.id]


def test_deliveries_are_found_by_what_they_are(store):  # R50
    first, second, third = a_delivery(), a_delivery(channel="pager"), a_delivery(incident="i2", created_at=NOON + DAY)
    with_deliveries(store, first, second, third)
    [one] = claimed(store, "pager")
    done = sent(one, now=NOON)
    store.alerts.settle_delivery(done)

    assert deliveries(store) == [third, done, first]
    assert deliveries(store, channel="pager") == [done]
    assert deliveries(store, incident="i2") == [third]
    assert deliveries(store, states=(DeliveryState.WAITING,)) == [third, first]
    assert deliveries(store, states=(DeliveryState.WAITING,), created_before=NOON + DAY) == [first]
    assert deliveries(store, before_id=third.id, limit=1) == [done]


def test_deliveries_that_ended_long_ago_are_forgotten(store):  # R72
    with_deliveries(store, a_delivery(), a_delivery(incident="i2"))
    [one] = claimed(store, limit=1)
    store.alerts.settle_delivery(sent(one, now=NOON))

    store.alerts.prune(before=NOON + SECOND)

    assert [left.incident for left in deliveries(store)] == ["i2"]


def test_texts_of_an_alert_come_back_as_they_were(store):  # R50
    alert = msgspec.structs.replace(a_delivery().alert, title="a\x00\u2028☃" * 2_000, tenants=("é", ""))
    with_deliveries(store, a_delivery(alert=alert))

    assert claimed(store)[0].alert == alert
