"""Errors are counted with the attempts that met them: each once, by job, fingerprint and tenant (R38)."""

import threading

import pytest
from msgspec.structs import replace

from rota.core.lifecycle import rescue
from rota.core.model import ErrorReport, Outcome
from rota.core.tally import LONGEST_MESSAGE
from rota.queries import ErrorKey, ErrorQuery
from tests.values import DAY, HOUR, MINUTE, NOON, SECOND, a_run, claim, ended, settle_all, succeeded

EVERY = ErrorQuery()


def an_error(message="no order 7", **fields):
    return ErrorReport(**{"type": "LookupError", "message": message, "place": "app.orders.bill, line 12"} | fields)


def met(store, error=None, *, outcome=Outcome.FAILED, at=NOON, **fields):
    """Let a run meet an error, and return it as it was claimed."""
    store.enqueue([a_run(**{"max_attempts": 3} | fields)], now=NOON)
    [run] = claim(store)
    assert settle_all(store, ended(run, outcome, now=at, error=error or an_error()), now=at) == [run.id]
    return run


def counts(store, query=EVERY):
    return [(record.job, record.type, record.number) for record in store.errors(query)]


def prune(store, *, failed_before, limit=100):
    store.prune(
        succeeded_before=NOON - DAY,
        failed_before=failed_before,
        slots_before=NOON - DAY,
        logs_before=NOON - DAY,
        limit=limit,
    )


def test_an_error_is_known_by_what_it_is_and_where_and_whom_it_met(store):  # R38
    run = met(store, an_error("no order 7\nas was said"), tenant="acme", at=NOON + SECOND)

    [record] = store.errors(EVERY)

    assert (record.job, record.type, record.place) == ("report", "LookupError", "app.orders.bill, line 12")
    assert record.message == "no order 7\nas was said"
    assert (record.first_at, record.last_at, record.last_run_id) == (NOON + SECOND, NOON + SECOND, run.id)
    assert (record.number, record.tenants, record.top) == (1, 1, {"acme": 1})
    assert store.run(run.id).attempts[-1].error.fingerprint == record.fingerprint


def test_the_same_error_is_counted_on_one_record_which_shows_the_newest(store):  # R38
    met(store, an_error("no order 7"), tenant="globex", at=NOON + HOUR)
    newest = met(store, an_error("no order 9"), tenant="acme", at=NOON + 2 * HOUR)
    met(store, an_error("no order 8", place="app.orders.bill, line 13"), tenant="globex", at=NOON)

    [record] = store.errors(EVERY)

    assert (record.message, record.place) == ("no order 9", "app.orders.bill, line 12")
    assert (record.first_at, record.last_at, record.last_run_id) == (NOON, NOON + 2 * HOUR, newest.id)
    assert (record.number, record.tenants, list(record.top.items())) == (3, 2, [("globex", 2), ("acme", 1)])


def test_another_job_or_cause_has_a_record_of_its_own(store):  # R38
    met(store, job="bill", at=NOON)
    met(store, job="ship", at=NOON + SECOND)
    met(store, an_error(type="KeyError"), job="ship", at=NOON + MINUTE)

    assert counts(store) == [("ship", "KeyError", 1), ("ship", "LookupError", 1), ("bill", "LookupError", 1)]


@pytest.mark.parametrize("attempts", [1, 3])
@pytest.mark.parametrize(
    ("outcome", "number"),
    [
        (Outcome.FAILED, 1),
        (Outcome.TIMED_OUT, 1),
        (Outcome.LOST, 1),
        (Outcome.CANCELLED, 0),
        (Outcome.INTERRUPTED, 0),
        (Outcome.SNOOZED, 0),
    ],
)
def test_what_failed_ran_out_of_time_or_was_lost_counts_also_when_it_is_tried_again(store, outcome, attempts, number):
    # R38
    met(store, outcome=outcome, max_attempts=attempts)

    assert [record.number for record in store.errors(EVERY)] == [1] * number


def test_a_worker_that_died_is_an_error_of_its_runs(store):  # R38
    store.enqueue([a_run()], now=NOON)
    [run] = claim(store)

    settle_all(store, rescue(run, now=NOON + HOUR), now=NOON + HOUR)

    assert counts(store) == [("report", "LeaseLost", 1)]


def test_a_success_leaves_no_record(store):  # R38
    store.enqueue([a_run()], now=NOON)
    settle_all(store, succeeded(*claim(store)))

    assert store.errors(EVERY) == []


def test_a_repeated_settlement_counts_nothing_twice(store):  # R38, R30
    store.enqueue([a_run(max_attempts=3, tenant="acme") for _ in range(2)], now=NOON)
    settlements = [ended(run, Outcome.FAILED, now=NOON, error=an_error()) for run in claim(store)]
    settle_all(store, settlements[0], now=NOON)

    settle_all(store, *settlements, settlements[1], now=NOON)
    settle_all(store, *settlements, now=NOON)

    [record] = store.errors(EVERY)
    assert (record.number, record.top) == (2, {"acme": 2})


