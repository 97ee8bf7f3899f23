"""Rounds with a canary or a number of places, missed slots of many tenants, and shares of jitter."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from rota import CatchUp, Rota, RunContext, State, every
from rota.core.gates import canary_gate, catch_up_batch, round_batch
from rota.core.model import RoundState, RunKind, Tenant
from rota.core.rounds import Expansion, jittered
from rota.errors import BadArguments, TenantNotFound
from rota.queries import RunQuery
from tests.engine.gates import ONCE, start
from tests.engine.house import Driven, driven, hourly, noon_plus, rounds_of, runs_of, states_by_tenant
from tests.values import DAY, HOUR, MINUTE, NOON

TEN = [f"t{number}" for number in range(10)]


def failing_for(*tenants: str, seen: list[str]):
    def declare(app: Rota) -> None:
        @app.job(per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            seen.append(ctx.tenant.id)
            if ctx.tenant.id in tenants:
                raise ValueError("no such table: orders")

    return declare


# --- canary ---


def test_the_canary_goes_first_and_the_others_after_it_has_succeeded():  # R24
    seen: list[str] = []
    process = driven(tenants=TEN)(failing_for(seen=seen))
    start(process, "report", canary="t7")

    process.settle_down()

    assert seen[0] == "t7"
    assert sorted(seen) == TEN
    # An expansion that dies between two chunks leaves nobody at the gate without it.
    assert runs_of(process.app)[0].tenant == "t7"
    assert [round_.state for round_ in rounds_of(process.app)] == [RoundState.SUCCEEDED]


def test_while_the_canary_has_not_ended_nobody_else_begins():  # R24
    seen: list[str] = []
    process = driven(tenants=TEN)(failing_for(seen=seen))
    round_ = start(process, "report", canary="t7")
    # One pass expands; the canary is queued by then.
    process.crew.worker.tick(process.clock.now())
    process.crew.worker._draining = True  # nobody claims it

    for _ in range(3):
        process.once()

    assert seen == []
    assert len(process.app.store.held(canary_gate(round_.id))) == 9


def test_when_the_canary_fails_the_rest_is_cancelled_with_its_error():  # R24
    seen: list[str] = []
    process = driven(tenants=["acme", "globex", "initech"])(failing_for("acme", seen=seen))
    start(process, "report", canary="acme")

    process.settle_down()

    assert seen == ["acme"]
    runs = {run.tenant: run for run in runs_of(process.app)}
    assert states_by_tenant(list(runs.values())) == {
        "acme": State.FAILED, "globex": State.CANCELLED, "initech": State.CANCELLED
    }  # fmt: skip
    assert runs["globex"].reason == "canary acme failed: ValueError: no such table: orders"
    [round_] = rounds_of(process.app)
    assert round_.state is RoundState.FAILED


def retried_with_canary(*failing: str, seen: list[str]) -> Driven:
    """Return a process with a round of which all failed, retried with one of them first; only some fail again."""
    ill = set(TEN)

    def declare(app: Rota) -> None:
        @app.job(per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            seen.append(ctx.tenant.id)
            if ctx.tenant.id in ill:
                raise ValueError("no such table: orders")

    process = driven(tenants=TEN)(declare)
    start(process, "report")
    process.settle_down()
    seen.clear()
    ill.clear()
    ill.update(failing)
    process.app.retry([run.id for run in runs_of(process.app)], canary="t4")
    return process


def test_the_canary_of_a_retry_goes_first_and_the_others_after_it_has_succeeded():  # R24
    seen: list[str] = []
    process = retried_with_canary(seen=seen)
    process.crew.worker.tick(process.clock.now())
    assert seen == ["t4"]

    process.settle_down()

    assert sorted(seen) == TEN
    assert [round_.state for round_ in rounds_of(process.app)] == [RoundState.SUCCEEDED]


def test_when_the_canary_of_a_retry_fails_the_others_are_cancelled_and_can_be_retried():  # R24
    seen: list[str] = []
    process = retried_with_canary("t4", seen=seen)

    process.settle_down()

    assert seen == ["t4"]
    reasons = {run.reason for run in runs_of(process.app) if run.tenant != "t4"}
    assert reasons == {"canary t4 failed: ValueError: no such table: orders"}
    process.app.retry([run.id for run in runs_of(process.app) if run.state is State.CANCELLED])
    process.settle_down()
    assert sorted(seen) == TEN


def test_a_gatekeeper_that_looks_while_a_retry_is_written_cancels_nobody(monkeypatch):  # R24
    seen: list[str] = []
    process = driven(tenants=TEN)(failing_for(*TEN, seen=seen))
    start(process, "report")
    process.settle_down()
    requeue = process.app.store.requeue

    def looked_at(*args, **kwargs):
        opened = requeue(*args, **kwargs)
        process.crew.services["gatekeeper"].tick(process.clock.now())
        return opened

    monkeypatch.setattr(process.app.store, "requeue", looked_at)
    process.app.retry([run.id for run in runs_of(process.app)], canary="t4")

    assert {run.state for run in runs_of(process.app)} == {State.QUEUED, State.SCHEDULED}


def test_a_canary_for_steps_of_a_chain_is_refused_and_opens_none_of_them():  # R24, R64
    def declare(app: Rota) -> None:
        @app.job(per_tenant=True, retry=ONCE)
        def load(ctx: RunContext) -> None:
            raise ValueError("no such table: orders")

        app.chain(load.using(tenant="t4").step(), load.using(tenant="t5").step().without_result()).enqueue()

    process = driven(tenants=TEN)(declare)
    process.settle_down()
    process.crew.flows.tick(process.clock.now())
    before = states_by_tenant(runs_of(process.app))

    with pytest.raises(BadArguments, match="chain"):
        process.app.retry([run.id for run in runs_of(process.app)], canary="t4")

    assert before == {"t4": State.FAILED, "t5": State.CANCELLED}
    assert states_by_tenant(runs_of(process.app)) == before


@pytest.mark.parametrize(("canary", "error"), [("hooli", TenantNotFound), ("t4", BadArguments)])
def test_a_canary_that_is_not_one_of_the_runs_opens_none_of_them(canary, error):  # R24, R64
    seen: list[str] = []
    process = driven(tenants=TEN)(failing_for(*TEN, seen=seen))
    for _ in range(2):
        start(process, "report")
        process.settle_down()

    with pytest.raises(error, match=canary):
        process.app.retry([run.id for run in runs_of(process.app)], canary=canary)

    assert {run.state for run in runs_of(process.app)} == {State.FAILED}


def test_a_canary_that_the_round_is_not_for_fails_the_round_by_its_name():  # R24
    process = driven(tenants=["acme", "globex"])(failing_for(seen=[]))
    start(process, "report", canary="globx")

    process.settle_down()

    [round_] = rounds_of(process.app)
    assert (round_.state, runs_of(process.app)) == (RoundState.FAILED, [])
    assert "TenantNotFound: no tenant 'globx'; did you mean 'globex'?" in (round_.reason or "")


# --- places ---


def most_out(process: Driven, batch: str) -> int:
    """Tick to the end without a worker's help and return how many runs of a batch were out at once at most."""
    most = 0
    for _ in range(100):
        process.once()
        out = process.app.store.runs(RunQuery(batch=batch, states=(State.QUEUED, State.RUNNING), limit=1000))
        most = max(most, len(out))
    return most


