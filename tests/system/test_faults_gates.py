"""Runs that wait for others, canaries and places, while workers are killed: R11, R12 and R24 with real processes."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from rota.core.model import State
from rota.queries import RunQuery
from tests.system.faults import KINDS, Ground, events, on
from tests.system.processes import Site, children_of, end, frozen_at_work, wait_until
from tests.system.scheduling import come_to_rest, fall_asleep, hourly_minute, is_awake, open_runs, operator, planned

HOUR = timedelta(hours=1)
TENANTS = ("acme", "globex", "initech")


@pytest.fixture(params=KINDS)
def ground(request, tmp_path) -> Iterator[Ground]:
    with on(request.param, request, tmp_path) as made:
        yield made


def killed_at_work(site: Site, pid: int) -> bool:
    """Kill the worker process of a supervisor, which starts another, if it is at a body."""
    for child in children_of(pid):
        if frozen_at_work(child, lambda: in_hand(site, child)):  # noqa: B023  # used at once
            os.kill(child, signal.SIGKILL)
            return True
    return False


def in_hand(site: Site, pid: int) -> set[str]:
    begun, ended = ({line["run"] for line in events(site, event, pid=pid)} for event in ("start", "end"))
    return begun - ended


# --- R11 ---

CHAIN = """
from rota import CatchUp

OPTIONS = dict(
    schedule=every().hour.at("{minute}"),
    per_tenant=True,
    catch_up=CatchUp.all(),
    retry=Retry(attempts=1),
)


def body(ctx: RunContext, job: str) -> None:
    with alone(job + ctx.tenant.id):
        note(event="start", job=job, tenant=ctx.tenant.id, slot=ctx.slot.isoformat(), run=ctx.run_id)
        time.sleep(0.2)
        note(event="end", job=job, tenant=ctx.tenant.id, slot=ctx.slot.isoformat(), run=ctx.run_id)


@app.job(name="import", **OPTIONS)
def import_(ctx: RunContext) -> None:
    body(ctx, "import")


@app.job(depends_on=[import_], **OPTIONS)
def report(ctx: RunContext) -> None:
    body(ctx, "report")
"""
SLOTS = 4


@pytest.mark.parametrize("ground", ["sqlite", "postgres"], indirect=True)
def test_a_report_never_begins_before_the_import_of_its_slot_and_tenant_has_ended(ground):  # R11, R8, R30
    site = planned(ground, CHAIN.format(minute=hourly_minute(ground)))
    fall_asleep(ground, site, "import", "report", since=ground.store.now() - SLOTS * HOUR)

    with site.started() as process:
        for done in (3, 8):
            wait_until(lambda: len(ends(site)) >= done, what="work")  # noqa: B023  # used at once
            wait_until(lambda: killed_at_work(site, process.pid), what="somebody at work")
        wait_until(lambda: is_awake(ground, "import", "report") and not open_runs(ground), what="the end of it all")

    ended: set[tuple[str, str, str]] = set()
    last: dict[tuple[str, str], str] = {}
    for line in site.journal():
        what = (line["job"], line["tenant"], line["slot"])
        if line["event"] == "end":
            ended.add(what)
        elif line["job"] == "report":
            assert ("import", *what[1:]) in ended
        # Of a catch-up one slot after the other (R8).
        assert line["slot"] >= last.get(what[:2], "")
        last[what[:2]] = line["slot"]
    per_job = Counter((job, tenant) for job, tenant, _ in ended)
    assert per_job == {(job, tenant): SLOTS for job in ("import", "report") for tenant in TENANTS}
    lost = [run for run in ground.store.runs(RunQuery(limit=1000)) if run.lost_count]
    assert lost, "no kill hit a run: the test proves nothing"


# --- R24 ---

ROUND = """
TENANTS = [f"t{number:02}" for number in range(10)]
app = Rota(app.store_url, tenants=TENANTS)
PLACES = 3