def test_a_settlement_that_comes_too_late_counts_nothing(store):  # R38, R30
    store.enqueue([a_run(max_attempts=3)], now=NOON)
    [old] = claim(store)
    settle_all(store, rescue(old, now=NOON + HOUR), now=NOON + HOUR)
    claim(store, now=NOON + HOUR)

    assert settle_all(store, ended(old, Outcome.FAILED, now=NOON + HOUR, error=an_error()), now=NOON + HOUR) == []

    assert counts(store) == [("report", "LeaseLost", 1)]


def test_a_thousand_failures_that_are_settled_together_are_counted_each(store):  # R38
    store.enqueue([a_run(max_attempts=1, tenant=f"t{number % 30:02}") for number in range(1000)], now=NOON)
    runs = claim(store, limit=1000)

    settle_all(store, *(ended(run, Outcome.FAILED, now=NOON, error=an_error(f"no order {run.id}")) for run in runs))

    [record] = store.errors(EVERY)
    assert (record.number, record.tenants) == (1000, 30)
    # Those who met it most often, then by name; ten of them.
    assert list(record.top.items()) == [(f"t{number:02}", 34) for number in range(10)]


def test_workers_that_meet_the_same_errors_at_once_lose_no_count(store):  # R38
    store.enqueue([a_run(max_attempts=1, tenant=f"t{number % 7}") for number in range(160)], now=NOON)
    runs = claim(store, limit=160)
    everyone = threading.Barrier(8)

    def settle(mine, order):
        kinds = ["KeyError", "ValueError"] * 10
        met = [
            ended(run, Outcome.FAILED, now=NOON, error=an_error(type=kind))
            for run, kind in zip(mine, kinds, strict=True)
        ]
        everyone.wait()
        # Half of them the other way round: it is the store's part not to let them meet head on.
        for first in (0, 10):
            settle_all(store, *met[first : first + 10][::order], now=NOON)

    threads = [threading.Thread(target=settle, args=[runs[start::8], 1 - start % 2 * 2]) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(record.number for record in store.errors(EVERY)) == 160
    assert sum(sum(record.top.values()) for record in store.errors(EVERY)) == 160


@pytest.mark.parametrize(
    ("fields", "types"),
    [
        ({}, ["C", "B", "A"]),
        ({"jobs": ("bill", "else")}, ["B", "A"]),
        ({"tenants": ("acme",)}, ["C", "A"]),
        ({"tenants": ("acme", "globex")}, ["C", "B", "A"]),
        ({"tenants": ("nobody",)}, []),
        ({"since": NOON + HOUR}, ["C", "B"]),
        ({"until": NOON + HOUR}, ["A"]),
        ({"fingerprint": "bb"}, ["B"]),
        ({"fingerprint": "bbbb"}, ["B"]),
        ({"fingerprint": "bc"}, []),
        ({"limit": 2}, ["C", "B"]),
    ],
)
def test_a_question_is_narrowed_by_each_field(store, fields, types):  # R38
    met(store, an_error(type="A", fingerprint="aaaa"), job="bill", tenant="acme", at=NOON)
    met(store, an_error(type="B", fingerprint="bbbb"), job="bill", tenant="globex", at=NOON + HOUR)
    met(store, an_error(type="C", fingerprint="cccc"), job="ship", tenant="acme", at=NOON + 2 * HOUR)

    assert [record.type for record in store.errors(ErrorQuery(**fields))] == types


def test_pages_follow_one_another_also_where_all_were_met_at_once(store):  # R38
    for number in range(7):
        met(store, an_error(type=f"E{number}", fingerprint=f"{number % 4:04}"), job=f"job-{number // 4}")
    whole = store.errors(EVERY)

    pages, query = [], ErrorQuery(limit=3)
    while page := store.errors(query):
        pages += page
        query = replace(query, before=ErrorKey(page[-1].last_at, page[-1].job, page[-1].fingerprint))

    assert len(whole) == 7
    assert pages == whole == sorted(whole, key=lambda record: (record.job, record.fingerprint))


def test_what_nobody_met_for_long_is_forgotten_and_begins_anew(store):  # R72
    met(store, an_error(type="Old"), tenant="acme", at=NOON - MINUTE)
    met(store, an_error(type="New"), at=NOON)

    prune(store, failed_before=NOON)

    assert [record.type for record in store.errors(EVERY)] == ["New"]

    met(store, an_error(type="Old"), tenant="globex", at=NOON + HOUR)

    assert store.errors(EVERY)[0].top == {"globex": 1}


def test_only_so_many_are_forgotten_at_once(store):  # R72
    for number in range(3):
        met(store, an_error(type=f"E{number}"), at=NOON + number * SECOND)

    prune(store, failed_before=NOON + DAY, limit=2)

    assert [record.type for record in store.errors(EVERY)] == ["E2"]


def test_an_error_of_hostile_text_is_kept_as_far_as_it_can_be_shown(store):  # R65
    met(store, an_error("nul \x00, half \udcff, 🙂" + "x" * 5000, type="T" * 400, place="p" * 900), tenant="ac'me; --")

    [record] = store.errors(EVERY)

    assert record.message.startswith("nul ") and "🙂" in record.message
    assert len(record.message) == LONGEST_MESSAGE
    assert record.top == {"ac'me; --": 1}
