"""What a pass of the watchdog found, and the events that tell of it."""

from collections.abc import Callable, Mapping
from datetime import datetime

from msgspec import Struct

from rota.core.events import FreshnessChanged, ScheduleFresh, ScheduleLate, ScheduleStale
from rota.core.freshness import WORSE, Freshness
from rota.core.watched import Watched


class Judged(Struct, frozen=True, kw_only=True):
    """What one pass found."""

    at: datetime
    known_at: datetime
    """When the store last answered: earlier than `at` where it could not be asked."""
    store: str = "ok"
    """Or why it could not be asked."""
    clock: str = ""
    """How the clock was moved, while that keeps the watchdog from calling anything late."""
    pairs: tuple[Watched, ...]
    """All pairs, each in its state at `at`, by schedule and tenant."""
    jobs: Mapping[str, str]
    """The job of each schedule."""
    flips: tuple[FreshnessChanged, ...] = ()
    """What changed in this pass."""

    @property
    def worst(self) -> Freshness:
        """The worst state of any pair."""
        return max((pair.state for pair in self.pairs), key=WORSE.__getitem__, default=Freshness.FRESH)


Tell = Callable[[Judged], None]


KINDS: Mapping[Freshness, type[FreshnessChanged]] = {
    Freshness.LATE: ScheduleLate,
    Freshness.STALE: ScheduleStale,
    Freshness.FRESH: ScheduleFresh,
}


def event_of(
    after: Watched, before: Freshness, job: str, *, reason: str | None = None, is_from_memory: bool = False
) -> FreshnessChanged:
    kind = KINDS.get(after.state, FreshnessChanged)
    if before is Freshness.PAUSED and after.state is Freshness.FRESH:
        # It goes on; nothing has succeeded.
        kind = FreshnessChanged
    return kind(
        job=job,
        schedule=after.schedule,
        tenant=after.tenant,
        before=before,
        after=after.state,
        at=after.flipped_at,
        last_success=after.last_success,
        stale_at=after.stale_at,
        reason=reason,
        is_from_memory=is_from_memory,
    )
