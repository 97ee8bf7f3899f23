"""One real situation for each reason why something does not begin, and the question that it answers."""

from typing import Any

from rota import Retry, Rota, Snooze, every
from rota import at as once_at
from rota.core.gates import campaign_batch, catch_up_batch, round_batch
from rota.core.model import Run, ScheduleState, State
from rota.views.why import Code, ask_backfill, ask_job, ask_run
from tests.engine.gates import import_and_report, park
from tests.engine.house import Driven, an_app, driven, rounds_of
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    a_round,
    a_run,
    a_schedule,
    claim,
    found,
)  # fmt: skip
from tests.views.house import (
    Source,
    a_process,
    alive,
    enqueued,
    of_job,
    of_round,
    of_run,
    of_schedule,
    situation,
)

# --- paused, or at rest ---


@situation(Code.PAUSED_JOB)
def paused_job():
    process = a_process()
    process.app.pauses.pause("job", "sync", reason="migration", actor="cli:ana", until=NOON + HOUR)
    return of_job(process), (
        "job sync is paused by ana: migration, since 2026-06-01 12:00 UTC, until 2026-06-01 13:00 UTC (in 1h)"
    )


@situation(Code.PAUSED_SCHEDULE)
def paused_schedule():
    process = a_process()
    process.app.schedules.pause("sync", reason="migration", actor="cli:ana")
    return of_job(process), "schedule sync is paused by ana: migration"


@situation(Code.IN_SHADOW)
def in_shadow():
    process = a_process()
    process.app.shadows.begin("sync", reason="cron still does it", actor="cli:ana")
    return of_job(process), (
        "schedule sync fires and starts nothing: it is in the shadow of another system, by ana: cron still does it"
    )


@situation(Code.PAUSED_TENANT)
def paused_tenant():
    process = a_process()
    process.app.pauses.pause("tenant", "acme", reason="moves to db-3")
    return of_job(process, tenant="acme"), "tenant acme is paused by somebody: moves to db-3"


@situation(Code.PAUSED_QUEUE)
def paused_queue():
    process = a_process()
    process.app.pauses.pause("queue", "default", reason="flood", actor="bo")
    run = enqueued(process)
    return ask_run(process.app, run), "queue default is paused by bo: flood"


@situation(Code.SCHEDULE_BROKEN)
def broken():
    process = a_process()
    odd = a_schedule(name="odd", job="sync", timing="every fullmoon", next_at=NOON)
    assert process.app.store.put_schedule(odd, expected_version=None)
    process.settle_down()
    process.advance(DAY)
    return of_schedule(process, "odd"), "schedule odd is broken: "


@situation(Code.SCHEDULE_ORPHANED)
def orphaned():
    process = a_process()
    left = a_schedule(name="left", job="sync", state=ScheduleState.ORPHANED, next_at=None)
    assert process.app.store.put_schedule(left, expected_version=None)
    return of_schedule(process, "left"), "schedule left is orphaned: it left the code"


def once(process: Driven, name: str, *, fails: bool) -> None:
    process.app.schedules.put(
        name, job="sync" if fails else "mail", when=once_at("2026-06-01T12:30", tz="UTC"), keep=True
    )
    process.advance(30 * MINUTE)
    process.crew.schedule_keepers["onces"].tick(process.clock.now())


@situation(Code.SCHEDULE_FAILED)
def one_time_failed():
    process = a_process({"acme"})
    once(process, "late", fails=True)
    return of_schedule(process, "late"), "schedule late is failed: "


@situation(Code.SCHEDULE_DONE)
def one_time_done():
    process = a_process()
    once(process, "early", fails=False)
    return of_schedule(process, "early"), "schedule early is done: "


# --- tenants ---


@situation(Code.TENANTS_NOT_LISTED)
def tenants_not_listed():
    source = Source("acme")
    process = a_process(tenants=source)
    source.is_away = True
    for _ in range(4):
        process.advance(HOUR)
    [*_, last] = [one for one in rounds_of(process.app) if one.ended_at is not None]
    return of_round(process, last.id), "its tenants could not be listed: "


@situation(Code.TENANT_UNKNOWN)
def tenant_unknown():
    source = Source("acme", "acmee")
    process = a_process(tenants=source)
    process.advance(HOUR)
    source.names.remove("acmee")
    process.advance(HOUR)
    return of_job(process, tenant="acmee"), "the source of tenants does not list acmee; close names are acme"