def test_no_more_runs_of_a_round_are_out_than_its_job_allows():  # R24
    seen: list[tuple[str, object]] = []
    process = driven(tenants=TEN)(hourly(seen, max_parallel=3))
    process.clock.tick(HOUR)
    process.once()
    [round_] = rounds_of(process.app)

    assert round_.places == 3
    assert most_out(process, round_batch(round_.id)) == 3
    assert len(seen) == 10


def test_missed_slots_of_many_tenants_are_let_out_by_and_by():  # R8
    seen: list[tuple[str, object]] = []
    process = driven(tenants=TEN)(hourly(seen, catch_up=CatchUp.all()))
    process.crew.gatekeeper._catch_up_places = 4  # as the settings may say
    process.clock.tick(3 * HOUR)

    most = most_out(process, catch_up_batch("report"))

    assert most == 4
    assert len(seen) == 30
    assert {round_.state for round_ in rounds_of(process.app)} == {RoundState.SUCCEEDED}


def test_of_missed_slots_no_more_are_out_than_the_job_allows_in_one_round():  # R8, R24
    process = driven(tenants=TEN)(hourly([], catch_up=CatchUp.all(), max_parallel=2))
    process.clock.tick(3 * HOUR)

    assert most_out(process, catch_up_batch("report")) == 2


def test_a_slot_on_time_does_not_wait_for_the_places_of_missed_ones():  # R8
    process = driven(tenants=["acme"])(hourly([]))

    process.advance(HOUR)
    process.advance(HOUR + 2 * MINUTE)

    assert [run.batch for run in runs_of(process.app)] == [None, catch_up_batch("report")]


