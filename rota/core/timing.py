"""When a schedule is due: the slots that a timing names.

A slot follows from the timing alone, never from "now plus a period" (R1). Times go in aware and come out in UTC;
a naive one is a ValueError. Where a timing's zone is `tenant`, it is given one first, with `in_zone`.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from rota.core import cron
from rota.core.daylight import backward, forward, instant_of
from rota.core.kind import Calendar, Cron, Interval, Once, Timing, Unit
from rota.core.wall import Wall
from rota.core.zone import FIRST, LAST, MEMORY, TENANT, zone_named

# Instants are naive UTC in here, see `zone`.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_TICK = timedelta.resolution


def next_slot(timing: Timing, *, after: datetime, key: str = "") -> datetime | None:
    """Return the first slot strictly after `after`, in UTC; None when there is none any more.

    `key` is what H fields are hashed from: schedule and tenant. Without one each has its first value. Also when `after`
    lies in the second pass of a repeated hour, the answer is later than it (R3).

    Raises:
        ValueError: `after` is naive.
        BadSchedule: the timing's zone is `tenant`; give it one with `in_zone`.
    """
    return _first(_up(timing, _naive(after) + _TICK, LAST, key))


def is_spread(timing: Timing) -> bool:
    """Return whether H fields spread the runs of a slot over the range of the field (R2)."""
    return isinstance(timing, Cron) and cron.is_hashed(timing.expression)


def slot_before(timing: Timing, at: datetime, *, key: str = "") -> datetime | None:
    """Return the newest slot strictly before `at`, in UTC; None when there is none. Raises as `next_slot` does."""
    return _first(_down(timing, FIRST, _naive(at), key))


def slots(timing: Timing, *, after: datetime, until: datetime, key: str = "") -> Iterator[datetime]:
    """Yield the slots in (after, until], oldest first, found as they are asked for. Raises as `next_slot`, at once."""
    return map(_aware, _up(timing, _naive(after) + _TICK, _naive(until) + _TICK, key))


def newest_slots(timing: Timing, *, after: datetime, until: datetime, limit: int, key: str = "") -> list[datetime]:
    """Return the newest `limit` slots in (after, until], oldest first. Raises as `next_slot` does.

    They are found from the end: a minute schedule that slept for a year costs as much as one that slept an hour.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}; at least 1")
    found = islice(_down(timing, _naive(after) + _TICK, _naive(until) + _TICK, key), limit)
    return [_aware(instant) for instant in found][::-1]


def interval(timing: Timing, *, at: datetime, key: str = "") -> timedelta | None:
    """Return the time from the slot at or after `at` to the one after it; None when there are not two of them."""
    pair = list(islice(_up(timing, _naive(at), LAST, key), 2))
    return pair[1] - pair[0] if len(pair) == 2 else None


def in_zone(timing: Timing, zone: str) -> Timing:
    """Return the timing with `zone` in the place of `tenant`. One that names a zone of its own, or none, stays."""
    if isinstance(timing, Interval) or timing.tz != TENANT:
        return timing
    return replace(timing, tz=zone)


def with_default_zone(timing: Timing, zone: str | None) -> Timing:
    """Return the timing with `zone` where it says none: the default of the place where it is used."""
    if isinstance(timing, Interval) or timing.tz is not None or zone is None:
        return timing
    return replace(timing, tz=zone)


def zone_of(timing: Timing) -> ZoneInfo:
    """Return the zone in which the timing is computed; UTC for an interval.

    Raises:
        BadSchedule: it is `tenant`.
    """
    return zone_named("UTC" if isinstance(timing, Interval) else timing.tz or "UTC", text=str(timing))


def wall_of(timing: Cron | Calendar, key: str = "") -> Wall:
    """Return the local times that the timing names."""
    return cron.wall(timing.expression, key) if isinstance(timing, Cron) else _calendar_wall(timing)


def cron_of(timing: Timing) -> str | None:
    """Return the cron expression that names the same slots, or None when there is none."""
    match timing:
        case Cron():
            return timing.expression
        case Calendar(anchor=None) if timing.n == 1 or timing.unit is Unit.HOUR:
            return _calendar_expression(timing)
        case _:
            return None


