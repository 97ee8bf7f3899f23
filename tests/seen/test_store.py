"""The store as it is for whoever sees only some jobs and tenants (T15, T16, T25)."""

import inspect

import pytest

from rota import Rota
from rota.core.access import Capability, Principal
from rota.core.controls import ControlKind
from rota.core.events import PingFailed
from rota.core.gates import flow_batch
from rota.core.model import RunKind, State
from rota.errors import Forbidden, JobNotFound, RunNotFound, TenantNotFound, WatchNotFound
from rota.ports import AlertStore, FreshnessStore, RollupStore, Store
from rota.queries import (
    AuditQuery,
    DeliveryQuery,
    ErrorQuery,
    FlipQuery,
    IncidentQuery,
    PairQuery,
    RoundQuery,
    RunQuery,
)
from rota.seen.alerts import SeenAlerts
from rota.seen.freshness import SeenFreshness
from rota.seen.rollups import SeenRollups
from rota.seen.store import SeenStore
from rota.views.freshness import pairs
from tests.values import HOUR, NOON, a_control, a_run, a_schedule
from tests.web.world import OURS, THEIRS, World, id_of

SEEN = {Store: SeenStore, AlertStore: SeenAlerts, FreshnessStore: SeenFreshness, RollupStore: SeenRollups}


def of_tenant(*tenants: str, jobs: tuple[str, ...] = ("*",)) -> Principal:
    return Principal(
        subject="bob", capabilities=frozenset({Capability.ADMIN}), jobs=jobs, tenants=frozenset(tenants)
    )  # fmt: skip


def of_jobs(*jobs: str) -> Principal:
    return Principal(subject="bob", capabilities=frozenset({Capability.ADMIN}), jobs=jobs, tenants=None)


def seen(principal: Principal) -> Rota:
    return World().app.seen_by(principal)


@pytest.mark.parametrize("port", SEEN, ids=lambda port: port.__name__)
def test_each_verb_of_a_store_is_narrowed_or_refused(port):
    verbs = {name for name, _ in inspect.getmembers(port) if not name.startswith("_")}
    parts = {"freshness", "alerts", "rollups"}

    # By the very class: nothing is inherited, and a new verb without a decision is not there.
    assert verbs - parts <= set(vars(SEEN[port]))


def test_whoever_sees_everything_has_the_application_itself():
    app = World().app

    assert app.seen_by(Principal(subject="ana", jobs=("*",), tenants=None)) is app


def test_two_that_see_the_same_share_an_application():
    app = World().app

    assert app.seen_by(of_tenant(OURS)) is app.seen_by(of_tenant(OURS))
    assert app.seen_by(of_tenant(OURS)) is not app.seen_by(of_tenant(THEIRS))


@pytest.mark.parametrize(
    "principal", [of_tenant(), of_tenant("nobody"), of_tenant(""), of_jobs(), of_jobs("none"), of_tenant(OURS, jobs=())]
)
def test_whoever_sees_nothing_is_told_nothing(principal):
    # No name is no narrowing for a store: it must not be asked at all.
    store = seen(principal).store

    assert store.runs(RunQuery(kind=None)) == []
    assert store.rounds(RoundQuery()) == []
    assert store.counts().by_queue == {}
    assert store.errors(ErrorQuery()) == []
    assert store.progress() == []
    assert store.alerts.incidents(IncidentQuery()) == []
    assert store.alerts.deliveries(DeliveryQuery()) == []
    assert store.freshness.pairs(PairQuery()) == []
    assert store.freshness.flips(FlipQuery()) == []
    assert store.controls(ControlKind.CAMPAIGN) == []
    assert store.audit(AuditQuery()) == []


def test_pages_of_runs_are_full():
    store = seen(of_tenant(OURS)).store
    every = store.runs(RunQuery(kind=None, limit=100))
    pages, before = [], None
    while page := store.runs(RunQuery(kind=None, limit=3, before_id=before)):
        pages.append(page)
        before = page[-1].id

    assert [run for page in pages for run in page] == every
    assert all(len(page) == 3 for page in pages[:-1])
    assert {run.tenant for run in every} == {OURS}


def test_the_beginning_of_an_id_finds_one_where_others_begin_so_too():
    world = World()
    ours, others = f"{'ab' * 15}01", f"{'ab' * 15}02"
    world.store.enqueue([a_run(id=ours, tenant=OURS), a_run(id=others, tenant=THEIRS)], now=NOON)

    found = world.app.seen_by(of_tenant(OURS)).store.run("abababab")

    assert found is not None
    assert found.run.id == ours


def test_a_round_is_the_sum_of_their_runs():
    [shared] = [
        round_ for round_ in seen(of_tenant(OURS)).store.rounds(RoundQuery()) if round_.id == id_of("round-shared")
    ]

    assert (shared.state, shared.expected, shared.reason, shared.ended_at) == ("succeeded", 1, None, None)


def test_of_a_batch_that_others_share_theirs_is_counted():
    assert seen(of_tenant(OURS)).store.batch_counts(flow_batch(id_of("flow-shared"))) == {State.QUEUED: 1}


def test_of_a_slot_that_others_have_theirs_is_told():
    states = seen(of_tenant(OURS)).store.slot_states("report", since=NOON - 5 * HOUR, until=NOON)

    assert {state.tenant for state in states} == {OURS}


def test_what_a_channel_was_told_is_not_told_on():
    alerts = seen(of_tenant(OURS)).store.alerts

    assert alerts.deliveries(DeliveryQuery(incident=id_of("incident-ours"))) == []
    assert seen(of_jobs("report")).store.alerts.deliveries(DeliveryQuery(incident=id_of("incident-ours"))) != []


