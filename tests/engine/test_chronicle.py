"""One line in the log for each thing that happens, as long as they can be read (R44, issue 6)."""

import logging
from datetime import timedelta

import pytest

from rota.core.events import (
    AttemptEnded,
    AttemptFailed,
    AttemptsEnded,
    RoundEnded,
    RunLost,
    RunsReleased,
    RunsStarted,
    RunStarted,
    ScheduleFired,
    WorkerStarted,
    WorkerStopped,
)
from rota.core.lifecycle import rescue
from rota.core.model import Outcome, RoundState
from rota.engine.bus import Bus
from rota.engine.chronicle import A_SECOND, Chronicle
from tests.clocks import FakeClock
from tests.values import MINUTE, NOON, SECOND, a_round, a_run, ended, failed, lost, succeeded


@pytest.fixture
def clock():
    return FakeClock(NOON)


@pytest.fixture
def bus(clock, caplog):
    caplog.set_level(logging.INFO)
    bus = Bus()
    Chronicle(bus, clock=clock)
    return bus


RUN = a_run(tenant="acme", attempt=1, max_attempts=3, schedule="nightly", token=1)
TOOK = {"started_at": NOON, "now": NOON + 2 * SECOND}
LAST = a_run(tenant="acme", attempt=3, max_attempts=3, token=3)

LINES = {
    "started": (RunsStarted(runs=(RUN,)), "INFO", "started"),
    "succeeded": (AttemptsEnded(settlements=(succeeded(RUN, **TOOK),)), "INFO", "succeeded in 2.0s"),
    "failed, and tried again": (
        AttemptsEnded(settlements=(failed(RUN, **TOOK),)),
        "WARNING",
        "failed after 2.0s, attempt 1 of 3, again in 1m: ValueError: bad value",
    ),
    "failed": (
        AttemptsEnded(settlements=(failed(LAST, **TOOK),)),
        "ERROR",
        "failed after 2.0s, attempt 3 was the last: ValueError: bad value",
    ),
    "timed out": (
        AttemptsEnded(settlements=(ended(LAST, Outcome.TIMED_OUT, **TOOK),)),
        "ERROR",
        "timed out after 2.0s, attempt 3 was the last",
    ),
    "cancelled": (
        AttemptsEnded(settlements=(ended(RUN, Outcome.CANCELLED, reason="by ops"),)),
        "INFO",
        "cancelled: by ops",
    ),
    "skipped": (
        AttemptsEnded(settlements=(ended(RUN, Outcome.CANCELLED, is_skipped=True, reason="expired"),)),
        "INFO",
        "skipped: expired",
    ),
    "snoozed": (
        AttemptsEnded(settlements=(ended(RUN, Outcome.SNOOZED, **TOOK, delay=30 * SECOND),)),
        "INFO",
        "snoozed; again in 30s",
    ),
    "released": (
        AttemptsEnded(settlements=(ended(RUN, Outcome.INTERRUPTED, reason="the worker ended"),)),
        "INFO",
        "given back: the worker ended",
    ),
    "lost": (
        RunLost(settlement=rescue(RUN, now=NOON, reason="its worker is gone")),
        "WARNING",
        "lost: WorkerDied: its worker is gone",
    ),
    "lost for good": (
        RunLost(settlement=lost(a_run(attempt=1, lost_count=2))),
        "ERROR",
        "lost for the 3. time, and failed",
    ),
    "released unbegun": (
        RunsReleased(worker="w1", number=4, reason="they had not begun"),
        "INFO",
        "gave back 4 runs: they had not begun",
    ),
    "round": (
        RoundEnded(round=a_round(state=RoundState.PARTIAL, counts={"succeeded": 498, "failed": 2})),
        "WARNING",
        "round partial: 2 failed, 498 succeeded",
    ),
    "fired": (
        ScheduleFired(schedule="nightly", job="report", slot=NOON),
        "INFO",
        "fired the slot of 2026-06-01 12:00:00Z",
    ),
    "up": (WorkerStarted(worker="w1", places=8, queues=("default",)), "INFO", "worker up, 8 places for default"),
    "down": (WorkerStopped(worker="w1", is_clean=False), "INFO", "worker down, before its runs had ended"),
}


@pytest.mark.parametrize("what", LINES)
def test_each_event_has_its_line(bus, caplog, what):
    event, level, message = LINES[what]

    bus.publish(event)

    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == (level, message)


def test_a_line_of_a_run_has_its_facts(bus, caplog):  # R44
    bus.publish(RunsStarted(runs=(RUN,)))

    [record] = caplog.records
    told = {name: getattr(record, name) for name in ("event", "run", "job", "tenant", "attempt", "schedule")}
    assert told == {
        "event": "run.started",
        "run": RUN.id,
        "job": "report",
        "tenant": "acme",
        "attempt": 1,
        "schedule": "nightly",
    }


def test_a_retry_says_when(bus, caplog):
    bus.publish(AttemptsEnded(settlements=(failed(RUN),)))

    assert caplog.records[0].again_at == (NOON + MINUTE).isoformat()


def test_what_a_child_lost_is_told_once(bus, caplog):
    settlement = lost(RUN)
    bus.publish(AttemptsEnded(settlements=(settlement,)))
    bus.publish(RunLost(settlement=settlement))

    assert len(caplog.records) == 1


def test_of_many_runs_in_a_second_the_rest_is_a_sum(clock, caplog):  # F21
    caplog.set_level(logging.INFO)
    bus = Bus()
    chronicle = Chronicle(bus, clock=clock)
    for _ in range(20_000):
        bus.publish(RunsStarted(runs=(RUN,)))

    chronicle.tick(clock.now())
    chronicle.tick(clock.now())

    assert len(caplog.records) == A_SECOND + 1
    assert caplog.records[-1].getMessage() == f"{20_000 - A_SECOND} more: run.started"
    assert (caplog.records[-1].job, caplog.records[-1].left_out) == ("report", 20_000 - A_SECOND)


def test_one_busy_job_leaves_the_lines_of_another(bus, clock, caplog):
    for _ in range(1000):
        bus.publish(RunsStarted(runs=(RUN,)))
    bus.publish(RunsStarted(runs=(a_run(job="bill"),)))
    clock.tick(timedelta(seconds=1))
    bus.publish(RunsStarted(runs=(RUN,)))

    assert [record.job for record in caplog.records[A_SECOND:]] == ["bill", "report"]


def test_what_was_left_out_is_told_at_the_end(bus, caplog):
    for _ in range(A_SECOND + 5):
        bus.publish(RunsStarted(runs=(RUN,)))
    bus.publish(WorkerStopped(worker="w1", is_clean=True))

    assert [record.getMessage() for record in caplog.records[-2:]] == ["5 more: run.started", "worker down"]


def test_where_nobody_reads_a_success_no_run_pays_for_it(clock, caplog):
    caplog.set_level(logging.WARNING)
    bus = Bus()
    Chronicle(bus, clock=clock)

    assert not any(bus.wants(kind) for kind in (RunStarted, RunsStarted, AttemptEnded, AttemptsEnded))
    bus.publish(AttemptFailed(settlement=failed(LAST)))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
