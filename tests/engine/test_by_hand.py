"""What people on call do: backfill, manual runs, mark-success, reset."""

from rota import Retry, Rota, RunContext, State, every
from rota.core.model import RoundState, RunKind
from rota.engine.private import private_queue
from rota.queries import RunQuery
from tests.engine.house import driven, hourly, noon_plus, rounds_of, runs_of
from tests.values import DAY, HOUR, MINUTE, NOON, a_worker

ONCE = Retry(attempts=1)


def test_a_backfill_makes_up_what_is_missing_and_only_that():  # R13
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    process.advance(HOUR + MINUTE)
    seen.clear()
    window = {"since": noon_plus(hours=-2), "until": noon_plus(hours=1, minutes=1)}

    filled = process.app.backfill("report", **window)
    process.settle_down()

    assert (filled.preview.added, filled.preview.reopened, filled.preview.succeeded) == (6, 0, 2)
    assert len(rounds_of(process.app)) == 4
    assert [window.until for tenant, window in seen if tenant == "acme"] == [  # type: ignore[attr-defined]
        noon_plus(hours=-2), noon_plus(hours=-1), NOON
    ]  # fmt: skip
    # Each stands for its own slot: (the slot before, slot].
    assert all(window.until - window.since == HOUR for _, window in seen)  # type: ignore[attr-defined]
    assert process.app.backfill("report", **window).campaign is None


def test_a_backfill_never_moves_the_last_success_back():  # R9
    process = driven(tenants=["acme"])(hourly([]))
    process.advance(HOUR)

    process.app.backfill("report", since=noon_plus(hours=-2), until=noon_plus(hours=1))
    process.settle_down()

    [progress] = process.app.store.progress(schedule="report")
    assert progress.last_success == noon_plus(hours=1)


def test_failed_slots_are_run_again_by_a_backfill_of_what_failed():  # R13
    broken = {"globex"}
    ran: list[str] = []

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=ONCE)
        def report(ctx: RunContext) -> None:
            if ctx.tenant.id in broken:
                raise ValueError("disk I/O error")
            ran.append(ctx.tenant.id)

    process = driven()(declare)
    process.advance(HOUR + MINUTE)
    [round_] = rounds_of(process.app)
    assert round_.state is RoundState.PARTIAL
    broken.clear()

    window = {"since": noon_plus(minutes=1), "until": noon_plus(hours=1, minutes=1)}
    filled = process.app.backfill("report", **window, mode="failed")
    process.settle_down()

    assert (filled.preview.added, filled.preview.reopened) == (0, 1)
    assert ran == ["acme", "globex"]
    [round_] = rounds_of(process.app)
    assert (round_.state, dict(round_.counts)) == (RoundState.SUCCEEDED, {"succeeded": 2})


def test_a_dry_run_of_a_backfill_writes_nothing():  # R13
    process = driven()(hourly([]))

    plan = process.app.backfill("report", since=noon_plus(hours=-3), until=NOON, dry_run=True)

    assert (plan.preview.total, plan.campaign) == (6, None)
    assert process.app.campaigns.list() == []
    assert runs_of(process.app) == [] and rounds_of(process.app) == []


def test_a_manual_run_moves_no_slot_and_its_window_ends_now():  # R9, R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    process.advance(HOUR)
    process.clock.tick(10 * MINUTE)

    process.app.start_run("report", tenants=["acme"], actor="ana")
    process.settle_down()

    assert seen[-1] == ("acme", (noon_plus(hours=1), noon_plus(hours=1, minutes=10)))
    [progress] = process.app.store.progress(schedule="report")
    assert progress.last_success == noon_plus(hours=1)
    assert rounds_of(process.app)[-1].actor == "ana"


def test_marking_success_sets_the_newest_slot_that_has_come_so_that_nothing_runs_at_once():  # R14
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    process.clock.tick(30 * MINUTE)

    marked = process.app.mark_success("report")
    process.settle_down()

    assert [(progress.tenant, progress.last_success) for progress in marked] == [("acme", NOON), ("globex", NOON)]
    assert seen == []
    assert process.app.mark_success("report", until=noon_plus(days=9))[0].last_success == NOON


def test_a_reset_forgets_progress_and_keeps_the_history():  # R14
    process = driven()(hourly([]))
    process.advance(HOUR)

    assert process.app.reset("report", tenants=["acme"]) == 1

    assert [progress.tenant for progress in process.app.store.progress(schedule="report")] == ["globex"]
    assert len(runs_of(process.app)) == 2


def test_what_a_process_that_died_had_started_for_itself_is_cancelled_and_holds_nobody_back():  # R12
    seen: list[tuple[str, object]] = []
    process = driven(tenants=["acme"])(hourly(seen))
    store = process.app.store
    queue = private_queue("1")
    store.register(a_worker(id="gone", queues={queue: 0}, last_seen=NOON - 3 * DAY))
    process.app.start_run("report", queue=queue)

    process.crew.services["neighbours"].tick(process.clock.now())
    process.advance(HOUR)

    assert [run.state for run in store.runs(RunQuery(kind=RunKind.EXPANSION, queues=(queue,)))] == [State.CANCELLED]
    assert [tenant for tenant, _ in seen] == ["acme"]
    assert store.workers() == []


def test_a_live_slot_is_not_skipped_because_a_backfill_is_under_way():  # R10, R13
    ran: list[object] = []

    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour.at(":00"), per_tenant=True, retry=Retry(attempts=2, base=5 * HOUR, jitter=False))
        def report(ctx: RunContext) -> None:
            assert ctx.slot is not None
            if ctx.slot < NOON:
                raise ValueError("waits for its retry for five hours")
            ran.append(ctx.slot)

    process = driven(tenants=["acme"])(declare)
    process.app.backfill("report", since=noon_plus(hours=-3), until=NOON)
    process.settle_down()

    process.advance(HOUR)

    assert ran == [noon_plus(hours=1)]


def test_a_backfill_of_slots_that_were_skipped_sums_up_like_any_other():  # R13, R23
    seen: list[tuple[str, object]] = []
    process = driven()(hourly(seen))
    process.advance(3 * HOUR)
    assert rounds_of(process.app)[0].state is RoundState.SKIPPED

    process.app.backfill("report", since=noon_plus(minutes=1), until=noon_plus(hours=3))
    process.settle_down()

    rounds = {round_.slot: (round_.state, round_.expected) for round_ in rounds_of(process.app)}
    assert set(rounds.values()) == {(RoundState.SUCCEEDED, 2)}


def test_many_runs_that_are_retried_are_read_in_one_question(monkeypatch):  # R32
    process = driven()(fails)
    handles = process.app.jobs["fails"].enqueue_many([() for _ in range(300)])
    process.settle_down()
    store, asked = process.app.store, []
    monkeypatch.setattr(store, "run", lambda run_id: asked.append(run_id))
    runs = store.runs
    monkeypatch.setattr(store, "runs", lambda query: asked.append(query) or runs(query))

    opened = process.app.retry([handle.id for handle in handles])

    assert (len(opened), len(asked)) == (300, 1)


def fails(app: Rota) -> None:
    @app.job(retry=Retry(attempts=1))
    def fails() -> None:
        raise ValueError("no")