@situation(Code.TENANT_EXCLUDED)
def tenant_excluded():
    process = a_process()
    process.app.schedules.put("sync-acme", job="sync", when="every day at 03:00", tenant="acme")
    process.app.schedules.override("sync", exclude=["acme"])
    return (
        of_schedule(process, "sync", tenant="acme"),
        "schedule sync is not for acme, which has sync-acme in its place",
    )


@situation(Code.TENANT_PARKED)
def tenant_parked():
    process = a_process()
    park(process.app.store, "acme", now=NOON)
    process.advance(HOUR)
    return of_job(process, tenant="acme"), (
        "tenant acme is parked since 2026-06-01 12:00 UTC, after 3 failures in a row: refused"
    )


# --- gates ---


@situation(Code.DEPENDS)
def depends():
    process = driven()(import_and_report([], {"acme"}))
    process.advance(HOUR)
    process.advance(30 * MINUTE)
    return of_job(process, "report", tenant="acme"), (
        "blocked: import has not succeeded for acme in its slot 2026-06-01 13:00 UTC (failed); run "
    )


@situation(Code.FLOW)
def flow():
    process = a_process()
    mail = process.app.jobs["mail"]
    process.app.chain(mail.step(), mail.step().without_result()).enqueue()
    alive(process)
    return of_run(process, states=(State.SCHEDULED,)), "it waits for step 1 of 2 (mail), which is queued: run "


@situation(Code.CANARY)
def canary():
    process = a_process({"acme"}, policy={"retry": Retry(attempts=2, base=HOUR, jitter=False)})
    round_ = process.app.start_run("sync", canary="acme")
    process.settle_down()
    return of_round(process, round_.id), "canary acme goes first, and is scheduled: run "


def held_in(process: Driven, gate: str, *, count: int = 2, **fields: Any) -> Run:
    """Hold runs at a gate of places, let the gatekeeper do a pass, and return one that it left there."""
    runs = [a_run(job="sync", tenant=f"t{number}", batch=gate, held_by=gate, **fields) for number in range(count)]
    process.app.store.enqueue(runs, now=NOON)
    alive(process)
    process.crew.services["gatekeeper"].tick(NOON)
    return process.app.store.held(gate)[-1]


@situation(Code.ROUND_PLACES)
def round_places():
    process = a_process()
    round_ = a_round(job="sync", places=1)
    process.app.store.add_rounds([round_], [], now=NOON)
    held = held_in(process, round_batch(round_.id), round_id=round_.id)
    return ask_run(process.app, held), "all 1 places of its round are taken"


@situation(Code.CATCH_UP_PLACES)
def catch_up_places():
    process = a_process()
    held = held_in(process, catch_up_batch("sync"), count=20)
    return ask_run(process.app, held), "missed slots of sync are made up 16 at a time, and 16 are out"


def a_backfill(**fields: Any) -> tuple[Driven, str]:
    process = a_process()
    alive(process)
    started = process.app.backfill("sync", since=NOON - 3 * HOUR, until=NOON, **fields)
    assert started.id is not None
    for _ in range(3):
        process.crew.services["campaigns"].tick(process.clock.now())
    return process, started.id


def held_of(process: Driven, name: str) -> Run:
    return process.app.store.held(campaign_batch(name))[-1]


@situation(Code.BACKFILL_PLACES)
def backfill_places():
    process, name = a_backfill(parallel=1)
    return ask_run(process.app, held_of(process, name)), f"backfill {name} runs 1 at a time, and 1 are out"


@situation(Code.BACKFILL_PACE)
def backfill_pace():
    process, name = a_backfill(rate=1.0)
    return ask_run(process.app, held_of(process, name)), f"backfill {name} begins 1 runs a minute"


@situation(Code.BACKFILL_PAUSED)
def backfill_paused():
    process, name = a_backfill(parallel=1)
    process.app.campaigns.pause(name, reason="the month is closed", actor="cli:ana")
    return ask_run(process.app, held_of(process, name)), f"backfill {name} is paused by ana: the month is closed"


@situation(Code.BACKFILL_STOPPED)
def backfill_stopped():
    process = a_process({"acme", "globex"})
    name = process.app.backfill("sync", since=NOON - 9 * HOUR, until=NOON, parallel=1, stop_after=1).id
    process.settle_down()
    return ask_backfill(process.app, process.app.campaigns.get(name)), "it is stopped: 1 run failed, and it stops"