def test_two_gatekeepers_do_not_let_out_more_than_there_are_places():  # R35, E1
    process = driven(tenants=TEN)(hourly([], max_parallel=3))
    other = Driven(process.app, process.clock)
    process.clock.tick(HOUR)
    process.once()
    process.crew.worker.tick(process.clock.now())

    moved = [one.crew.gatekeeper.open_gates(process.clock.now()) for one in (process, other, process)]

    assert moved == [3, 0, 0]
    assert process.app.store.gates() == [round_batch(rounds_of(process.app)[0].id)]


# --- jitter, weight, who it is for ---


def test_jitter_gives_each_tenant_its_own_share_before_the_next_slot():  # R15
    process = driven(tenants=[f"t{number}" for number in range(100)])(hourly([], jitter="3h"))

    process.advance(HOUR)
    due = {run.tenant: run.due_at for run in runs_of(process.app)}

    assert min(due.values()) >= noon_plus(hours=1)
    assert max(due.values()) < noon_plus(hours=2)
    # Spread over the hour: some in each quarter.
    assert {int((at - noon_plus(hours=1)) / timedelta(minutes=15)) for at in due.values()} == {0, 1, 2, 3}
    assert len(set(due.values())) > 90


def test_a_jittered_run_runs_when_its_time_comes():  # R15
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen, jitter="30m"))

    process.advance(HOUR)
    assert seen == []
    process.advance(30 * MINUTE)

    assert len(seen) == 2


@pytest.mark.parametrize("slot", [NOON, NOON + DAY])
def test_the_share_is_the_same_in_every_process_and_another_one_for_the_next_slot(slot):  # R15
    expansion = Expansion(args="", jitter=HOUR, ends=slot + DAY)

    shares = {jittered(slot, expansion, schedule="nightly", slot=slot, tenant="acme") for _ in range(3)}
    other = jittered(slot, expansion, schedule="nightly", slot=slot + HOUR, tenant="acme")

    assert len(shares) == 1
    assert other not in shares


def test_what_is_spread_by_h_already_is_not_jittered_past_the_next_slot():  # R15
    expansion = Expansion(args="", jitter=HOUR, ends=NOON + HOUR)
    late = NOON + HOUR - MINUTE

    for number in range(50):
        assert late <= jittered(late, expansion, schedule="s", slot=NOON, tenant=f"t{number}") < NOON + HOUR


def test_the_weight_of_a_tenant_goes_with_its_runs():  # R24
    tenants = [Tenant(id="acme", weight=2.0), Tenant(id="globex")]
    process = driven(tenants=tenants)(hourly([]))

    process.advance(HOUR)

    assert {run.tenant: run.weight for run in runs_of(process.app)} == {"acme": 2.0, "globex": 1.0}


def test_a_tenant_that_a_schedule_leaves_out_has_no_run_of_it():  # R24
    process = driven()(hourly([]))
    known = process.app.schedules.get("report")
    process.app.store.put_schedule(
        replace(known, exclude=("acme", "gone"), version=known.version + 1), expected_version=known.version
    )

    process.advance(HOUR)

    assert [run.tenant for run in runs_of(process.app)] == ["globex"]


def test_in_the_zone_of_the_tenant_a_slot_is_for_the_tenants_of_that_zone():  # R15
    seen: list[tuple[str, object]] = []
    tenants = [Tenant(id="acme", tz="Europe/Paris"), Tenant(id="globex", tz="Asia/Tokyo"), Tenant(id="initech")]

    def declare(app: Rota) -> None:
        @app.job(schedule=every().day.at("02:00", tz="tenant"), per_tenant=True)
        def report(ctx: RunContext) -> None:
            seen.append((ctx.tenant.id, ctx.slot))

    process = driven(tenants=tenants)(declare)
    for _ in range(24):
        process.advance(HOUR)

    # 02:00 in Tokyo is 17:00 UTC, in Paris midnight; who has no zone has that of the settings.
    assert seen == [("globex", noon_plus(hours=5)), ("acme", noon_plus(hours=12)), ("initech", noon_plus(hours=14))]


def test_the_expansion_of_a_round_is_never_held_for_its_batch():
    process = driven()(hourly([], max_parallel=1, catch_up=CatchUp.all()))
    process.advance(3 * HOUR)

    expansions = process.app.store.runs(RunQuery(kind=RunKind.EXPANSION))

    assert {(run.batch, run.held_by) for run in expansions} == {(None, None)}
