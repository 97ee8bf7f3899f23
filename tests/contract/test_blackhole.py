"""The black hole accepts everything, keeps nothing, executes nothing. (R33)"""

from datetime import timedelta

import pytest

from rota.clock import SystemClock
from rota.core.controls import ControlKind
from rota.core.cron_jobs import CronJobRow
from rota.core.model import RoundState
from rota.errors import Refused, StoreIsBlackHole
from rota.queries import AuditQuery, RoundQuery, RunQuery
from rota.stores import open_store
from rota.stores.blackhole import BlackHole
from tests.values import (
    DAY,
    LEASE,
    NOON,
    a_control,
    a_firing,
    a_progress,
    a_request,
    a_round,
    a_run,
    a_schedule,
    a_worker,
    an_entry,
    claim,
    ids,
    succeeded,
)


@pytest.fixture
def hole():
    return BlackHole()


def test_it_is_opened_by_its_url():
    assert isinstance(open_store("blackhole://"), BlackHole)


def test_runs_are_accepted_and_never_given_out(hole):
    runs = [a_run(), a_run(due_at=NOON + DAY), a_run(concurrency_key="k")]

    assert hole.enqueue(runs, now=NOON) == ids(runs)
    assert hole.enqueue(runs, now=NOON) == ids(runs)
    assert hole.promote(now=NOON + DAY) == 0
    assert hole.unblock(now=NOON) == 0
    assert claim(hole, now=NOON + DAY) == []
    assert hole.counts().by_queue == {}
    assert hole.counts().oldest_queued_at is None


def test_asking_for_a_result_raises(hole):
    run = a_run()
    hole.enqueue([run], now=NOON)

    with pytest.raises(StoreIsBlackHole, match=f"{run.id}.*blackhole"):
        hole.run(run.id)
    assert issubclass(StoreIsBlackHole, Refused)


def test_schedules_are_accepted_and_never_due(hole):
    schedule = a_schedule()

    assert hole.put_schedule(schedule, expected_version=None)
    assert hole.schedules() == []
    assert hole.schedule(schedule.name) is None
    assert hole.due(now=NOON + DAY) == []
    assert hole.fire([a_firing(schedule)], now=NOON) == []
    assert not hole.drop_schedule(schedule.name)


def test_nothing_is_held(hole):
    run = a_run()

    settled = hole.settle([succeeded(run)], now=NOON, claim=a_request())
    renewed = hole.renew("w1", [(run.id, 1)], lease=LEASE, now=NOON, stamps={})

    assert (settled.applied, settled.claimed) == ([], [])
    assert (renewed.held, renewed.stop) == (frozenset(), frozenset())
    assert hole.release("w1", [(run.id, 1)], now=NOON) == []
    assert hole.cancel([run.id], now=NOON, reason="ann") == []
    assert hole.requeue([run.id], now=NOON, reason="ann") == []
    assert hole.expired(now=NOON + DAY) == []


def test_nothing_is_held_at_a_gate(hole):
    run = a_run(held_by="depends")
    hole.enqueue([run], now=NOON)

    assert hole.hold("job/report", job="report", now=NOON) == 0
    assert hole.gates() == []
    assert hole.held("depends") == []
    assert hole.admit("depends", now=NOON) == []
    assert hole.skip_held([run.id], now=NOON, reason="ann") == []
    assert hole.batch_counts("campaign/7") == {}


def test_controls_are_accepted_and_never_kept(hole):
    assert hole.put_control(a_control(), expected_version=None, audit=an_entry())
    assert hole.controls() == []
    assert hole.control(ControlKind.PAUSE, "tenant/acme") is None
    assert not hole.drop_control(ControlKind.PAUSE, "tenant/acme", expected_version=1)
    assert hole.audit(AuditQuery()) == []


def test_it_has_no_rows_of_others(hole):  # R6
    row = CronJobRow(id=1, seen="")

    assert hole.changed_rows() == []
    assert not hole.take_row(row, a_schedule(), expected_version=None, problem=None)
    assert hole.lost_rows() == []


def test_it_has_no_history(hole):
    round_ = a_round(expanded=True)
    hole.register(a_worker())

    assert hole.add_rounds([round_], [a_run()], now=NOON) == [round_.id]
    assert hole.mark(a_progress(), expected=None)
    assert not hole.end_round(a_round(state=RoundState.FAILED, ended_at=NOON))
    assert hole.runs(RunQuery()) == []
    assert hole.rounds(RoundQuery()) == []
    assert hole.round_counts([round_.id]) == {}
    assert hole.finished_rounds() == []
    assert hole.slot_states("nightly", since=NOON, until=NOON + DAY) == []
    assert hole.progress() == []
    assert hole.reset("nightly") == 0
    assert hole.workers() == []
    pruned = hole.prune(succeeded_before=NOON, failed_before=NOON, slots_before=NOON, logs_before=NOON, limit=10)
    assert (pruned.runs, pruned.chunks) == (0, 0)


def test_a_worker_on_it_sleeps_instead_of_spinning(hole):
    clock = SystemClock()
    before = clock.monotonic()

    assert not hole.wait(timedelta(milliseconds=30))

    assert clock.monotonic() - before >= 0.02


def test_closing_it_wakes_who_waits(hole):
    hole.close()
    clock = SystemClock()
    before = clock.monotonic()

    hole.wait(timedelta(seconds=30))

    assert clock.monotonic() - before < 10


def test_it_is_set_up_checked_and_described(hole):
    hole.setup()
    hole.check()
    hole.deregister("w1")

    assert hole.facts()["engine"] == "blackhole"
    assert hole.now().utcoffset() == timedelta(0)
