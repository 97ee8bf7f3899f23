"""Backfill campaigns: written, let go, paced, stopped, ended; by any number of processes that may die anywhere."""

from datetime import datetime
from typing import Any

import pytest

from rota import CatchUp, Rota, RunContext, State, every
from rota.core.campaign import Campaign, CampaignState
from rota.core.events import CampaignEnded
from rota.core.freshness import Freshness
from rota.core.gates import campaign_batch
from rota.core.model import RoundState, Run, Trigger
from rota.core.policy import Overlap
from rota.errors import CampaignNotFound, ConfigurationError, JobNotFound, Refused, TenantNotFound
from rota.queries import AuditQuery, RunQuery
from rota.views.freshness import pairs
from tests.engine.campaigns import ONCE, TENANTS, failing, idle, last, move, now_is, out, started
from tests.engine.house import Driven, driven, hourly, noon_plus, rounds_of, runs_of
from tests.values import DAY, HOUR, NOON, SECOND, claim, settle_all, succeeded

# --- what it does ---


def test_it_is_planned_run_and_ended_once_and_its_runs_are_marked():  # R13
    seen: list[tuple[str, object]] = []
    process = driven(tenants=TENANTS)(hourly(seen))
    told: list[CampaignEnded] = []
    process.app.bus.on(CampaignEnded, told.append)
    campaign = started(process.app, reason="outage", actor="cli:ana")
    assert (campaign.state, campaign.total, campaign.actor) == (CampaignState.PLANNING, 12, "ana")

    process.settle_down()

    campaign = now_is(process.app, campaign)
    assert (campaign.state, campaign.counts) == (CampaignState.DONE, {"succeeded": 12})
    assert [(event.campaign, event.state) for event in told] == [(campaign.id, "done")]
    runs = runs_of(process.app)
    assert {(run.trigger, run.batch) for run in runs} == {(Trigger.BACKFILL, campaign_batch(campaign.id))}
    assert {round_.state for round_ in rounds_of(process.app)} == {RoundState.SUCCEEDED}
    assert [entry.action for entry in process.app.store.audit(AuditQuery())] == ["campaign.start"]


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_slots_of_a_tenant_run_in_order_one_at_a_time(newest_first):  # R13
    seen: list[tuple[str, Any]] = []
    process = driven(tenants=TENANTS)(hourly(seen))
    started(process.app, newest_first=newest_first)

    process.settle_down()

    slots = [noon_plus(hours=-number) for number in (4, 3, 2, 1)]
    for tenant in TENANTS:
        ran = [window.until for name, window in seen if name == tenant]
        assert ran == (slots[::-1] if newest_first else slots)


def test_no_more_runs_are_out_than_it_has_places():  # R13
    process = idle()
    campaign = started(process.app, parallel=2)

    move(process)
    assert len(out(process.app, campaign)) == 2
    [one, other] = claim(process.app.store)
    move(process)
    assert len(out(process.app, campaign)) == 2
    settle_all(process.app.store, succeeded(one))
    move(process)

    assert len(out(process.app, campaign)) == 2
    assert other.id in {run.id for run in out(process.app, campaign)}


def test_the_limits_of_a_running_campaign_can_be_changed():  # R13
    process = idle()
    campaign = started(process.app, parallel=1)
    move(process)

    process.app.campaigns.set(campaign.id, parallel=3, actor="ana")
    move(process)
    assert len(out(process.app, campaign)) == 3
    process.app.campaigns.set(campaign.id, parallel=None, stop_after=1)
    failing(process)
    move(process)

    assert now_is(process.app, campaign).state is CampaignState.STOPPED
    assert [entry.action for entry in process.app.store.audit(AuditQuery())] == [
        "campaign.set", "campaign.set", "campaign.start"
    ]  # fmt: skip


def test_it_keeps_its_pace_though_two_processes_let_runs_go():  # R13
    process = idle()
    twin = Driven(process.app, process.clock)
    campaign = started(process.app, hours=20, rate=6)
    began: list[int] = []

    for _ in range(60):
        for one in (process, twin):
            move(one, times=1)
        began.append(len(claim(process.app.store)))
        settle_all(process.app.store, *[succeeded(run) for run in out(process.app, campaign)])
        process.clock.tick(SECOND)

    # One each ten seconds.
    assert sum(began) in (6, 7)
    assert max(began) == 1


