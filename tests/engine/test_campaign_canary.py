"""Backfill campaigns of which one tenant goes first (R24)."""

from rota.core.campaign import CampaignState
from tests.engine.campaigns import ONCE, TENANTS, failing, idle, move, now_is, out, started
from tests.engine.house import driven, hourly
from tests.values import SECOND, claim, settle_all, succeeded


def test_the_runs_of_a_canary_go_first_and_the_others_after_all_of_them_have_succeeded():  # R24, R13
    seen: list[tuple[str, object]] = []
    process = driven(tenants=TENANTS)(hourly(seen, retry=ONCE))
    campaign = started(process.app, canary="globex")

    process.settle_down()

    assert [tenant for tenant, _ in seen[:4]] == ["globex"] * 4
    assert len(seen) == 12
    assert now_is(process.app, campaign).state is CampaignState.DONE


def test_while_a_run_of_the_canary_is_open_no_other_tenant_begins_whatever_the_pace():  # R24
    process = idle()
    campaign = started(process.app, canary="globex", rate=600.0, parallel=2)
    move(process)

    for _ in range(4):
        assert {run.tenant for run in out(process.app, campaign)} == {"globex"}
        settle_all(process.app.store, *[succeeded(run) for run in claim(process.app.store)])
        process.clock.tick(SECOND)
        move(process)

    assert {run.tenant for run in out(process.app, campaign)} == {"acme", "initech"}


def test_when_a_run_of_the_canary_fails_the_campaign_stops_and_goes_on_without_it_when_resumed():  # R24
    process = idle()
    campaign = started(process.app, canary="globex")
    move(process)
    failing(process)

    move(process)

    stopped = now_is(process.app, campaign)
    assert (stopped.state, stopped.why) == (CampaignState.STOPPED, "canary globex failed: ValueError: bad value")
    assert out(process.app, campaign) == []
    process.app.campaigns.resume(campaign.id)
    move(process)
    assert {run.tenant for run in out(process.app, campaign)} == set(TENANTS)


def test_a_canary_that_has_nothing_to_make_up_keeps_nobody():  # R24
    process = idle()
    started(process.app, tenants=["globex"])
    move(process)
    for _ in range(4):
        settle_all(process.app.store, *[succeeded(run) for run in claim(process.app.store)])
        move(process)

    campaign = started(process.app, canary="globex")
    move(process)

    assert {run.tenant for run in out(process.app, campaign)} == {"acme", "initech"}
