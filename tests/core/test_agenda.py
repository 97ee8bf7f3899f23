"""The slots of a schedule in several zones, and what becomes of it when it is edited."""

from datetime import UTC, datetime, timedelta

import pytest

from rota.core import editing
from rota.core.agenda import agenda, agenda_of, names_slot, zones_of
from rota.core.catchup import due_slots
from rota.core.definition import Definition, is_edited
from rota.core.model import Origin, Schedule, ScheduleState, Tenant
from rota.core.policy import CatchUp
from rota.core.words import parse
from tests.values import DAY, HOUR, MINUTE, NOON, a_schedule

NINE = parse("daily at 09:00 tenant")
ZONES = ("America/New_York", "Asia/Tokyo", "Europe/Berlin")
TENANTS = [
    Tenant(id="acme", tz="Europe/Berlin"),
    Tenant(id="globex", tz="America/New_York"),
    Tenant(id="hooli", tz="Asia/Tokyo"),
    Tenant(id="nowhere", tz="Moon/Crater"),
    Tenant(id="unsaid"),
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_row(**fields: object) -> Schedule:
    """Return a schedule as this library writes it."""
    row = a_schedule(**{"timing": "daily at 03:00", "origin": Origin.ROW, "next_at": NOON + 15 * HOUR} | fields)
    return Definition.of(row).given_to(row)


def test_slots_in_the_zone_of_the_tenant_are_those_of_all_their_zones():  # R15
    nine = agenda(NINE, ZONES)

    found = nine.first_slots(after=utc("2026-06-01T00:00"), until=utc("2026-06-03T00:00"), limit=4)

    assert [f"{slot:%d %H:%M}" for slot in found] == ["01 07:00", "01 13:00", "02 00:00", "02 07:00"]


def test_zones_with_the_same_offset_share_a_slot():  # R15
    nine = agenda(NINE, ("Europe/Berlin", "Europe/Paris"))

    found = nine.newest_slots(after=utc("2026-06-01T00:00"), until=utc("2026-06-04T00:00"), limit=2)

    assert [f"{slot:%d %H:%M}" for slot in found] == ["02 07:00", "03 07:00"]
    assert nine.slot_before(found[0]) == found[0] - DAY


def test_a_slot_is_only_for_the_tenants_in_whose_zone_it_lies():  # R15
    slot = utc("2026-06-01T07:00")

    assert [tenant.id for tenant in TENANTS if names_slot(NINE, tenant, slot, default="UTC")] == ["acme"]
    default = [tenant.id for tenant in TENANTS if names_slot(NINE, tenant, utc("2026-06-01T09:00"), default="UTC")]
    assert default == ["nowhere", "unsaid"]


def test_the_zones_of_a_schedule_are_those_of_the_tenants_it_is_for():  # R15
    every = a_schedule(timing=str(NINE))
    few = a_schedule(timing=str(NINE), tenants=("acme", "unsaid", "globex"), exclude=("globex",))

    assert zones_of(every, TENANTS, default="UTC") == (*ZONES, "UTC")
    assert zones_of(few, TENANTS, default="UTC") == ("Europe/Berlin", "UTC")


def test_without_a_tenant_yet_there_is_no_slot():  # R15
    due = due_slots(agenda(NINE, ()), CatchUp.all(), after=NOON, now=NOON + DAY)

    assert (due.slots, due.next_at) == ((), None)


def test_across_a_change_of_the_clocks_each_zone_keeps_its_own_time():  # R3, R15
    nine = agenda(NINE, ("America/New_York", "Europe/Berlin"))

    # New York goes forward on 8 March, Berlin on 29 March.
    found = [f"{slot:%d %H:%M}" for slot in nine.slots(after=utc("2026-03-07T23:00"), until=utc("2026-03-08T23:00"))]

    assert found == ["08 08:00", "08 13:00"]


def test_one_time_in_the_zone_of_the_tenant_has_one_slot_per_zone():  # R15
    once = agenda(parse("at 2026-06-01T09:00 tenant"), ZONES).once

    assert once == (utc("2026-06-01T00:00"), utc("2026-06-01T07:00"), utc("2026-06-01T13:00"))


def test_an_edit_of_the_time_counts_from_now_on_and_one_of_a_policy_leaves_what_was_missed():  # R5
    known = a_row(cursor=NOON - DAY, next_at=NOON - 9 * HOUR)
    other = Definition.of(known)
    hourly = Definition.of(a_row(timing="every hour"))

    policy = editing.edited(
        known, Definition.of(a_row(catch_up=CatchUp.all())), agenda_of(known), zones=(), now=NOON
    )  # fmt: skip
    time = editing.edited(known, hourly, agenda(parse("every hour"), ()), zones=(), now=NOON)

    assert (policy.cursor, policy.next_at, policy.catch_up) == (known.cursor, known.next_at, CatchUp.all())
    assert (time.cursor, time.next_at) == (NOON, NOON + HOUR)
    assert other != Definition.of(policy) and not is_edited(time) and not is_edited(policy)


@pytest.mark.parametrize("state", [ScheduleState.BROKEN, ScheduleState.ORPHANED, ScheduleState.ACTIVE])
def test_an_edit_wakes_what_was_broken(state):  # R5
    known = a_row(state=state, reason="because")

    changed = editing.edited(known, Definition.of(known), agenda_of(known), zones=(), now=NOON)

    assert changed.state is ScheduleState.ACTIVE


def test_an_edit_leaves_a_paused_schedule_paused():  # R12
    known = a_row(state=ScheduleState.PAUSED, reason="migration")
    hourly = Definition.of(a_row(timing="every hour"))

    changed = editing.edited(known, hourly, agenda(parse("every hour"), ()), zones=(), now=NOON)

    assert (changed.state, changed.reason) == (ScheduleState.PAUSED, "migration")


def test_a_row_that_was_edited_with_sql_is_noticed_by_its_fingerprint():  # R5
    row = a_row()

    assert not is_edited(row)
    assert is_edited(a_schedule(fingerprint=row.fingerprint, timing="daily at 04:00"))
    assert not is_edited(a_schedule(fingerprint=""))
    assert not is_edited(a_schedule(fingerprint="0123456789abcdef0123456789abcdef"))


def test_an_override_stays_when_the_code_changes_and_goes_when_it_says_the_same():  # R5
    code = a_row(origin=Origin.CODE)
    own = Definition.of(a_row(timing="every hour"))
    known = editing.edited(code, own, agenda(parse("every hour"), ()), zones=(), now=NOON)
    assert known.declared == Definition.of(code).written
    newer = a_row(origin=Origin.CODE, timing="daily at 05:00")

    kept = editing.declared(known, newer, now=NOON)

    assert kept is not None
    assert (kept.timing, kept.cursor, kept.next_at) == ("every hour", known.cursor, known.next_at)
    assert Definition.read(kept.declared or "").timing == "daily at 05:00"
    back = editing.edited(kept, Definition.of(newer), agenda_of(newer), zones=(), now=NOON + MINUTE)
    assert (back.declared, back.timing) == (None, "daily at 05:00")


def test_a_declaration_with_fields_of_a_newer_version_can_be_read():  # R71
    text = Definition.of(a_row()).written.replace("{", '{"holidays":"DE",', 1)

    assert Definition.read(text) == Definition.of(a_row())


def test_a_pass_of_a_minute_schedule_that_slept_a_year_costs_no_year():  # R8
    minutely = agenda(parse("* * * * *"), ())

    due = due_slots(minutely, CatchUp.latest(), after=NOON - timedelta(days=365), now=NOON)

    assert due.slots == (NOON,)
    assert (due.skipped_from, due.skipped_until) == (NOON - timedelta(days=365) + MINUTE, NOON - MINUTE)
