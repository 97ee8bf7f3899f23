"""Every reason why something does not run is told in the situation in which it is so (R11, R36)."""

import re
import shlex
from zoneinfo import ZoneInfo

import msgspec
import pytest

from rota import Tenant, every
from rota.errors import TenantNotFound
from rota.queries import RoundQuery
from rota.views.why import Code, ask_run
from tests.engine.gates import import_and_report
from tests.engine.house import driven
from tests.hosts.values import is_command
from tests.values import HOUR, MINUTE, NOON, SECOND, a_run, claim, found
from tests.views import situations, situations_begun
from tests.views.house import SITUATIONS, Source, a_process, alive, at, of_job, of_schedule

TO_TYPE = re.compile(r"rota [^,A-Z.]+")
"""One command, with nothing left for the reader to fill in."""


def test_every_reason_has_a_situation():
    assert set(SITUATIONS) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_the_reason_is_told_in_its_situation(code):  # R10, R11, R12, R13, R24, R25, R36
    why, text = SITUATIONS[code]()

    told = [reason for reason in why.reasons if reason.code is code]
    assert len(told) >= 1, why.reasons
    assert any(text in reason.text for reason in told), [reason.text for reason in told]
    # What is to be typed as it stands is a command.
    assert all(is_command(shlex.split(one.fix)[1:]) for one in told if one.fix and TO_TYPE.fullmatch(one.fix))
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

    assert told.text.startswith("1,000 runs or more are queued; the first is run ")


def test_a_tenant_that_nobody_knows_is_not_found_with_the_close_names():  # R14
    process = a_process()

    with pytest.raises(TenantNotFound, match="did you mean 'acme'"):
        of_job(process, tenant="acmee")
    with pytest.raises(TenantNotFound):
        of_schedule(process, "sync", tenant="nope", slot=at(11))


def test_a_tenant_whose_source_is_away_is_not_called_unknown():
    source = Source("acme")
    process = a_process(tenants=source)
    source.is_away = True
    process.clock.tick(HOUR)

    assert of_job(process, tenant="nope").reasons[0].code is Code.TENANTS_NOT_LISTED


def test_a_one_time_schedule_that_failed_is_mended_by_a_retry_of_its_round():  # R7, R11
    process = a_process({"acme"})
    situations.once(process, "late", fails=True)

    [failed] = process.app.store.rounds(RoundQuery(schedule="late"))
    [told] = [one for one in of_schedule(process, "late").reasons if one.code is Code.SCHEDULE_FAILED]
    assert told.fix == f"rota retry {failed.id}"


def test_a_schedule_in_the_zone_of_the_tenant_is_said_so_once_for_all_zones():  # R15
    tenants = [Tenant(id="acme", tz="Europe/Paris"), Tenant(id="globex", tz="Asia/Tokyo"), Tenant(id="hooli")]
    process = a_process(tenants=tenants, policy={"schedule": every().day.at("09:00", tz="tenant")})

    [of_all] = of_job(process, count=3).schedules
    [of_one] = of_job(process, tenant="acme").schedules

    assert of_all.text == of_one.text == "daily at 09:00, in the zone of the tenant"
    assert [slot.slot.hour for slot in of_all.slots] == [0, 7, 9]
    assert [slot.slot.hour for slot in of_one.slots] == [7]


def test_a_schedule_that_is_new_has_not_run_yet():
    process = a_process()
    alive(process)

    [told] = of_job(process).reasons

    assert (told.code, told.text) == (Code.FINE, "sync has not run yet: next at 2026-06-01 13:00 UTC (in 1h)")


def test_of_a_run_whose_start_is_not_known_it_is_not_said_that_it_waits():
    process = a_process()
    run = situations_begun.claimed(process)
    process.clock.tick(5 * SECOND)

    told = ask_run(process.app, run).reasons[-1]

    assert run.started_at is None
    assert told.text == "worker host-1 (pid 4711) has it since 2026-06-01 12:00 UTC (5.0s), attempt 1 of 1"


def test_times_are_told_in_the_zone_that_was_asked_for():
    process = a_process({"acme"})
    process.advance(HOUR)

    why = of_job(process, tenant="acme", slot=at(13), zone=ZoneInfo("Asia/Tokyo"))

    assert why.subject == "slot 2026-06-01 22:00 JST of sync for acme"
    assert "slot 2026-06-01 22:00 JST: it failed at 2026-06-01 22:00" in why.reasons[0].text
    assert why.reasons[0].facts["slot"] == at(13)


def test_what_a_run_waits_for_is_told_in_that_zone_too():  # R11
    process = driven(tenants=["acme"])(import_and_report([], {"acme"}))
    process.advance(HOUR)
    process.advance(30 * MINUTE)

    why = of_job(process, "report", zone=ZoneInfo("Asia/Tokyo"))

    [blocked] = [reason for reason in why.reasons if reason.code is Code.DEPENDS]
    assert "in its slot 2026-06-01 22:00 JST" in blocked.text and "UTC" not in blocked.text


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"running": 1}, "--running N"),
        ({"rate": "1/1m"}, "--rate N/1m"),
        ({"running": 1, "rate": "9/1h"}, "--running N --rate N/1h"),
    ],
)
def test_who_is_held_back_by_a_limit_is_told_which_number_of_it_to_raise(limit, said):  # R35
    process = a_process()
    alive(process)
    process.app.limit(job="mail", **limit)
    first, second = (a_run(job="mail") for _ in range(2))
    process.app.store.enqueue([first, second], now=process.clock.now())
    claim(process.app.store, limits=process.app.limits.holding(), now=process.clock.now())

    [told] = ask_run(process.app, found(process.app.store, second.id)).reasons

    assert told.fix == f"rota limits set job mail {said} --reason WHY"
