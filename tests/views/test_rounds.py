"""A round as it is shown: every tenant that is not simply done is named, with why (R23)."""

from datetime import timedelta

from msgspec.structs import replace

from rota import Retry
from rota.core.model import Outcome, RoundState
from rota.queries import RoundQuery, RunQuery
from rota.views.follow import standing, summary
from rota.views.rounds import round_detail, round_rows
from rota.views.runs import find_round
from tests.engine.gates import import_and_report
from tests.engine.house import driven, rounds_of
from tests.values import HOUR, MINUTE, NOON, a_round, a_run, claim, ended, given_up, settle_all
from tests.views.house import Source, a_process, alive

TENANTS = [f"t{number}" for number in range(8)]


def a_started_round(process, **fields):
    """Return a round whose tenants' runs are in line, with nobody who works."""
    round_ = a_round(job="sync", schedule=None, slot=None, expanded=True, expected=8)
    runs = [a_run(job="sync", tenant=name, round_id=round_.id, max_attempts=2) for name in TENANTS]
    process.app.store.add_rounds([round_], [replace(run, **fields) for run in runs], now=NOON)
    return round_


def detail_of(process, round_):
    found = find_round(process.app, round_.id)
    assert found is not None
    return round_detail(process.app, found)


def test_a_round_names_who_failed_timed_out_is_tried_again_runs_and_was_skipped():  # R23
    process = a_process(tenants=TENANTS)
    round_ = a_started_round(process)
    runs = {run.tenant: run for run in claim(process.app.store)}
    later = NOON + 10 * MINUTE
    settle_all(
        process.app.store,
        ended(runs["t0"], started_at=NOON, now=later),
        given_up(runs["t1"], started_at=NOON, now=later),
        ended(runs["t2"], Outcome.TIMED_OUT, retry=False, started_at=NOON, now=NOON + HOUR),
        ended(runs["t3"], Outcome.FAILED, started_at=NOON, now=later, wait=2 * HOUR),
        now=later,
    )
    process.clock.tick(20 * MINUTE)

    detail = detail_of(process, round_)

    assert [(one.tenant, one.error) for one in detail.failures] == [
        ("t1", "ValueError: bad value"),
        ("t2", "no error was recorded"),
    ]
    assert detail.timed_out == ["t2"]
    assert [(one.tenant, one.why) for one in detail.retrying] == [("t3", "attempt 2 of 2 is at 2026-06-01 14:10 UTC")]
    assert [(one.tenant, one.elapsed_s) for one in detail.running] == [(f"t{n}", 1200.0) for n in range(4, 8)]
    assert detail.round.counts == {"failed": 2, "running": 4, "scheduled": 1, "succeeded": 1}


def test_times_are_those_of_the_runs_that_are_over_and_the_slowest_five_come_first():  # R23
    process = a_process(tenants=TENANTS)
    round_ = a_started_round(process)
    runs = sorted(claim(process.app.store), key=lambda run: run.tenant)
    for number, run in enumerate(runs, start=1):
        settle_all(process.app.store, ended(run, started_at=NOON, now=NOON + timedelta(seconds=number)))

    detail = detail_of(process, round_)

    times = detail.times
    assert times is not None
    assert (times.count, times.sum_s, times.p50_s, times.p95_s) == (8, 36.0, 4.0, 8.0)
    assert [row.tenant for row in detail.slowest] == ["t7", "t6", "t5", "t4", "t3"]


def test_tenants_that_wait_for_another_job_are_told_by_what_they_wait_for():  # R11, R23
    process = driven()(import_and_report([], {"acme", "globex"}))
    process.advance(HOUR)
    process.advance(30 * MINUTE)
    [report] = rounds_of(process.app, jobs=("report",))

    held = round_detail(process.app, report).held

    assert [one.tenant for one in held] == ["acme", "globex"]
    # The same words for both, so that they are one line.
    assert {one.why for one in held} == {"blocked by import, slot 2026-06-01 13:00 UTC (failed)"}


def test_the_tenants_of_a_paused_one_and_a_canary_are_told():  # R12, R23, R24
    process = a_process({"acme"}, policy={"retry": Retry(attempts=2, base=HOUR, jitter=False)})
    round_ = process.app.start_run("sync", canary="acme")
    process.settle_down()

    detail = detail_of(process, round_)

    assert [one.tenant for one in detail.retrying] == ["acme"]
    [held] = detail.held
    assert (held.tenant, held.why.partition(":")[0]) == ("globex", "canary acme goes first, and is scheduled")


def test_a_round_that_could_not_list_its_tenants_says_why_and_can_be_retried():  # R20, R23
    source = Source("acme")
    process = a_process(tenants=source)
    source.is_away = True
    for _ in range(4):
        process.advance(HOUR)
    [*_, last] = [one for one in rounds_of(process.app) if one.ended_at is not None]

    detail = round_detail(process.app, last)

    assert detail.round.state is RoundState.FAILED
    assert "connection refused" in (detail.round.reason or "")
    assert detail.can_retry


def test_the_sum_of_an_ended_round_is_what_it_was_though_its_runs_are_pruned():  # R72
    process = a_process({"acme"})
    process.advance(HOUR)
    [round_] = rounds_of(process.app)
    before = round_rows(process.app, RoundQuery())
    for run in process.app.store.runs(RunQuery(round_id=round_.id)):
        process.app.store._runs.delete(run.id)

    assert round_rows(process.app, RoundQuery()) == before
    assert before[0].counts == {"failed": 1, "succeeded": 1}


def test_rounds_are_over_when_their_tenants_are_listed_and_all_runs_are_final():  # R23
    process = a_process({"acme"})
    alive(process)
    round_ = process.app.start_run("sync")
    assert not standing(process.app, [round_.id]).is_over

    process.settle_down()

    assert standing(process.app, [round_.id]).is_over
    told = summary(process.app, [round_.id])
    assert (told.is_clean, told.is_partial, [cause.tenants for cause in told.causes]) == (False, True, [["acme"]])


def test_an_older_round_than_the_last_200_is_found_and_followed():
    process = a_process()
    first = process.app.start_run("sync")
    process.app.store.add_rounds([a_round(schedule=None, slot=None) for _ in range(600)], [], now=NOON)

    assert find_round(process.app, first.id) is not None
    assert find_round(process.app, first.id[:13]) is not None
    assert not standing(process.app, [first.id]).is_over
    assert find_round(process.app, first.id[:4]) is None
