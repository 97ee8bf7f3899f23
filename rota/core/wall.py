"""The wall clock: which local times a schedule names, before any zone is thought of."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta

from msgspec import Struct

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


class Wall(Struct, frozen=True, kw_only=True):
    """The local times that a schedule names: some days, and on each of them the same times."""

    matches: Callable[[date], bool]
    """Whether this day is one of them, given that its month is."""
    months: frozenset[int]
    minutes: tuple[int, ...]
    """Minutes since midnight, ascending."""
    seconds: tuple[int, ...]
    """Seconds within each of those minutes, ascending."""
    fixed: bool
    """Whether these are fixed times, each to be kept once, or a pattern that follows the clock (R3)."""

    def ascending(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the local times from `low` to before `high`, earliest first."""
        day = low.date()
        while day <= high.date():
            if day.month not in self.months:
                day = (day.replace(day=1) + 32 * DAY).replace(day=1)
                continue
            if self.matches(day):
                midnight = datetime.combine(day, time())
                skipped = bisect_left(self.minutes, (low - midnight) // MINUTE)
                for minute in self.minutes[skipped:]:
                    at_minute = midnight + minute * MINUTE
                    if at_minute >= high:
                        return
                    for second in self.seconds:
                        moment = at_minute + timedelta(seconds=second)
                        if low <= moment < high:
                            yield moment
            day += DAY

    def descending(self, low: datetime, high: datetime) -> Iterator[datetime]:
        """Yield the local times from `low` to before `high`, latest first."""
        day = high.date()
        while day >= low.date():
            if day.month not in self.months:
                day = day.replace(day=1) - DAY
                continue
            if self.matches(day):
                midnight = datetime.combine(day, time())
                kept = bisect_right(self.minutes, (high - midnight) // MINUTE)
                for minute in reversed(self.minutes[:kept]):
                    at_minute = midnight + minute * MINUTE
                    if at_minute + MINUTE <= low:
                        return
                    for second in reversed(self.seconds):
                        moment = at_minute + timedelta(seconds=second)
                        if low <= moment < high:
                            yield moment
            day -= DAY