def _up(timing: Timing, start: datetime, end: datetime, key: str) -> Iterator[datetime]:
    start, end = max(start, _earliest(timing)), min(end, LAST)
    match timing:
        case Interval():
            return _counted_up(timing, start, end)
        case Once():
            return _once(timing, start, end)
        case _:
            return forward(wall_of(timing, key), zone_of(timing), start, end)


def _down(timing: Timing, start: datetime, end: datetime, key: str) -> Iterator[datetime]:
    start, end = max(start, _earliest(timing)), min(end, LAST)
    match timing:
        case Interval():
            return _counted_down(timing, start, end)
        case Once():
            return _once(timing, start, end)
        case _:
            return backward(wall_of(timing, key), zone_of(timing), start, end)


def _earliest(timing: Timing) -> datetime:
    # Nothing is due before the anchor, so nobody looks there; a day of it is over somewhere before it begins in UTC.
    if isinstance(timing, Calendar) and timing.anchor:
        return datetime.combine(timing.anchor, time()) - MEMORY
    return FIRST


def _once(timing: Once, start: datetime, end: datetime) -> Iterator[datetime]:
    instant = instant_of(timing.at, zone_of(timing))
    return iter([instant] if start <= instant < end else [])


def _counted_up(timing: Interval, start: datetime, end: datetime) -> Iterator[datetime]:
    origin = _naive(timing.anchor) if timing.anchor else _EPOCH
    # Minus, floor, minus: the ceiling, exact for any datetime.
    instant = origin + max(-((origin - start) // timing.every), 0) * timing.every
    while instant < end:
        yield instant
        instant += timing.every


def _counted_down(timing: Interval, start: datetime, end: datetime) -> Iterator[datetime]:
    origin = _naive(timing.anchor) if timing.anchor else _EPOCH
    instant = origin + ((end - _TICK - origin) // timing.every) * timing.every
    while instant >= max(start, origin):
        yield instant
        instant -= timing.every


@lru_cache(maxsize=512)
def _calendar_wall(timing: Calendar) -> Wall:
    hours = range(0, 24, timing.n) if timing.unit is Unit.HOUR else (timing.at.hour,)
    return Wall(
        matches=_day_rule(timing),
        months=frozenset(range(1, 13)),
        minutes=tuple(hour * 60 + timing.at.minute for hour in hours),
        seconds=(timing.at.second,),
        fixed=timing.unit is not Unit.HOUR,
    )


def _day_rule(timing: Calendar) -> Callable[[date], bool]:
    first = timing.anchor or _EPOCH.date()
    if timing.unit is Unit.HOUR:
        return lambda _: True
    if timing.unit is Unit.DAY:
        origin = first.toordinal()
        return lambda day: day >= first and (day.toordinal() - origin) % timing.n == 0
    monday = first.toordinal() - first.weekday()
    return lambda day: (
        day.weekday() in timing.weekdays and day >= first and (day.toordinal() - monday) // 7 % timing.n == 0
    )


def _calendar_expression(timing: Calendar) -> str:
    at = timing.at
    if timing.unit is Unit.HOUR:
        hours, days = "*" if timing.n == 1 else f"*/{timing.n}", "*"
    else:
        # Monday is 0 here and 1 in cron.
        hours = str(at.hour)
        days = ",".join(str((day + 1) % 7) for day in timing.weekdays).replace("1,2,3,4,5", "1-5") or "*"
    return (f"{at.second} " if at.second else "") + f"{at.minute} {hours} * * {days}"


def _first(found: Iterator[datetime]) -> datetime | None:
    instant = next(found, None)
    return None if instant is None else _aware(instant)


def _naive(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError(f"{instant!r} is naive; give a time with a zone")
    return instant.astimezone(UTC).replace(tzinfo=None)


def _aware(instant: datetime) -> datetime:
    return instant.replace(tzinfo=UTC)
