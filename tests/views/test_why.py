"""Every reason why something does not run is told in the situation in which it is so (R11, R36)."""

import msgspec
import pytest

from rota.views.why import Code, ask_run
from tests.engine.gates import import_and_report
from tests.engine.house import driven
from tests.values import HOUR, MINUTE, NOON, a_run, found
from tests.views import situations, situations_begun  # noqa: F401  they keep what they build in SITUATIONS
from tests.views.house import SITUATIONS, a_process, of_job


def test_every_reason_has_a_situation():
    assert set(SITUATIONS) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_the_reason_is_told_in_its_situation(code):  # R10, R11, R12, R13, R24, R25, R36
    why, text = SITUATIONS[code]()

    told = [reason for reason in why.reasons if reason.code is code]
    assert len(told) >= 1, why.reasons
    assert any(text in reason.text for reason in told), [reason.text for reason in told]
    # As programs get it.
    assert msgspec.to_builtins(why)["reasons"]


ASIDE = {Code.NEXT}
"""Told besides what matters."""


@pytest.mark.parametrize("code", sorted(set(Code) - ASIDE))
def test_the_reason_of_a_situation_comes_first(code):  # R11
    why, _ = SITUATIONS[code]()

    assert why.reasons[0].code is code, [(reason.code, reason.text) for reason in why.reasons]


def test_runs_that_wait_for_the_same_thing_are_told_together():  # R11
    process = driven(tenants=["acme", "globex", "hooli"])(import_and_report([], {"acme", "globex"}))
    process.advance(HOUR)
    process.advance(30 * MINUTE)

    why = of_job(process, "report")

    [blocked] = [reason for reason in why.reasons if reason.code is Code.DEPENDS]
    assert blocked.text.startswith("2 runs are scheduled (acme, globex); the first is run ")
    assert (blocked.facts["count"], blocked.facts["tenants"]) == (2, ["acme", "globex"])
    assert (why.state, why.is_fine) == ("blocked", False)


def test_what_goes_before_a_run_is_told_with_what_keeps_that_one():  # R10, R11
    process = a_process()
    line = {"job": "sync", "concurrency_key": "line", "tenant": "acme", "schedule": "sync"}
    first, second = a_run(**line, due_at=NOON + HOUR), a_run(**line, due_at=NOON + 2 * HOUR)
    process.app.store.enqueue([first, second], now=NOON)

    why = ask_run(process.app, found(process.app.store, second.id))

    assert [reason.code for reason in why.reasons] == [Code.OVERLAP, Code.NOT_DUE]
    assert why.reasons[1].text.startswith("that one: it is not due until 2026-06-01 13:00 UTC")


def test_of_more_runs_than_are_looked_at_the_number_is_not_claimed():
    process = a_process()
    process.app.store.enqueue([a_run(job="mail") for _ in range(1001)], now=NOON)

    [told] = [reason for reason in of_job(process, "mail").reasons if reason.code is Code.NO_WORKER]

    assert told.text.startswith("1000 runs or more are queued; the first is run ")