@app.job(per_tenant=True, retry=Retry(attempts=1))
def visit(ctx: RunContext) -> None:
    # The kernel has so many locks, and gives them back when their holder dies.
    for place in range(PLACES):
        handle = os.open(f"place-{place}", os.O_WRONLY | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            os.close(handle)
    else:
        note(event="overlap", tenant=ctx.tenant.id)
        return
    note(event="start", tenant=ctx.tenant.id, run=ctx.run_id)
    time.sleep(0.25)
    note(event="end", tenant=ctx.tenant.id, run=ctx.run_id)
    os.close(handle)
"""
CANARY = "t05"


@pytest.mark.parametrize("ground", ["sqlite", "mariadb"], indirect=True)
def test_a_capped_round_with_a_canary_never_has_more_out_than_its_places(ground):  # R24, R30
    site = planned(ground, ROUND)
    site.rota("run", "visit", "--canary", CANARY, "--parallel", "3")

    with site.started("--concurrency", "8") as process:
        # While the canary is at it, and with all places taken.
        for done in (0, 3):
            wait_until(lambda: len(ends(site)) >= done, what="work")  # noqa: B023  # used at once
            wait_until(lambda: killed_at_work(site, process.pid), what="somebody at work")
        wait_until(lambda: not open_runs(ground), what="the end of the round")

    assert events(site, "overlap") == []
    lines = [(line["event"], line["tenant"]) for line in site.journal()]
    first_of_others = next(number for number, (_, tenant) in enumerate(lines) if tenant != CANARY)
    assert ("end", CANARY) in lines[:first_of_others]
    assert set(Counter(ends(site)).values()) == {1}
    assert len(ends(site)) == 10
    assert most_at_once(site) == 3
    assert {run.state for run in ground.store.runs(RunQuery(kind=None, limit=100))} == {State.SUCCEEDED}
    assert [run for run in ground.store.runs(RunQuery(limit=100)) if run.lost_count]


def ends(site: Site) -> list[str]:
    return [line["tenant"] for line in events(site, "end")]


def most_at_once(site: Site) -> int:
    """Return how many bodies there were at once, at most, by the journal; whoever was killed is not counted on."""
    at_it: dict[str, int] = {}
    most = 0
    for line in site.journal():
        if line["event"] == "start":
            at_it[line["run"]] = line["pid"]
            most = max(most, sum(pid == line["pid"] for pid in at_it.values()))
        else:
            at_it.pop(line["run"])
    return most


# --- R12 ---

PAUSED = """

@app.job(schedule=every(1).seconds)
def by_job() -> None:
    note(event="ran", who="by_job")


@app.job(schedule=every(1).seconds)
def by_schedule() -> None:
    note(event="ran", who="by_schedule")


@app.job(schedule=every(1).seconds, queue="slow")
def by_queue() -> None:
    note(event="ran", who="by_queue")


@app.job(schedule=every(1).seconds, per_tenant=True)
def per_tenant(ctx: RunContext) -> None:
    note(event="ran", who=ctx.tenant.id)
"""
STOPPED = ("by_job", "by_schedule", "by_queue", "acme")
PAUSES = (("job", "by_job"), ("queue", "slow"), ("tenant", "acme"))
SCHEDULES = ("by_job", "by_schedule", "by_queue", "per_tenant")


@pytest.mark.parametrize("ground", ["sqlite", "mariadb"], indirect=True)
def test_what_is_paused_stays_so_over_a_restart_and_goes_on_when_resumed(ground):  # R12
    site = planned(ground, PAUSED)

    def ran(who: str) -> int:
        return len(events(site, "ran", who=who))

    with site.started() as process:
        wait_until(lambda: all(ran(name) for name in STOPPED), what="a run of each")
        with operator(ground, *SCHEDULES) as app:
            for kind, name in PAUSES:
                app.pauses.pause(kind, name, reason="migration")
            app.schedules.pause("by_schedule", reason="migration")
        # Within a second it is known everywhere; what was fired before has ended then.
        since = ran("globex")
        wait_until(lambda: ran("globex") > since + 2, what="three slots of whom nobody paused")
        before = {name: ran(name) for name in STOPPED}
        assert end(process) == 0
    with site.started():
        since = ran("globex")
        wait_until(lambda: ran("globex") > since + 2, what="three slots after the restart")
        assert {name: ran(name) for name in STOPPED} == before
        with operator(ground, *SCHEDULES) as app:
            for kind, name in PAUSES:
                app.pauses.resume(kind, name)
            app.schedules.resume("by_schedule")
        wait_until(lambda: all(ran(name) > before[name] for name in STOPPED), what="a run of each")
        come_to_rest(ground, *SCHEDULES)

    states = {run.state for run in ground.store.runs(RunQuery(limit=10_000))}
    assert states <= {State.SUCCEEDED, State.SKIPPED}
