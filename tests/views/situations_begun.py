"""Situations of what runs, what is over, slots, and what is well; see `situations`."""

from typing import Any

from msgspec.structs import replace

from rota import every
from rota.core.model import Run
from rota.views.why import Code, ask_run
from tests.engine.house import Driven
from tests.values import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    claim,
    found,
)  # fmt: skip
from tests.views.house import (
    Source,
    a_process,
    alive,
    at,
    enqueued,
    of_job,
    of_run,
    situation,
)

# --- under way ---


def claimed(process: Driven, **fields: Any) -> Run:
    alive(process, id="w1")
    enqueued(process)
    [run] = claim(process.app.store, worker="w1", **fields)
    return run


@situation(Code.RUNNING)
def running():
    process = a_process()
    run = claimed(process)
    return ask_run(process.app, run), (
        "worker host-1 (pid 4711) has it since 2026-06-01 12:00 UTC (0ms), attempt 1 of 1"
    )


@situation(Code.LEASE_OVER)
def lease_over():
    process = a_process()
    run = claimed(process)
    process.clock.tick(MINUTE)
    return ask_run(process.app, run), "its lease ended 40s ago: its worker is gone or frozen"


@situation(Code.STOPPING)
def stopping():
    process = a_process()
    run = claimed(process)
    process.app.cancel([run.id], reason="wrong day")
    return ask_run(process.app, found(process.app.store, run.id)), "it was asked to stop: wrong day"


# --- over ---


@situation(Code.SUCCEEDED)
def succeeded():
    process = a_process()
    process.advance(HOUR)
    return of_run(process), "it succeeded at 2026-06-01 13:00 UTC"


@situation(Code.FAILED)
def failed():
    process = a_process({"acme"})
    process.advance(HOUR)
    return of_job(process, tenant="acme", slot=at(13)), "attempt 1 of 1 was its last and failed: ValueError: no conn"


@situation(Code.CANCELLED)
def cancelled():
    process = a_process()
    run = enqueued(process)
    process.app.cancel([run.id], reason="wrong day")
    return ask_run(process.app, found(process.app.store, run.id)), "it was cancelled at 2026-06-01 12:00 UTC: wrong day"


@situation(Code.SKIPPED)
def skipped():
    process = a_process()
    process.app.pauses.pause("tenant", "acme", reason="moves to db-3", actor="ana")
    process.advance(HOUR)
    return of_job(process, tenant="acme", slot=at(13)), "it was skipped at 2026-06-01 13:00 UTC: tenant paused by ana"


# --- slots ---


@situation(Code.SKIPPED_RANGE)
def skipped_range():
    process = a_process()
    process.advance(5 * HOUR)
    return of_job(process, tenant="acme", slot=at(14)), (
        "skipped with all slots from 2026-06-01 13:00 UTC to 2026-06-01 16:00 UTC: missed; catch-up is latest"
    )


@situation(Code.NO_SLOT)
def no_slot():
    process = a_process()
    return of_job(process, slot=at(13, 30)), (
        "2026-06-01 13:30 UTC is no slot of sync; next to it are 2026-06-01 13:00 UTC, 2026-06-01 14:00 UTC"
    )


@situation(Code.BEFORE_SCHEDULE)
def before_schedule():
    return of_job(a_process(), slot=at(9)), "schedule sync was made later, at 2026-06-01 12:00 UTC"


@situation(Code.PAUSED_THEN)
def paused_then():
    process = a_process()
    process.app.pauses.pause("job", "sync", reason="migration", actor="ana", until=at(14, 30))
    process.advance(HOUR)
    process.advance(2 * HOUR)
    return of_job(process, tenant="acme", slot=at(13)), (
        "job sync was paused then by ana (at 2026-06-01 12:00 UTC): migration"
    )


@situation(Code.CHANGED_SINCE)
def changed_since():
    process = a_process()
    process.clock.tick(90 * MINUTE)
    process.app.schedules.override("sync", when=every(30).minutes, actor="cli:ana")
    process.settle_down()
    return of_job(process, tenant="acme", slot=at(13)), "schedule sync was changed at 2026-06-01 13:30 UTC by ana"


@situation(Code.TENANT_NOT_LISTED_THEN)
def tenant_not_listed_then():
    source = Source("acme")
    process = a_process(tenants=source)
    process.advance(HOUR)
    source.names.append("new")
    return of_job(process, tenant="new", slot=at(13)), "has no run for new: it was not among the 1 tenants"


@situation(Code.PRUNED)
def pruned():
    process = a_process()
    process.advance(HOUR)
    process.advance(60 * DAY)
    process.app.store.prune(
        succeeded_before=process.clock.now() - DAY, failed_before=process.clock.now() - DAY,
        slots_before=process.clock.now() + DAY, logs_before=NOON, limit=1000,
    )  # fmt: skip
    return of_job(process, tenant="acme", slot=at(13)), "its history is not kept any more"


@situation(Code.NOT_FIRED)
def not_fired():
    process = a_process()
    schedule = process.app.store.schedule("sync")
    assert schedule is not None
    # Somebody moved the cursor with SQL.
    moved = replace(schedule, cursor=at(15), next_at=at(16), version=schedule.version + 1)
    process.app.store.put_schedule(moved, expected_version=schedule.version)
    process.clock.tick(3 * HOUR)
    return of_job(process, tenant="acme", slot=at(14)), "it never fired, and no reason was recorded"


@situation(Code.SLOT_TO_COME)
def slot_to_come():
    return of_job(a_process(), slot=at(18)), "the slot is to come: 2026-06-01 18:00 UTC (in 6h)"


# --- well ---


@situation(Code.NO_SCHEDULE)
def no_schedule():
    return of_job(a_process(), "mail"), "job mail has no schedule: it runs when somebody enqueues or starts it"


@situation(Code.FINE)
def fine():
    process = a_process()
    process.advance(HOUR)
    return of_job(process, tenant="acme"), (
        "sync runs fine: last success in slot 2026-06-01 13:00 UTC (now), next at 2026-06-01 14:00 UTC (in 1h)"
    )


@situation(Code.NEXT)
def next_slot():
    process = a_process({"acme"})
    process.advance(HOUR)
    return of_job(process, tenant="acme"), "sync: no success yet, next at 2026-06-01 14:00 UTC (in 1h)"