def test_it_stops_after_so_many_failures_and_goes_on_when_it_is_resumed():  # R13
    process = idle()
    told: list[CampaignEnded] = []
    process.app.bus.on(CampaignEnded, told.append)
    campaign = started(process.app, stop_after=2)
    move(process)
    failing(process)

    move(process)
    assert now_is(process.app, campaign).state is CampaignState.STOPPED
    assert now_is(process.app, campaign).why == "3 runs failed, and it stops after 2"
    assert out(process.app, campaign) == []
    process.app.campaigns.resume(campaign.id)
    move(process)

    assert len(out(process.app, campaign)) == 3
    assert [event.state for event in told] == ["stopped"]


def test_while_it_is_paused_what_is_out_ends_and_nothing_else_begins():  # R13
    process = idle()
    campaign = started(process.app, parallel=2)
    move(process)

    process.app.campaigns.pause(campaign.id, reason="disk full", actor="ana")
    settle_all(process.app.store, *[succeeded(run) for run in claim(process.app.store)])
    move(process)
    assert out(process.app, campaign) == []
    assert (now_is(process.app, campaign).paused_by, now_is(process.app, campaign).why) == ("ana", "disk full")
    process.app.campaigns.resume(campaign.id)
    move(process)

    assert len(out(process.app, campaign)) == 2


def test_a_pause_while_it_is_planned_stops_the_planning():  # R13
    process = idle()
    campaign = started(process.app)
    process.app.campaigns.pause(campaign.id, reason="wait")

    move(process)

    assert runs_of(process.app) == []


def test_a_cancelled_campaign_cancels_what_waits_and_asks_what_runs():  # R13
    process = idle()
    campaign = started(process.app, parallel=2)
    move(process)
    [running, *_] = claim(process.app.store)

    process.app.campaigns.cancel(campaign.id, reason="wrong range", actor="ana")
    move(process)

    found = {run.id: run for run in runs_of(process.app)}
    assert found.pop(running.id).cancel_requested
    assert {(run.state, run.reason) for run in found.values() if run.state is not State.RUNNING} == {
        (State.CANCELLED, "cancelled by ana: wrong range")
    }
    assert now_is(process.app, campaign).ended_at is None
    settle_all(process.app.store, *[succeeded(run) for run in found.values() if run.state is State.RUNNING])
    settle_all(process.app.store, succeeded(running))
    move(process)
    ended = now_is(process.app, campaign)
    assert (ended.state, ended.counts) == (CampaignState.CANCELLED, {"cancelled": 10, "succeeded": 2})


def test_what_a_slow_process_wrote_after_the_end_is_cleared_away():
    process = idle()
    campaign = started(process.app)
    store = process.app.store
    process.app.campaigns.cancel(campaign.id)
    move(process)
    late = campaign_batch(campaign.id)
    run = Run(id="f" * 32, job="report", due_at=NOON, created_at=NOON, batch=late, held_by=late)
    store.enqueue([run], now=NOON)

    move(process)

    assert {run.state for run in store.runs(RunQuery(batch=late))} == {State.CANCELLED}


def test_an_ended_run_is_opened_again_once_however_often_its_slot_is_planned():  # R13
    process = driven(tenants=["acme"])(hourly([], retry=ONCE))
    started(process.app, hours=2)
    process.settle_down()
    again = started(process.app, hours=2, mode="all")
    process.settle_down()
    store = process.app.store
    [control] = [control for control in store.controls() if control.name == again.id]
    # A process died right before it wrote that all is planned.
    unplanned = Campaign.of(control).body().replace('"is_planned":true', '"is_planned":false')
    unplanned = unplanned.replace('"state":"done"', '"state":"planning"').replace(
        f'"planned":"{noon_plus(hours=-1).isoformat()[:-6]}Z"', '"planned":null'
    )
    changed = type(control)(
        kind=control.kind, name=control.name, body=unplanned, version=control.version + 1, changed_at=NOON
    )
    store.put_control(changed, expected_version=control.version)
    assert Campaign.of(changed).planned is None

    process.settle_down()

    assert {len(store.run(run.id).attempts) for run in runs_of(process.app)} == {2}  # type: ignore[union-attr]


