"""What a campaign does next: which slots, how many runs, when it stops."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rota.core.agenda import agenda
from rota.core.campaign import (
    BURST,
    Campaign,
    CampaignState,
    Mode,
    Reach,
    allowance,
    control_of,
    ended,
    has_failed_enough,
    resumed,
    spent,
    stopped,
)
from rota.core.model import SlotState, State
from rota.core.slot_plan import Made, next_slots, plan_slot, stands_at
from rota.core.words import parse
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND

HOURLY = agenda(parse("every 1 hours"), ())


def a_campaign(**fields):
    named = {"id": "c1", "job": "report", "schedule": "report", "since": NOON - DAY, "until": NOON, "created_at": NOON}
    return Campaign(**named | fields)


def known(**states):
    return {tenant: SlotState(NOON, tenant, state, f"run-{tenant}") for tenant, state in states.items()}


@pytest.mark.parametrize(
    ("mode", "state", "becomes"),
    [
        (Mode.MISSING, None, "missing"),
        (Mode.MISSING, State.SKIPPED, "reopened"),
        (Mode.MISSING, State.FAILED, "failed"),
        (Mode.MISSING, State.SUCCEEDED, "succeeded"),
        (Mode.MISSING, State.QUEUED, "open"),
        (Mode.FAILED, None, "missing"),
        (Mode.FAILED, State.FAILED, "reopened"),
        (Mode.FAILED, State.CANCELLED, "reopened"),
        (Mode.FAILED, State.SUCCEEDED, "succeeded"),
        (Mode.FAILED, State.SCHEDULED, "open"),
        (Mode.ALL, State.SUCCEEDED, "reopened"),
        (Mode.ALL, State.RUNNING, "open"),
    ],
)
def test_the_mode_decides_what_becomes_of_a_slot(mode, state, becomes):  # R13
    plan = plan_slot(NOON, {} if state is None else known(acme=state), ["acme"], mode=mode)

    counts = {
        "missing": len(plan.missing),
        "reopened": len(plan.reopened),
        "open": plan.open,
        "succeeded": plan.succeeded,
        "failed": plan.failed,
        "pruned": plan.pruned,
    }
    assert {name for name, count in counts.items() if count} == {becomes}
    assert sum(counts.values()) == 1


@pytest.mark.parametrize(
    ("mode", "slot", "reached", "pruned"),
    [
        (Mode.MISSING, NOON - 40 * DAY, NOON - DAY, True),
        (Mode.FAILED, NOON - 40 * DAY, NOON - DAY, True),
        # Asked for again, whatever has been.
        (Mode.ALL, NOON - 40 * DAY, NOON - DAY, False),
        # Its run would still be there.
        (Mode.MISSING, NOON - 20 * DAY, NOON - DAY, False),
        # Progress has not come that far, or nowhere at all.
        (Mode.MISSING, NOON - 40 * DAY, NOON - 50 * DAY, False),
        (Mode.MISSING, NOON - 40 * DAY, None, False),
        # Before there was a schedule nothing can have run.
        (Mode.MISSING, NOON - 90 * DAY, NOON - DAY, False),
    ],
)
def test_a_slot_whose_history_was_pruned_is_not_missing(mode, slot, reached, pruned):  # R13
    reach = Reach(since=NOON - 60 * DAY, until=NOON - 30 * DAY, usual=None, others={"acme": reached})

    plan = plan_slot(slot, {}, ["acme"], mode=mode, reach=reach)

    assert (plan.pruned, plan.missing) == ((1, ()) if pruned else (0, ("acme",)))


@pytest.mark.parametrize(
    ("mode", "state", "missing"),
    [
        (Mode.MISSING, State.SUCCEEDED, False),
        (Mode.MISSING, State.RUNNING, False),
        (Mode.MISSING, State.FAILED, False),
        (Mode.FAILED, State.FAILED, True),
        (Mode.ALL, State.SUCCEEDED, True),
    ],
)
def test_a_slot_that_one_run_for_a_range_stands_for_is_not_missing(mode, state, missing):  # R13
    made = [Made(tenant="acme", since=NOON - 3 * HOUR, until=NOON, state=state, run_id="run-1")]

    plan = plan_slot(NOON - HOUR, {}, ["acme", "globex"], mode=mode, made=made)
    before = plan_slot(NOON - 3 * HOUR, {}, ["acme"], mode=mode, made=made)

    assert plan.missing == (("acme", "globex") if missing else ("globex",))
    assert before.missing == ("acme",)


@given(limit=st.integers(1, 30), newest_first=st.booleans(), hours=st.integers(0, 60), off=st.integers(0, 59))
def test_whatever_the_steps_each_slot_of_the_range_is_planned_once_and_in_order(limit, newest_first, hours, off):  # R13
    since = NOON - hours * HOUR - off * MINUTE
    campaign = a_campaign(since=since, until=NOON + SECOND * (hours == 0), newest_first=newest_first)
    seen = []

    while slots := next_slots(campaign, HOURLY, limit=limit):
        seen += slots
        campaign = replace(campaign, planned=slots[-1])

    whole = list(HOURLY.slots(after=since - timedelta.resolution, until=campaign.until - timedelta.resolution))
    assert seen == (whole[::-1] if newest_first else whole)
    due = [stands_at(campaign, slot) for slot in seen]
    # They stand in line in that order, and none of them is due later than the end of the range.
    assert due == sorted(due)
    assert all(at <= campaign.until for at in due)


@given(
    rate=st.floats(0.5, 6000),
    waits=st.lists(st.floats(0, 120), min_size=1, max_size=40),
    wishes=st.lists(st.integers(0, 5000), min_size=40, max_size=40),
)
def test_a_pace_is_never_exceeded_but_for_a_short_burst(rate, waits, wishes):  # R13
    campaign, now, given_away = a_campaign(rate=rate), NOON, 0

    for wait, wish in zip(waits, wishes, strict=False):
        now += timedelta(seconds=wait)
        count = min(allowance(campaign, now=now), wish)
        campaign = spent(campaign, count, now=now)
        given_away += count

    burst = max(1.0, BURST.total_seconds() * rate / 60)
    assert given_away <= (now - NOON).total_seconds() * rate / 60 + burst + 1e-6


def test_a_pace_goes_on_though_the_clock_was_set_back():
    campaign = spent(a_campaign(rate=60.0), 1, now=NOON + HOUR)

    assert allowance(campaign, now=NOON) == 0
    assert allowance(spent(campaign, 0, now=NOON), now=NOON + SECOND) == 1


def test_without_a_rate_there_is_no_limit():
    assert allowance(a_campaign(), now=NOON) is None


@pytest.mark.parametrize(
    ("stop_after", "forgiven", "failed", "stops"),
    [(None, 0, 99, False), (3, 0, 2, False), (3, 0, 3, True), (3, 3, 5, False), (3, 3, 6, True)],
)
def test_it_stops_after_so_many_failures_that_were_not_forgiven(stop_after, forgiven, failed, stops):  # R13
    campaign = a_campaign(stop_after=stop_after, forgiven=forgiven)

    assert has_failed_enough(campaign, {State.FAILED: failed}) is stops


@pytest.mark.parametrize(("is_planned", "state"), [(True, CampaignState.RUNNING), (False, CampaignState.PLANNING)])
def test_a_stopped_campaign_goes_on_where_it_stood_and_forgives(is_planned, state):  # R13
    counts = {State.FAILED: 3}
    campaign = stopped(a_campaign(stop_after=3, is_planned=is_planned), counts)
    assert (campaign.state, campaign.why) == (CampaignState.STOPPED, "3 runs failed, and it stops after 3")

    campaign = resumed(campaign, counts, now=NOON)

    assert (campaign.state, campaign.why, has_failed_enough(campaign, counts)) == (state, None, False)


def test_it_is_read_as_it_was_written():
    campaign = a_campaign(tenants=("acme",), reach=Reach(since=NOON, until=NOON, others={"acme": None}))
    campaign = ended(campaign, {State.SUCCEEDED: 2}, now=NOON)

    assert Campaign.of(control_of(campaign, known=None, now=NOON)) == campaign
    assert campaign.counts == {"succeeded": 2}
