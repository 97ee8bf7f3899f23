"""The process that runs a campaign is killed again and again; every slot has one run in the end."""

from collections import Counter
from contextlib import closing
from random import Random

import pytest

from rota.core.campaign import Campaign, CampaignState
from rota.core.controls import ControlKind
from rota.core.gates import campaign_batch
from rota.core.model import State
from rota.queries import RunQuery
from rota.stores import open_store
from tests.system.processes import Site, end, kill_tree, wait_until

SLOTS = 120
TENANTS = ["acme", "globex", "initech"]
KILLS = 5
JOBS = """
@app.job(per_tenant=True, retry=Retry(attempts=1), schedule=every(1).minutes)
def fill(ctx: RunContext) -> None:
    with alone(ctx.run_id):
        note(event="ran", tenant=ctx.tenant.id, slot=ctx.slot.isoformat())
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_campaign_whose_process_is_killed_leaves_one_run_per_slot(kind, tmp_path, request):
    # R13, R30; G1, G4: killed with SIGKILL while it runs; planning has its crash points in tests/engine.
    url = f"sqlite:///{tmp_path / 'rota.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_database")
    site = Site(tmp_path / "site", url=url, jobs=JOBS)
    site.rota("db", "upgrade")
    span = ("--since", f"{SLOTS + 10}m", "--until", "10m", "--mode", "failed")
    site.rota("backfill", "fill", *span, "--parallel", "2", "--detach", "--yes")
    random = Random(20261121)

    with closing(open_store(url)) as store:

        def campaign():
            [control] = store.controls(ControlKind.CAMPAIGN)
            return Campaign.of(control)

        def ran():
            return len(site.journal(event="ran"))

        for _ in range(KILLS):
            wanted = ran() + random.randint(1, SLOTS * len(TENANTS) // (2 * KILLS))
            with site.started("--processes", "1") as process:
                wait_until(lambda: ran() >= wanted, what=f"{wanted} runs")  # noqa: B023  # used at once
                kill_tree(process)
        with site.started("--processes", "1") as process:
            wait_until(lambda: campaign().state is CampaignState.DONE, what="the end of the campaign")
            assert end(process) == 0
        batch = campaign_batch(campaign().id)
        runs = store.runs(RunQuery(batch=batch, limit=10_000))
        whole = campaign()

    slots = Counter((run.slot, run.tenant) for run in runs)
    assert (len(slots), set(slots.values())) == (SLOTS * len(TENANTS), {1})
    assert {run.state for run in runs} == {State.SUCCEEDED}
    assert whole.counts == {"succeeded": len(runs)}
    assert {(run.slot.isoformat(), run.tenant) for run in runs} <= {
        (entry["slot"], entry["tenant"]) for entry in site.journal(event="ran")
    }
    assert site.journal(event="overlap") == []
