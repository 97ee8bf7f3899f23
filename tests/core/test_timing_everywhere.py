"""Every zone that ever shifted, every kind of expression: what R3 says, forwards and backwards."""

import struct
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.core import zone as zones
from rota.core.kind import Cron
from rota.core.timing import newest_slots, next_slot, slot_before, slots
from tests.core import oracle

YEARS = range(1915, 2090)
NAMES = sorted(name for name in available_timezones() if not name.startswith(("posix", "right", "local", "Factory")))


@cache
def recorded_shifts(name: str) -> list[int]:
    """Return the Unix times at which the offset changes, as the zone's file has them (RFC 9636, second block)."""
    content = files("tzdata").joinpath("zoneinfo", name).read_bytes()
    utc, standard, leaps, times, types, letters = struct.unpack(">6l", content[20:44])
    start = 44 + times * 5 + types * 6 + letters + leaps * 8 + standard + utc
    _, _, _, times, types, _ = struct.unpack(">6l", content[start + 20 : start + 44])
    start += 44
    instants = struct.unpack(f">{times}q", content[start : start + times * 8])
    kinds = content[start + times * 8 : start + times * 9]
    offsets = [offset for offset, _, _ in struct.iter_unpack(">lBB", content[start + times * 9 :][: types * 6])]
    offset_before = [offsets[0], *(offsets[kind] for kind in kinds)]
    return [at for at, kind, before in zip(instants, kinds, offset_before, strict=False) if offsets[kind] != before]


def changes(name: str) -> list[datetime]:
    """Return the instants around which the properties look at this zone."""
    found = [datetime.fromtimestamp(at, UTC) for at in recorded_shifts(name)]
    return [change for change in found if change.year in YEARS] or [datetime(2026, 3, 1, tzinfo=UTC)]


def part(low: int, high: int, *, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Return texts of one cron field, most of them simple."""
    number = st.integers(low, high).map(str)
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda ends: f"{min(ends)}-{max(ends)}")
    step = st.integers(2, max(2, (high - low) // 2)).map(str)
    lists = st.lists(number, min_size=2, max_size=4).map(",".join)
    # A lone range with a step is another case, tested by itself.
    stepped = st.tuples(span.filter(lambda text: len(set(text.split("-"))) == 2), step).map("/".join)
    return st.one_of(
        number, lists, span, stepped, step.map("*/{}".format), st.just("*"), st.sampled_from(names or ("*",))
    )


# Days and months are mostly open, or hardly a case would have a slot near the shift.
EXPRESSIONS = st.tuples(
    part(0, 59),
    st.one_of(part(0, 23), st.sampled_from(["0", "1", "2", "3", "23", "1-3", "0,2"])),
    st.one_of(st.just("*"), st.just("*"), part(1, 28, names=("L", "LW"))),
    st.just("*"),
    st.one_of(st.just("*"), st.just("*"), part(0, 7, names=("MON#1", "SUN#2", "5L", "MON-FRI"))),
).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.data(), EXPRESSIONS)
def test_any_expression_in_any_zone_agrees_with_the_oracle_around_any_shift(data, expression):
    # R2, R3, D5
    name = data.draw(st.sampled_from(NAMES))
    change = data.draw(st.sampled_from(changes(name)))
    before, behind = data.draw(st.tuples(st.integers(0, 30), st.integers(1, 30)))
    after, until = change - timedelta(hours=before, seconds=7), change + timedelta(hours=behind)
    zone = ZoneInfo(name)
    if oracle.has_whole_minutes(zone, change):
        expected = oracle.slots(expression, zone, after=after, until=until)
    else:
        # Offsets with odd seconds ended before 1973, and none of them was set back by hours.
        after, until = change - timedelta(hours=1), change + timedelta(hours=1)
        seconds = {"step": oracle.SECOND, "look_back": timedelta(hours=3)}
        expected = oracle.slots(expression, zone, after=after, until=until, **seconds)
    timing = Cron(expression=expression, tz=name)

    assert list(slots(timing, after=after, until=until)) == expected
    assert newest_slots(timing, after=after, until=until, limit=10_000) == expected
    assert newest_slots(timing, after=after, until=until, limit=2) == expected[-2:]
    if expected:
        assert next_slot(timing, after=after) == expected[0]
        assert slot_before(timing, until + timedelta(microseconds=1)) == expected[-1]


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(NAMES),
    EXPRESSIONS,
    st.datetimes(min_value=datetime(1930, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC)),
    st.integers(1, 60),
)
def test_going_backwards_finds_what_going_forwards_finds(name, expression, after, days):
    # R8: the newest missed slots are found from the end.
    until = after + timedelta(days=days)
    timing = Cron(expression=expression, tz=name)
    few = newest_slots(timing, after=after, until=until, limit=50)
    start = few[0] - timedelta(microseconds=1) if few else after

    assert list(slots(timing, after=start, until=until)) == few
    assert all(earlier < later for earlier, later in pairwise(few))
    for earlier, later in pairwise(few[:4]):
        assert next_slot(timing, after=earlier) == later
        assert slot_before(timing, later) == earlier


def test_no_two_shifts_are_nearer_than_the_search_for_them_assumes():
    # R3: `zone.PROBE`, for every zone and all of its history.
    distances = [later - earlier for name in NAMES for earlier, later in pairwise(recorded_shifts(name))]

    assert len(distances) > 20_000
    assert timedelta(seconds=min(distances)) > zones.PROBE


@pytest.mark.parametrize("name", ["Africa/Freetown", "Asia/Gaza", "Africa/Casablanca", "Europe/Vienna"])
def test_all_shifts_of_a_restless_zone_are_found(name):
    # R3
    for year in (1939, 1943, 1945, 2010, 2026, 2040):
        since, until = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        expected = oracle.shifts(ZoneInfo(name), since=since - timedelta(hours=1), until=until - timedelta(hours=1))

        found = [shift.at.replace(tzinfo=UTC) for shift in zones.shifts(ZoneInfo(name), year)]

        assert found == expected