def test_a_run_of_no_tenant_is_for_those_who_see_all():
    app = seen(of_tenant(OURS))

    with pytest.raises(Forbidden):
        app.jobs["mail"].enqueue()
    assert seen(of_jobs("mail")).jobs["mail"].enqueue().state is State.QUEUED


def test_what_another_tenant_has_is_not_enqueued_for():
    app = seen(of_tenant(OURS))

    with pytest.raises(TenantNotFound):
        app.jobs["sync"].using(tenant=THEIRS).enqueue()
    with pytest.raises(TenantNotFound):
        app.store.enqueue([a_run(tenant=THEIRS)], now=NOON)


def test_another_job_is_not_there():
    app = seen(of_jobs("mail"))

    assert list(app.jobs) == ["mail"]
    with pytest.raises(JobNotFound):
        app.start_run("report")
    with pytest.raises(JobNotFound):
        app.store.enqueue([a_run(job="report")], now=NOON)


def test_a_start_for_everybody_is_one_for_theirs():  # T16
    world = World()

    round_ = world.app.seen_by(of_tenant(OURS)).start_run("report")

    [expansion] = world.store.runs(RunQuery(round_id=round_.id, kind=RunKind.EXPANSION))
    assert f'"tenants":["{OURS}"]' in expansion.args


def test_a_start_under_a_key_is_one_for_theirs_too():  # T16, T17
    world = World()
    client = world.client(tenants=[OURS])

    answer = client.post("/scheduler/run/report", json={"wait": True}, headers={"Idempotency-Key": "once"})

    assert answer.status_code == 202
    [expansion] = world.store.runs(RunQuery(round_id=answer.json()["round"], kind=RunKind.EXPANSION))
    assert f'"tenants":["{OURS}"]' in expansion.args


def test_runs_are_not_added_to_a_round_that_is_there():  # T16
    world = World()
    run = a_run(tenant=OURS, round_id=id_of("round-shared"))

    with pytest.raises(Forbidden):
        world.app.seen_by(of_tenant(OURS)).store.enqueue([run], now=NOON)


def test_a_backfill_for_everybody_is_one_for_theirs():  # T16
    world = World()
    app = world.app.seen_by(of_tenant(OURS))
    world.store.put_schedule(a_schedule(name="nightly", timing="every hour", tenants=(OURS,)), expected_version=None)

    started = app.backfill("nightly", since=NOON.replace(hour=1), until=NOON.replace(hour=3))

    assert started.id is not None
    assert world.app.campaigns.get(started.id).tenants == (OURS,)


def test_nothing_of_another_tenant_is_cancelled_or_opened_again():
    world = World()
    app = world.app.seen_by(of_tenant(OURS))
    before = world.everything()

    assert app.cancel([id_of(f"queued-{THEIRS}")]) == []
    assert app.retry([id_of(f"failed-{THEIRS}")]) == []
    assert world.everything() == before


def test_the_log_of_another_tenant_is_not_there():
    with pytest.raises(RunNotFound):
        seen(of_tenant(OURS)).store.log(id_of(f"parent-{THEIRS}"))


def test_a_general_schedule_is_not_changed_for_one_tenant():
    with pytest.raises(Forbidden):
        seen(of_tenant(OURS)).schedules.pause("report", reason="mine")


def test_a_schedule_is_made_under_the_name_of_a_tenant():
    app = seen(of_tenant(OURS))

    app.schedules.put(f"extra@{OURS}", job="report", when="daily at 03:00 UTC", tenant=OURS)
    with pytest.raises(Forbidden):
        # Whether it is taken is not told: names are shared with everybody.
        app.schedules.put("extra", job="report", when="daily at 03:00 UTC", tenant=OURS)


@pytest.mark.parametrize("label", ["incident-ours", "incident-shared"])
def test_an_incident_is_not_acknowledged_for_others_and_whether_it_meets_others_is_not_told(label):
    app = seen(of_tenant(OURS))

    with pytest.raises(Forbidden, match="each tenant that it meets"):
        app.incidents.ack(id_of(label))


def test_an_incident_is_acknowledged_by_who_sees_its_job_and_all_tenants():
    app = seen(of_jobs("report"))

    assert app.incidents.ack(id_of("incident-shared")).acked_by == "somebody"


def test_what_is_of_all_jobs_is_not_changed_by_who_sees_some():
    app = seen(of_tenant(OURS, jobs=("report",)))

    with pytest.raises(Forbidden):
        app.pauses.pause("tenant", OURS, reason="mine")
    with pytest.raises(Forbidden):
        app.store.put_control(a_control(kind=ControlKind.TENANT, name=OURS, body="{}"), expected_version=None)


def test_a_narrowed_application_does_not_work():
    with pytest.raises(Forbidden):
        seen(of_tenant(OURS)).tick()


def test_a_script_is_there_for_who_may_see_all_tenants_and_jobs_that_are_called_so():
    app = World().app
    app.watch("dump-db2", fresh_within="26h")
    heard = []
    app.on(PingFailed)(heard.append)

    kept = app.seen_by(of_jobs("dump*")).pings.record("dump-db2", "fail", text="disk full")

    assert [one.id for one in app.pings.history("dump-db2")] == [kept.id]
    assert [one.name for one in heard] == ["dump-db2"]
    assert [pair.schedule for pair in pairs(app.seen_by(of_jobs("dump*")))] == ["dump", "dump-db2"]
    for stranger in (of_jobs("report"), of_tenant(OURS), of_tenant(OURS, jobs=("dump*",))):
        with pytest.raises(WatchNotFound):
            app.seen_by(stranger).pings.record("dump-db2")
        assert "dump-db2" not in [pair.schedule for pair in pairs(app.seen_by(stranger))]