def test_runs_of_a_job_that_depends_on_another_go_on_to_wait_for_it():  # R11, R13
    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True)
        def load(ctx: RunContext) -> None: ...

        @app.job(schedule=every().hour.at(":00"), per_tenant=True, depends_on=["load"])
        def report(ctx: RunContext) -> None: ...

    process = driven(tenants=["acme"])(declare)
    started(process.app, hours=1)

    move(process)

    assert {run.held_by for run in runs_of(process.app)} == {"depends"}


# --- one run for the range ---


def test_one_run_stands_for_the_whole_range_and_its_slots_are_not_missing_any_more():  # R9, R13
    seen: list[tuple[str, Any]] = []
    process = driven(tenants=TENANTS)(hourly(seen))
    campaign = started(process.app, hours=6, as_one=True)
    assert campaign.total == 3

    process.settle_down()

    assert sorted(seen) == [(tenant, (noon_plus(hours=-7), noon_plus(hours=-1))) for tenant in TENANTS]
    assert {progress.last_success for progress in process.app.store.progress()} == {noon_plus(hours=-1)}
    skipped = [round_ for round_ in rounds_of(process.app) if round_.state is RoundState.SKIPPED]
    assert [(round_.skipped_from, round_.slot) for round_ in skipped] == [(noon_plus(hours=-6), noon_plus(hours=-2))]
    assert campaign.id in str(skipped[0].reason)
    assert process.app.backfill("report", **last(6), dry_run=True).preview.total == 0
    assert process.app.backfill("report", **last(7), dry_run=True).preview.added == 3
    assert now_is(process.app, campaign).state is CampaignState.DONE


def test_where_the_newest_slot_has_run_already_the_range_gets_a_run_of_its_own():  # R13
    seen: list[tuple[str, Any]] = []
    process = driven(tenants=["acme", "globex"])(hourly(seen))
    process.app.backfill("report", since=noon_plus(hours=-1), until=NOON, tenants=["acme"])
    process.settle_down()
    seen.clear()

    started(process.app, as_one=True)
    process.settle_down()

    whole = (noon_plus(hours=-5), noon_plus(hours=-1))
    assert sorted(seen) == [("acme", whole), ("globex", whole)]
    assert {round_.state for round_ in rounds_of(process.app)} == {RoundState.SUCCEEDED, RoundState.SKIPPED}


def test_one_run_for_some_tenants_hides_nothing_of_the_others():  # R13
    process = driven(tenants=TENANTS)(hourly([]))
    started(process.app, as_one=True, tenants=["acme"])
    process.settle_down()

    assert [round_.state for round_ in rounds_of(process.app)] == [RoundState.SUCCEEDED]
    assert process.app.backfill("report", **last(4), dry_run=True).preview.added == 8


# --- what it says before ---


def test_a_preview_counts_what_would_be_done_and_how_long_it_takes():  # R13
    process = driven(tenants=TENANTS)(hourly([]))
    process.app.backfill("report", since=noon_plus(hours=-2), until=NOON)
    process.settle_down()

    preview = process.app.backfill("report", **last(30), dry_run=True, rate=42).preview

    assert (preview.slots, preview.total, preview.added, preview.succeeded) == (30, 84, 84, 6)
    assert [plan.slot for plan in preview.first] == [noon_plus(hours=hour) for hour in range(-30, -20)]
    assert [plan.slot for plan in preview.last] == [noon_plus(hours=hour) for hour in range(-10, 0)]
    assert preview.takes_s == 120.0