@situation(Code.OVERLAP)
def overlap():
    process = a_process()
    line = {"job": "sync", "concurrency_key": "line", "tenant": "acme", "schedule": "sync"}
    first, second = a_run(**line), a_run(**line)
    process.app.store.enqueue([first, second], now=NOON)
    claim(process.app.store)
    return ask_run(process.app, found(process.app.store, second.id)), (
        f"an earlier run of its schedule and tenant goes first: run {first.id} of sync for acme, which is running"
    )


@situation(Code.LISTING)
def listing():
    process = a_process()
    alive(process)
    round_ = process.app.start_run("sync")
    return of_round(process, round_.id), f"the tenants of round {round_.id} are not listed yet"


# --- later ---


@situation(Code.RETRY)
def retry():
    process = a_process({"acme"}, policy={"retry": Retry(attempts=3, base=HOUR, jitter=False)})
    process.app.start_run("sync", tenants=["acme"])
    process.settle_down()
    return of_run(process), (
        "its attempt 1 of 3 failed: ValueError: no connection 17; the next: 2026-06-01 13:00 UTC (in 1h)"
    )


@situation(Code.SNOOZED)
def snoozed():
    def declare(app: Rota) -> None:
        @app.job()
        def mail() -> Snooze:
            return Snooze(MINUTE)

    process = driven()(declare)
    enqueued(process)
    process.settle_down()
    return of_run(process), "it asked to be run again at 2026-06-01 12:01 UTC (in 1m)"


@situation(Code.NOT_DUE)
def not_due():
    process = a_process()
    return ask_run(process.app, enqueued(process, delay=HOUR)), "it is not due until 2026-06-01 13:00 UTC (in 1h)"


@situation(Code.HELD)
def held():
    process = a_process()
    run = enqueued(process, delay=HOUR)
    process.clock.tick(HOUR)
    alive(process)
    return ask_run(process.app, run), "it is due, and goes on within a second"


# --- nobody does it ---


@situation(Code.NEVER_STARTED)
def never_started():
    def declare(app: Rota) -> None:
        @app.job(schedule=every().hour)
        def sync() -> None: ...

    app = an_app(tenants=None)
    declare(app)
    return ask_job(app, "sync", tenant=None, slot=None, count=1), "the schedule of sync is in the code, and no process"


@situation(Code.NO_SCHEDULER)
def no_scheduler():
    process = a_process()
    alive(process)
    process.clock.tick(DAY)
    return of_job(process), (
        "slot 2026-06-02 12:00 UTC is not fired yet, because no scheduler lives: none lives since 2026-06-01 12:00 UTC"
    )


@situation(Code.NO_WORKER)
def no_worker():
    process = a_process()
    alive(process)
    process.clock.tick(DAY)
    return ask_run(process.app, enqueued(process)), "no worker is alive; the last was seen at 2026-06-01 12:00 UTC"


@situation(Code.NO_WORKER_FOR_QUEUE)
def no_worker_for_queue():
    process = a_process()
    alive(process, queues={"reports": 0})
    return ask_run(process.app, enqueued(process)), "none of the processes that live (1) takes runs of queue default"


@situation(Code.UNKNOWN_JOB)
def unknown_job():
    process = a_process()
    alive(process, id="w1")
    run = enqueued(process)
    [claimed] = claim(process.app.store, worker="w1")
    process.app.store.release("w1", [(claimed.id, claimed.token)], now=NOON)
    return ask_run(process.app, found(process.app.store, run.id)), "perhaps none of the workers (version 0.1) knows"


@situation(Code.PLACES_TAKEN)
def places_taken():
    process = a_process()
    alive(process, id="w1", queues={"default": 0}, places=2)
    first, second, third = (enqueued(process) for _ in range(3))
    claim(process.app.store, worker="w1", limit=2)
    waiting = next(run for run in (first, second, third) if found(process.app.store, run.id).state is State.QUEUED)
    return ask_run(process.app, found(process.app.store, waiting.id)), (
        "all 2 places for queue default are taken: 2 mail"
    )


@situation(Code.IN_LINE)
def in_line():
    process = a_process()
    alive(process)
    enqueued(process, priority=5)
    run = enqueued(process)
    return ask_run(process.app, run), "it is number 2 of 2 in queue default"


@situation(Code.LIMITED)
def limited():
    process = a_process()
    alive(process)
    process.app.limit(job="mail", running=1)
    for _ in range(2):
        run = enqueued(process)
    for worker in ("w1", "w2"):
        claim(process.app.store, worker=worker, limits=process.app.limits.holding())
    return ask_run(process.app, found(process.app.store, run.id)), (
        "limit job mail: 1 of 1 running; held back by it: 1 run"
    )
