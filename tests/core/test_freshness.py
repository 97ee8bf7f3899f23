"""By when a pair must have succeeded, and what becomes of it as time passes and rules change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rota.core.expecting import rule_of
from rota.core.freshness import (
    DEFAULT,
    GRACE,
    Allowance,
    Expectation,
    Freshness,
    Rule,
    checked_age,
    expectation,
    freshness,
    grace_of,
    slot_of_ping,
)
from rota.core.policy import Job
from rota.core.watched import EDITED, FUTURE, Wanted, begun, judged, marked, proved, survey, turned
from rota.core.words import parse
from rota.errors import ConfigurationError
from tests.values import DAY, HOUR, MINUTE, NOON, a_pair, a_schedule, new_id


def a_rule(text="0 * * * *", *, within="2 * interval + 15m", grace=5 * MINUTE, **fields):
    return Rule(timing=parse(text) if text else None, within=Allowance.parse(within), grace=grace, **fields)


def a_wanted(rule=None, **fields):
    return Wanted(**{"schedule": "nightly", "tenant": "acme", "rule": rule or a_rule()} | fields)


def watched(rule=None, *, last_success=NOON, now=NOON, **fields):
    pair = begun(a_wanted(rule), last_success=last_success, now=now)
    return replace(pair, **fields)


# --- rules in words ---


@pytest.mark.parametrize(
    ("text", "intervals", "extra"),
    [
        ("2 * interval + 15m", 2, 15 * MINUTE),
        ("1.5*interval", 1.5, timedelta(0)),
        ("interval + 1h30m", 1, 90 * MINUTE),
        ("1h 30m + interval", 1, 90 * MINUTE),
        ("26h", 0, 26 * HOUR),
    ],
)
def test_a_rule_is_intervals_and_a_time(text, intervals, extra):  # R51
    rule = Allowance.parse(text)

    assert (rule.intervals, rule.extra) == (intervals, extra)
    assert Allowance.parse(str(rule)) == rule


@pytest.mark.parametrize("text", ["", "interval *", "2 * intervals", "+", "15", "-1h", "2 * interval - 15m"])
def test_what_is_no_rule_is_refused_with_one_that_is(text):  # R64
    with pytest.raises(ConfigurationError, match=r"2 \* interval \+ 15m"):
        Allowance.parse(text)


# --- by when ---


@pytest.mark.parametrize(
    ("text", "proof", "stale_at"),
    [
        ("0 9-17 * * 1-5", datetime(2026, 6, 5, 17, tzinfo=UTC), datetime(2026, 6, 8, 10, 15, tzinfo=UTC)),
        # A long one that is still to come makes nobody wait for it either.
        ("30 2 * * 1-5", datetime(2026, 6, 4, 2, 30, tzinfo=UTC), datetime(2026, 6, 6, 2, 45, tzinfo=UTC)),
    ],
    ids=["over the weekend", "before it"],
)
def test_a_weekend_counts_once(text, proof, stale_at):  # R51
    rule = a_rule(text)

    assert expectation(rule, proof=proof).stale_at == stale_at
    assert expectation(rule, proof=proof, watched_from=proof + HOUR / 2).stale_at == stale_at


def test_without_a_word_a_success_may_be_two_intervals_and_a_quarter_hour_old():  # R51
    found = expectation(Rule(timing=parse("every 30 minutes"), within=DEFAULT), proof=NOON)

    assert found.stale_at == NOON + 75 * MINUTE


@pytest.mark.parametrize(
    ("schedule", "job", "within"),
    [
        (None, None, DEFAULT),
        (None, 3 * HOUR, Allowance(intervals=0, extra=3 * HOUR)),
        (26 * HOUR, None, Allowance(intervals=0, extra=26 * HOUR)),
        (26 * HOUR, 3 * HOUR, Allowance(intervals=0, extra=26 * HOUR)),
    ],
)
def test_a_schedule_says_how_old_a_success_may_be_else_its_job_else_the_default(schedule, job, within):  # R51
    said = a_schedule(timing="hourly", fresh_within=schedule)

    rule = rule_of(said, Job(name="report", fresh_within=job), None, default=DEFAULT, zone="UTC")

    assert rule.within == within


def test_a_schedule_that_says_another_age_has_another_mark():  # R51
    marks = {
        rule_of(
            a_schedule(timing="hourly", fresh_within=within), Job(name="report"), None, default=DEFAULT, zone="UTC"
        ).mark
        for within in (None, 26 * HOUR, 27 * HOUR)
    }

    assert len(marks) == 3


@pytest.mark.parametrize("within", [timedelta(0), -HOUR, timedelta.max])
def test_an_age_that_cannot_be_is_refused(within):  # R51, R64
    with pytest.raises(ValueError, match="longer than nothing and no longer than a century"):
        checked_age(within)


def test_a_success_is_late_when_the_next_slot_had_time_to_run():  # R51
    assert expectation(a_rule(), proof=NOON).late_at == NOON + 65 * MINUTE
    assert grace_of(5 * MINUTE) == 5 * MINUTE
    assert grace_of(2 * HOUR) == GRACE
    assert grace_of(None) == GRACE
    assert grace_of(5 * MINUTE, jitter=10 * MINUTE) == 15 * MINUTE


def test_nothing_is_expected_after_a_single_time_has_succeeded():  # R51
    found = expectation(a_rule("at 2026-06-01T12:00"), proof=NOON)

    assert (found.late_at, found.stale_at) == (None, None)


def test_a_single_time_that_nobody_proved_is_late_and_then_stale():  # R51
    found = expectation(a_rule("at 2026-06-01T12:00"), proof=None, watched_from=NOON - DAY)

    assert (found.late_at, found.stale_at) == (NOON + 5 * MINUTE, NOON + 20 * MINUTE)


def test_what_never_ran_is_judged_as_if_the_slot_before_it_was_watched_had_succeeded():  # R51
    daily = a_rule("daily at 02:00", within="26h")

    found = expectation(daily, proof=None, watched_from=NOON)

    assert found.late_at == datetime(2026, 6, 2, 2, 5, tzinfo=UTC)
    assert found.stale_at == datetime(2026, 6, 2, 4, tzinfo=UTC)


def test_what_never_ran_is_not_stale_before_its_first_slot_had_time_to_run():  # R51
    found = expectation(a_rule("daily at 02:00", within="10m"), proof=None, watched_from=NOON)

    assert found.stale_at == found.late_at == datetime(2026, 6, 2, 2, 5, tzinfo=UTC)


def test_an_interval_that_has_not_begun_is_expected_from_its_anchor_on():  # R51
    found = expectation(a_rule("every 1 hour from 2026-06-02"), proof=None, watched_from=NOON)

    assert found.late_at == datetime(2026, 6, 2, 0, 5, tzinfo=UTC)
    assert found.stale_at == datetime(2026, 6, 2, 1, 15, tzinfo=UTC)


def test_an_age_alone_counts_from_the_success():  # R51
    assert expectation(a_rule("", within="26h"), proof=NOON).stale_at == NOON + 26 * HOUR
    assert expectation(a_rule("", within="26h"), proof=None, watched_from=NOON).stale_at == NOON + 26 * HOUR


def test_runs_that_are_spread_over_the_hour_are_late_by_their_own_minute():  # R2, R51
    spread = a_rule("H * * * *", key="nightly/acme")

    late = expectation(spread, proof=NOON).late_at

    assert late is not None
    assert NOON + 65 * MINUTE <= late < NOON + 125 * MINUTE
    assert late != expectation(replace(spread, key="nightly/hooli"), proof=NOON).late_at


ZONES = {
    # Slot before the change, the next slot, and how far apart the two after the first are.
    "Europe/Berlin spring": ("daily at 02:30 Europe/Berlin", "2026-03-28T01:30", "2026-03-29T01:00", 23.5),
    "Europe/Berlin autumn": ("daily at 02:30 Europe/Berlin", "2026-10-24T00:30", "2026-10-25T00:30", 24),
    "Lord Howe spring": ("daily at 02:15 Australia/Lord_Howe", "2026-10-02T15:45", "2026-10-03T15:30", 23.75),
    "Lord Howe autumn": ("daily at 03:00 Australia/Lord_Howe", "2026-04-03T16:00", "2026-04-04T16:30", 24.5),
    "Havana spring": ("daily at 00:30 America/Havana", "2026-03-07T05:30", "2026-03-08T05:00", 23.5),
}


@pytest.mark.parametrize("case", ZONES)
def test_the_night_of_the_change_counts_as_it_really_is(case):  # R51, fault row D5
    text, before, following, hours = ZONES[case]
    proof, slot = (datetime.fromisoformat(at).replace(tzinfo=UTC) for at in (before, following))

    found = expectation(a_rule(text, within="1 * interval + 15m", grace=MINUTE), proof=proof)

    assert found.late_at == slot + MINUTE
    assert found.stale_at == proof + hours * HOUR + 15 * MINUTE


@pytest.mark.parametrize("case", ZONES)
def test_every_transition_over_a_change_of_the_clocks(case):  # R51, fault row D5
    text, before, following, hours = ZONES[case]
    proof, slot = (datetime.fromisoformat(at).replace(tzinfo=UTC) for at in (before, following))
    rule = a_rule(text, within="interval + 1h", grace=10 * MINUTE)
    pair, second = watched(rule, last_success=proof, now=proof), timedelta(seconds=1)
    stale = proof + hours * HOUR + HOUR
    states = []

    for now in (slot - second, slot + 10 * MINUTE - second, slot + 10 * MINUTE, stale - second, stale):
        pair, _ = judged(pair, a_wanted(rule), now=now)
        states.append(str(pair.state))
    expected = expectation(rule, proof=slot)
    pair, _ = judged(proved(pair, slot, expected, ended_at=stale + MINUTE), a_wanted(rule), now=stale + MINUTE)

    assert states == ["fresh", "fresh", "late", "late", "stale"]
    assert pair.state is Freshness.FRESH
    assert pair.look_at == expected.late_at


@given(
    minutes=st.integers(0, 60 * 24 * 400),
    ahead=st.integers(1, 60 * 24 * 30),
    text=st.sampled_from(["0 * * * *", "daily at 02:30 Europe/Berlin", "every 7 hours", "every monday at 00:30"]),
)
def test_a_newer_proof_never_brings_an_instant_forward(minutes, ahead, text):  # R51
    rule = a_rule(text, within="26h")
    proof = NOON + minutes * MINUTE

    first, second = expectation(rule, proof=proof), expectation(rule, proof=proof + ahead * MINUTE)

    assert proof < first.late_at <= second.late_at
    assert first.stale_at < second.stale_at


@pytest.mark.parametrize(
    ("minutes", "has_succeeded", "is_paused", "state"),
    [
        (0, True, False, Freshness.FRESH),
        (0, False, False, Freshness.NEW),
        (10, True, False, Freshness.LATE),
        (10, False, False, Freshness.LATE),
        (20, True, False, Freshness.STALE),
        (20, False, False, Freshness.STALE),
        (20, True, True, Freshness.PAUSED),
    ],
)
def test_missing_proof_is_late_and_then_stale(minutes, has_succeeded, is_paused, state):  # R51
    answer = freshness(
        now=NOON + minutes * MINUTE,
        late_at=NOON + 10 * MINUTE,
        stale_at=NOON + 20 * MINUTE,
        has_succeeded=has_succeeded,
        is_paused=is_paused,
    )

    assert answer is state


# --- what becomes of a pair ---


def test_each_state_says_when_to_look_again():  # R51
    pair = watched()

    late, _ = judged(pair, a_wanted(), now=pair.late_at)
    stale, _ = judged(late, a_wanted(), now=late.stale_at)
    paused, _ = judged(pair, a_wanted(is_paused=True), now=NOON)

    assert [one.look_at for one in (pair, late, stale, paused)] == [pair.late_at, pair.stale_at, None, None]
    assert (late.flipped_at, stale.flipped_at) == (pair.late_at, late.stale_at)


def test_who_comes_late_to_look_calls_what_is_stale_stale():  # R51
    pair = watched()

    assert judged(pair, a_wanted(), now=pair.stale_at + DAY)[0].state is Freshness.STALE


def test_resuming_asks_for_nothing_that_was_due_in_the_pause():  # R12, R51
    paused, _ = judged(watched(), a_wanted(is_paused=True), now=NOON)

    resumed, _ = judged(paused, a_wanted(), now=NOON + 10 * DAY + MINUTE)

    assert resumed.state is Freshness.FRESH
    assert resumed.late_at == NOON + 10 * DAY + 65 * MINUTE
    assert judged(resumed, a_wanted(), now=resumed.stale_at)[0].state is Freshness.STALE


def test_a_change_of_the_rule_makes_nothing_late_by_itself():  # R5, R51
    pair = watched(a_rule("daily at 12:00"))
    hourly = a_wanted(a_rule("0 * * * *"))

    changed, reason = judged(pair, hourly, now=NOON + 20 * HOUR + MINUTE)

    assert (changed.state, reason) == (Freshness.FRESH, EDITED)
    assert changed.late_at == NOON + 21 * HOUR + 5 * MINUTE
    # And it stays so: what it would have broken before is not asked for at the next look either.
    assert judged(changed, hourly, now=NOON + 20 * HOUR + 2 * MINUTE)[0].state is Freshness.FRESH
    assert judged(changed, hourly, now=changed.stale_at)[0].state is Freshness.STALE


def test_what_was_stale_by_the_old_rule_too_stays_so():  # R51
    pair = watched(a_rule("daily at 12:00"))

    changed, _ = judged(pair, a_wanted(a_rule("0 * * * *")), now=NOON + 5 * DAY)

    assert changed.state is Freshness.STALE


def test_a_wider_rule_makes_fresh_at_once():  # R51
    stale, _ = judged(watched(), a_wanted(), now=NOON + 5 * HOUR)

    assert stale.state is Freshness.STALE
    assert judged(stale, a_wanted(a_rule("daily at 12:00")), now=NOON + 5 * HOUR)[0].state is Freshness.FRESH


def test_an_unreadable_rule_leaves_what_was_expected():  # R5, R51
    pair = watched()
    unknown = Wanted(schedule="nightly", tenant="acme", rule=None)

    assert judged(pair, unknown, now=NOON)[0] == pair
    assert judged(pair, unknown, now=pair.stale_at)[0].state is Freshness.STALE
    assert begun(unknown, last_success=None, now=NOON) is None


def test_a_reset_makes_new_and_not_stale():  # R14, R51
    pair, _ = judged(marked(watched(), None), a_wanted(), now=NOON + MINUTE)

    assert pair.state is Freshness.NEW
    assert pair.late_at == NOON + 65 * MINUTE


def test_a_success_from_the_future_proves_nothing():  # R51, fault row H8
    pair = watched(last_success=NOON + 365 * DAY, now=NOON + 365 * DAY)

    found, reason = judged(pair, a_wanted(), now=NOON)

    assert (found.state, reason) == (Freshness.NEW, FUTURE)
    assert judged(found, a_wanted(), now=NOON + 3 * HOUR)[0].state is Freshness.STALE


def test_what_succeeded_before_it_was_watched_is_judged_by_that():  # R51
    assert begun(a_wanted(), last_success=NOON - DAY, now=NOON).state is Freshness.STALE
    assert begun(a_wanted(), last_success=NOON, now=NOON).state is Freshness.FRESH
    assert begun(a_wanted(), last_success=None, now=NOON).state is Freshness.NEW
    # A schedule that was deleted and came back asks for nothing of before.
    assert begun(a_wanted(since=NOON), last_success=NOON - DAY, now=NOON).state is Freshness.FRESH


def test_what_is_as_it_should_be_is_not_written():  # R51
    pair = watched()

    assert turned(pair, a_wanted(), now=NOON + MINUTE, new_id=new_id) is None


def test_a_survey_brings_what_is_missing_and_takes_what_is_gone():  # R51
    kept, gone = watched(), replace(watched(), tenant="gone")
    wanted = [a_wanted(), a_wanted(tenant="new"), Wanted(schedule="nightly", tenant="unknown", rule=None)]

    turns = survey(
        wanted, {pair.key: pair for pair in (kept, gone)}, successes={}.get, now=NOON + MINUTE, new_id=new_id
    )

    assert [(turn.before, turn.after and turn.after.tenant) for turn in turns] == [(None, "new"), (gone, None)]


def test_a_backfill_of_an_old_slot_proves_nothing_of_now():  # R13, R51
    pair = a_pair()

    assert proved(pair, NOON - DAY, Expectation(), ended_at=NOON) == pair


# --- what scripts outside of Rota prove ---


@pytest.mark.parametrize(
    ("at", "slot"),
    [
        ("2026-06-01T03:07", "2026-06-01T03:00"),
        ("2026-06-01T03:00", "2026-06-01T03:00"),
        ("2026-06-01T02:58", "2026-06-01T03:00"),
        ("2026-06-01T02:54", "2026-05-31T03:00"),
    ],
)
def test_a_ping_proves_the_newest_slot_or_one_that_is_only_just_to_come(at, slot):  # R51
    at, slot = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (at, slot))

    assert slot_of_ping(parse("daily at 03:00"), at=at) == slot


def test_a_ping_without_a_schedule_proves_its_own_instant():  # R51
    assert slot_of_ping(None, at=NOON) == NOON


def test_what_is_stale_before_it_is_late_is_looked_at_when_it_is_stale():  # R51
    often = a_rule("every 2 seconds", within="6s")
    proof = NOON

    found = expectation(often, proof=proof, watched_from=NOON - DAY)

    assert found.stale_at == NOON + timedelta(seconds=6)
    assert found.late_at is not None
    assert found.late_at > found.stale_at
    assert found.look_at == found.stale_at


def test_a_success_is_looked_at_again_when_it_is_stale_where_that_is_first():  # R51
    pair = a_pair(state=Freshness.FRESH, last_success=NOON)
    expected = Expectation(late_at=NOON + HOUR, stale_at=NOON + MINUTE, rule="x")

    after = proved(pair, NOON + timedelta(seconds=2), expected, ended_at=NOON + timedelta(seconds=3))

    assert after.look_at == NOON + MINUTE