def test_slots_whose_history_was_pruned_are_said_to_be_and_left_alone():  # R13, R72
    process = driven(tenants=["acme"])(hourly([], catch_up=CatchUp.all()))
    process.advance(3 * HOUR)
    process.clock.tick(60 * DAY)
    store = process.app.store
    late = process.clock.now()
    while store.prune(succeeded_before=late, failed_before=late, slots_before=late, logs_before=late, limit=9).runs:
        pass
    assert len(runs_of(process.app)) == 1

    window = {"since": noon_plus(hours=-2, minutes=1), "until": noon_plus(hours=3, minutes=1)}
    preview = process.app.backfill("report", **window, dry_run=True).preview
    process.app.backfill("report", **window, newest_first=True)
    move(process)

    # Two slots are older than the schedule; of three that ran the last is kept.
    assert (preview.slots, preview.pruned, preview.succeeded, preview.added) == (5, 2, 1, 2)
    assert [run.slot for run in runs_of(process.app)][1:] == [NOON, noon_plus(hours=-1)]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"since": NOON, "until": NOON - HOUR}, ConfigurationError),
        ({"until": NOON + HOUR}, ConfigurationError),
        ({"since": datetime(2026, 1, 1)}, ConfigurationError),
        ({"tenants": ["acmee"]}, TenantNotFound),
        ({"exclude": ["acmee"]}, TenantNotFound),
        ({"parallel": 0}, ConfigurationError),
        ({"rate": 0}, ConfigurationError),
        ({"stop_after": 0}, ConfigurationError),
        ({"as_one": True, "newest_first": True}, ConfigurationError),
        ({"most": 11}, Refused),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(fields, error):  # R13, R64
    process = idle()

    with pytest.raises(error):
        process.app.backfill("report", **last(4) | fields)
    with pytest.raises(JobNotFound):
        process.app.backfill("reprot", **last(4))

    assert process.app.campaigns.list() == []
    assert process.app.store.audit(AuditQuery()) == []


def test_a_campaign_is_found_by_the_beginning_of_its_id():
    process = idle()
    campaign = started(process.app)

    assert process.app.campaigns.get(campaign.id[:20]) == campaign
    for name in (campaign.id[:3], "ffffffff"):
        with pytest.raises(CampaignNotFound):
            process.app.campaigns.get(name)


def test_what_is_over_cannot_be_changed():  # R64
    process = driven(tenants=["acme"])(hourly([]))
    campaign = started(process.app)
    process.settle_down()

    for change in (
        lambda: process.app.campaigns.pause(campaign.id, reason="x"),
        lambda: process.app.campaigns.resume(campaign.id),
        lambda: process.app.campaigns.cancel(campaign.id),
        lambda: process.app.campaigns.set(campaign.id, parallel=1),
    ):
        with pytest.raises(Refused):
            change()


# --- what it must not hide ---


def test_backfilled_slots_are_no_proof_of_the_current_one():  # R13, R51
    process = driven(tenants=["acme"])(hourly([], fresh_within=2 * HOUR))
    process.advance(HOUR)
    # Nobody schedules for a day.
    process.clock.tick(DAY)
    stale_before = [pair.state for pair in pairs(process.app)]

    process.app.backfill("report", since=NOON - 5 * HOUR, until=NOON)
    move(process)
    for _ in range(6):
        settle_all(
            process.app.store,
            *[succeeded(run, now=process.clock.now()) for run in claim(process.app.store, now=process.clock.now())],
            now=process.clock.now(),
        )
        move(process)

    assert {run.state for run in runs_of(process.app)} == {State.SUCCEEDED}
    assert stale_before == [pair.state for pair in pairs(process.app)] == [Freshness.STALE]


def test_runs_that_are_opened_again_hold_up_no_live_slot_of_their_tenant():  # R13, R10
    broken = ["yes"]

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE, overlap=Overlap.SKIP)
        def report() -> None:
            if broken:
                raise ValueError("the ledger is away")

    process = driven(tenants=TENANTS)(declare)
    process.advance(HOUR + SECOND)
    broken.clear()
    asked = process.app.backfill("report", since=NOON, until=noon_plus(hours=1, seconds=1), mode="failed", parallel=1)
    assert asked.campaign is not None
    move(process)
    process.app.campaigns.pause(asked.campaign.id, reason="for the night")

    process.advance(HOUR)

    made_up = [run for run in runs_of(process.app) if run.slot == noon_plus(hours=1)]
    live = [run for run in runs_of(process.app) if run.slot == noon_plus(hours=2)]
    assert [run.state for run in made_up] == [State.SCHEDULED] * 3
    assert [run.state for run in live] == [State.SUCCEEDED] * 3
