"""What an incident becomes: opened once, grouped, told, reminded of, closed (R50)."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rota.core.alert import IncidentKind, Stage
from rota.core.incident import (
    ANY_ERROR,
    LOOK,
    MOST_OF_JOB,
    Condition,
    Incident,
    IncidentState,
    Policy,
    compared,
    kept_apart,
    key_of,
    looked,
    met,
    recovered,
    reminder_wait,
)
from rota.core.signal import Signal
from tests.values import DAY, HOUR, MICROSECOND, MINUTE, NOON, SECOND, a_member, an_incident, new_id

POLICY = Policy(cool_down=HOUR, settle=10 * SECOND)
KEY = key_of(IncidentKind.FAILED, "mail", "f00d")


def a_signal(tenant="acme", **fields):
    return Signal(
        **{
            "id": new_id(),
            "kind": IncidentKind.FAILED,
            "job": "mail",
            "tenant": tenant,
            "fingerprint": "f00d",
            "error": "E: boom",
            "run_id": new_id(),
            "at": NOON,
        }
        | fields
    )


def fold(known, members, *signals, now=NOON):
    """Return an incident and its members after signals."""
    change = met(known, members, signals, key=KEY, new_id="i1", now=now, policy=POLICY)
    return change.incident, members | {member.name: member for member in change.members}


def opened(*tenants, now=NOON):
    return fold(None, {}, *[a_signal(tenant) for tenant in tenants or ("acme",)], now=now)


def look(incident, now):
    return looked(incident, now=now, policy=POLICY)


def told(*tenants):
    """Return an incident that everybody was told of ten seconds after noon, and its members."""
    incident, members = opened(*tenants)
    incident, stage = look(incident, NOON + 10 * SECOND)
    assert stage is Stage.OPENED
    return replace(incident, channels=("ops",)), members


def well(incident, members, *tenants, at):
    """Return an incident and its members after successes."""
    change = recovered(incident, members, dict.fromkeys(tenants, at), now=at)
    assert change is not None
    return change.incident, members | {member.name: member for member in change.members}


# --- opened, and grouped ---


def test_many_tenants_that_fail_alike_are_one_incident():  # R50
    incident, members = opened("acme", "globex", "initech")

    assert (incident.affected, incident.number, sorted(members)) == (3, 3, ["acme", "globex", "initech"])


def test_the_same_failure_again_belongs_to_the_incident_that_is_open():  # R50
    first, members = opened("acme")

    incident, members = fold(first, members, a_signal("acme", at=NOON + MINUTE), a_signal("globex"), now=NOON + MINUTE)

    assert (incident.id, incident.number, incident.affected) == (first.id, 3, 2)
    assert (members["acme"].number, members["acme"].first_at, members["acme"].last_at) == (2, NOON, NOON + MINUTE)


def test_what_is_said_of_an_incident_is_the_failure_that_came_last():  # R50
    incident, members = opened("acme")
    late = a_signal("globex", at=NOON + MINUTE, error="E: late", slot=NOON)
    early = a_signal("globex", at=NOON - MINUTE, error="E: early")

    incident, members = fold(incident, members, late)
    incident, _ = fold(incident, members, early)

    assert (incident.error, incident.run_id, incident.slot, incident.last_at) == (
        "E: late", late.run_id, NOON, NOON + MINUTE
    )  # fmt: skip


def test_errors_of_a_job_are_kept_apart_by_fingerprint_and_kind():  # R50
    signals = [a_signal(fingerprint="a"), a_signal(fingerprint="b"), a_signal(kind=IncidentKind.TIMED_OUT)]

    assert len(kept_apart(signals, [])) == 3


def test_five_hundred_tenants_with_five_hundred_errors_are_a_handful_of_incidents():  # R50, H3
    signals = [a_signal(f"t{n}", fingerprint=f"f{n:03}") for n in range(500)]

    apart = kept_apart(signals, [])

    assert len(apart) == MOST_OF_JOB + 1
    assert len(apart[key_of(IncidentKind.FAILED, "mail", ANY_ERROR)]) == 500 - MOST_OF_JOB


def test_what_is_too_various_is_counted_with_the_incidents_that_are_open_already():  # R50, H3
    held = [an_incident(job="mail", fingerprint=f"f{n}") for n in range(MOST_OF_JOB)]

    apart = kept_apart([a_signal(fingerprint="f0"), a_signal(fingerprint="new")], held)

    assert list(apart) == [key_of(IncidentKind.FAILED, "mail", print_) for print_ in ("f0", ANY_ERROR)]


def test_a_job_whose_name_has_a_colon_keeps_its_fingerprint():  # R50
    key = key_of(IncidentKind.FAILED, "a:b:c", "f00d")

    change = met(None, {}, [a_signal(job="a:b:c")], key=key, new_id="i", now=NOON, policy=POLICY)

    assert (change.incident.fingerprint, change.incident.job) == ("f00d", "a:b:c")


# --- told ---


def test_others_are_waited_for_before_it_is_told():  # R50, H3
    incident, _ = opened("acme")

    waiting, early = look(incident, NOON + 9 * SECOND)
    after, stage = look(incident, NOON + 10 * SECOND)

    assert (early, waiting.look_at) == (None, NOON + 10 * SECOND)
    assert (stage, after.told_at, after.told_for, after.messages) == (Stage.OPENED, NOON + 10 * SECOND, 1, 1)


def test_it_is_told_once():  # R50
    incident, _ = told()

    assert look(incident, NOON + MINUTE)[1] is None


@pytest.mark.parametrize(
    ("reminders", "wait"), [(0, HOUR), (1, 2 * HOUR), (2, 4 * HOUR), (4, 16 * HOUR), (5, DAY), (500, DAY)]
)
def test_it_is_repeated_after_the_cool_down_and_then_more_and_more_rarely(reminders, wait):  # R50
    assert reminder_wait(reminders, POLICY) == wait


def test_a_cool_down_of_more_than_a_day_is_kept():  # R50
    assert reminder_wait(3, Policy(cool_down=3 * DAY)) == 3 * DAY


def test_while_it_is_open_it_is_told_again():  # R50
    incident, _ = told()
    at = NOON + 10 * SECOND + HOUR

    assert look(incident, at - MICROSECOND)[1] is None
    again, stage = look(incident, at)

    assert (stage, again.reminders, again.told_at) == (Stage.REMINDER, 1, at)
    assert look(again, at + HOUR)[1] is None
    assert look(again, at + 2 * HOUR)[1] is Stage.REMINDER


def test_when_it_meets_twice_as_many_it_is_told_again_sooner():  # R50
    incident, members = told("acme", "globex")
    incident, members = fold(incident, members, a_signal("initech"), a_signal("hooli"), now=NOON + MINUTE)

    assert look(incident, NOON + MINUTE)[1] is None
    assert look(incident, NOON + 11 * MINUTE)[1] is Stage.REMINDER


def test_an_outage_that_spreads_is_no_message_for_each_tenant():  # R50, H3
    incident, members = told("t0")
    stages = []
    for n in range(1, 600):
        now = NOON + n * SECOND
        incident, members = fold(incident, members, a_signal(f"t{n}", at=now), now=now)
        incident, stage = look(incident, now)
        stages.append(stage)

    assert [stage for stage in stages if stage] == []


# --- over ---


def test_it_is_over_when_every_tenant_has_succeeded_since():  # R50
    incident, members = told("acme", "globex")
    incident, members = well(incident, members, "acme", at=NOON + MINUTE)

    still, nothing = look(incident, NOON + MINUTE)
    incident, _ = well(still, members, "globex", at=NOON + 2 * MINUTE)
    closed, stage = look(incident, NOON + 2 * MINUTE)

    assert (nothing, still.affected) == (None, 1)
    assert (stage, closed.state, closed.closed_at) == (Stage.RECOVERED, IncidentState.CLOSED, NOON + 2 * MINUTE)


def test_a_success_from_before_the_failure_says_nothing():  # R50
    incident, members = told("acme")

    assert recovered(incident, members, {"acme": NOON}, now=NOON + MINUTE) is None
    assert recovered(incident, members, {"globex": NOON + MINUTE}, now=NOON + MINUTE) is None


def test_what_recovers_before_it_was_told_is_told_and_then_over():  # R50
    incident, members = opened("acme")
    incident, _ = well(incident, members, "acme", at=NOON + SECOND)

    incident, first = look(incident, NOON + 10 * SECOND)
    _, second = look(incident, NOON + 25 * SECOND)

    assert (first, second) == (Stage.OPENED, Stage.RECOVERED)


def test_a_failure_that_is_read_after_the_recovery_and_was_before_it_changes_nothing():  # R50
    incident, members = told("acme")
    incident, members = well(incident, members, "acme", at=NOON + MINUTE)

    incident, members = fold(incident, members, a_signal("acme", at=NOON + SECOND), now=NOON + 2 * MINUTE)

    assert (incident.affected, members["acme"].recovered_at) == (0, NOON + MINUTE)


def test_a_closed_incident_that_is_met_again_soon_is_opened_again():  # R50
    closed, members = a_closed_one()

    incident, members = fold(closed, members, a_signal(at=NOON + 5 * MINUTE), now=NOON + 5 * MINUTE)

    assert (incident.id, incident.state, incident.openings, incident.closed_at) == (
        closed.id, IncidentState.OPEN, 2, None
    )  # fmt: skip
    # Not since it was wrong before: it was well meanwhile.
    assert incident.opened_at == NOON + 5 * MINUTE
    assert look(incident, NOON + 6 * MINUTE)[1] is Stage.OPENED


def test_after_the_cool_down_the_next_failure_is_another_incident():  # R50
    closed, _ = a_closed_one()

    held, _ = look(closed, closed.closed_at + HOUR - MICROSECOND)
    free, _ = look(closed, closed.closed_at + HOUR)

    assert (held.key, held.look_at) == (KEY, closed.closed_at + HOUR)
    assert (free.key, free.look_at) == (None, None)


def a_closed_one():
    incident, members = told("acme")
    incident, members = well(incident, members, "acme", at=NOON + MINUTE)
    incident, stage = look(incident, NOON + MINUTE)
    assert stage is Stage.RECOVERED
    return incident, members


def test_a_job_that_fails_and_succeeds_in_turn_for_a_day_is_not_told_each_time():  # R50
    incident, members, stages = None, {}, []
    for minute in range(24 * 60):
        now = NOON + minute * MINUTE
        if minute % 2 == 0:
            incident, members = fold(incident, members, a_signal(at=now), now=now)
        else:
            change = recovered(incident, members, {"acme": now}, now=now)
            incident, members = change.incident, members | {"acme": change.members[0]}
        for second in (15, 30, 45):
            incident, stage = look(incident, now + second * SECOND)
            stages.append(stage)

    # Opened three times and closed twice, then held open; repeated a few times.
    assert stages.count(Stage.OPENED) == 3
    assert stages.count(Stage.RECOVERED) == 2
    assert 0 < stages.count(Stage.REMINDER) < 8


def test_one_that_comes_and_goes_is_over_when_it_has_been_quiet_for_the_cool_down():  # R50
    incident, members = told("acme")
    incident = replace(incident, openings=POLICY.flapping)
    incident, _ = well(incident, members, "acme", at=NOON + MINUTE)

    assert look(incident, NOON + HOUR - MICROSECOND)[1] is None
    assert look(incident, NOON + HOUR)[1] is Stage.RECOVERED


# --- acknowledged, muted ---


def test_what_somebody_has_acknowledged_is_not_repeated_but_its_end_is_told():  # R50
    incident, members = told("acme")
    acked = replace(incident, acked_at=NOON + MINUTE, acked_by="ana")

    assert look(acked, NOON + DAY)[1] is None
    over, _ = well(acked, members, "acme", at=NOON + DAY)
    assert look(over, NOON + DAY)[1] is Stage.RECOVERED


def test_what_somebody_has_acknowledged_is_told_when_it_meets_twice_as_many():  # R50
    incident, members = told("acme")
    acked = replace(incident, acked_at=NOON + MINUTE, acked_by="ana")
    acked, _ = fold(acked, members, a_signal("globex"), now=NOON + MINUTE)

    assert look(acked, NOON + HOUR)[1] is Stage.REMINDER


def test_who_acknowledged_it_is_forgotten_when_it_is_opened_again():  # R50
    closed, members = a_closed_one()
    closed = replace(closed, acked_at=NOON, acked_by="ana")

    incident, _ = fold(closed, members, a_signal(at=NOON + 5 * MINUTE), now=NOON + 5 * MINUTE)

    assert (incident.acked_at, incident.acked_by) == (None, "")


@pytest.mark.parametrize(("until", "stage"), [(None, Stage.OPENED), (NOON + 8 * HOUR, None)], ids=["over", "a time"])
def test_what_is_muted_until_it_is_over_is_told_when_it_is_opened_again(until, stage):  # R50
    closed, members = a_closed_one()
    closed = replace(closed, muted_at=NOON, muted_until=until, muted_by="ana")

    incident, _ = fold(closed, members, a_signal(at=NOON + 5 * MINUTE), now=NOON + 5 * MINUTE)

    assert look(incident, NOON + 6 * MINUTE)[1] is stage


def test_what_is_muted_until_it_is_over_is_not_told_at_all():  # R50
    incident, members = opened("acme")
    incident = replace(incident, muted_at=NOON)

    incident, first = look(incident, NOON + MINUTE)
    incident, again = look(incident, NOON + DAY)
    incident, _ = well(incident, members, "acme", at=NOON + DAY)
    closed, end = look(incident, NOON + DAY)

    assert (first, again, end, closed.state, closed.messages) == (None, None, None, IncidentState.CLOSED, 0)


def test_what_is_muted_for_a_while_is_told_again_afterwards():  # R50
    incident, _ = told("acme")
    muted = replace(incident, muted_at=NOON + MINUTE, muted_until=NOON + 8 * HOUR)

    assert look(muted, NOON + 8 * HOUR - MICROSECOND)[1] is None
    assert look(muted, NOON + 8 * HOUR)[1] is Stage.REMINDER


# --- what is found by looking ---


def a_condition(member="acme", **fields):
    named = {"kind": IncidentKind.PARKED, "job": "", "about": "", "member": member, "since": NOON, "error": "no route"}
    return Condition(**named | fields)


def compare(known, members, *conditions, now=NOON):
    return compared(
        known, members, conditions, kind=IncidentKind.PARKED, key="parked::", new_id="p1", now=now, policy=POLICY
    )


def test_what_is_found_wrong_opens_an_incident_and_found_again_changes_nothing():  # R50, R25
    change = compare(None, {}, a_condition("acme"), a_condition("globex"))
    members = {member.name: member for member in change.members}

    assert (change.incident.affected, change.incident.error, change.incident.tell_at) == (
        2, "no route", NOON + 10 * SECOND
    )  # fmt: skip
    assert compare(change.incident, members, a_condition("acme"), a_condition("globex"), now=NOON + DAY) is None


def test_what_is_not_found_any_more_has_recovered():  # R50, R25
    first = compare(None, {}, a_condition("acme"), a_condition("globex"))
    members = {member.name: member for member in first.members}

    change = compare(first.incident, members, a_condition("globex"), now=NOON + MINUTE)

    assert [(member.name, member.recovered_at) for member in change.members] == [("acme", NOON + MINUTE)]
    assert change.incident.affected == 1


def test_an_incident_is_open_exactly_while_something_is_wrong():  # R50
    first = compare(None, {}, a_condition("acme"))
    incident, _ = look(first.incident, NOON + MINUTE)
    change = compare(incident, {"acme": first.members[0]}, now=NOON + 2 * MINUTE)

    closed, stage = look(change.incident, NOON + 2 * MINUTE)

    assert (stage, closed.state) == (Stage.RECOVERED, IncidentState.CLOSED)


# --- whatever comes in whatever order ---

TENANTS = st.sampled_from(["a", "b", "c", ""])
SECONDS = st.integers(0, 7200)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fail"), TENANTS, SECONDS),
        st.tuples(st.just("succeed"), TENANTS, SECONDS),
        st.tuples(st.just("look"), st.just(""), SECONDS),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_an_incident_says_how_many_are_affected_and_is_told_in_order(steps):  # R50
    incident: Incident | None = None
    members, stages, clock, openings = {}, [], NOON, 0
    for what, tenant, seconds in steps:
        clock += timedelta(seconds=seconds)
        match what:
            case "fail":
                known = incident if incident is None or incident.key is not None else None
                members = members if known is not None else {}
                was_open = known is not None and known.is_open
                incident, members = fold(known, members, a_signal(tenant, at=clock), now=clock)
                openings += not was_open
            case "succeed" if incident is not None:
                change = recovered(incident, members, {tenant: clock}, now=clock)
                if change is not None:
                    incident, members = change.incident, members | {m.name: m for m in change.members}
            case "look" if incident is not None:
                incident, stage = look(incident, clock)
                stages += [stage] if stage else []
        if incident is not None:
            assert incident.affected == sum(member.recovered_at is None for member in members.values())
            assert incident.look_at is not None or incident.key is None
            assert not (incident.affected and not incident.is_open)
    ends = [stage for stage in stages if stage is not Stage.REMINDER]
    # Never an end without a beginning, nor two beginnings without an end between them.
    assert all(stage is (Stage.RECOVERED if n % 2 else Stage.OPENED) for n, stage in enumerate(ends))
    assert stages.count(Stage.OPENED) <= openings


@settings(max_examples=200, deadline=None)
@given(st.permutations([(t, s) for t in ("a", "b") for s in (0, 5, 9)]))
def test_the_order_in_which_failures_are_read_does_not_matter(order):  # R50
    signals = [a_signal(tenant, id=f"{tenant}{s}", run_id=f"{tenant}{s}", at=NOON + s * SECOND) for tenant, s in order]
    incident, members = None, {}
    for signal in signals:
        incident, members = fold(incident, members, signal)
    whole, at_once = fold(None, {}, *signals)

    assert members == at_once
    assert (incident.number, incident.affected, incident.last_at) == (whole.number, whole.affected, whole.last_at)


def test_an_open_incident_is_looked_at_again_and_again():  # R50
    incident, _ = told()

    assert look(incident, NOON + MINUTE)[0].look_at == NOON + MINUTE + LOOK


def test_a_member_that_failed_and_recovered_before_can_fail_again():  # R50
    incident, members = fold(an_incident(key=KEY), {"acme": a_member(recovered_at=NOON)}, a_signal(at=NOON + MINUTE))

    assert (members["acme"].recovered_at, members["acme"].number, incident.affected) == (None, 2, 1)
