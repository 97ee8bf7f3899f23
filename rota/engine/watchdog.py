"""Finds what has not succeeded in time, and tells: the one service that notices what did not happen (R51)."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.events import ClockStepped, FreshnessChanged
from rota.core.expecting import Expecting, Situation
from rota.core.freshness import GRACE
from rota.core.watched import Key, Turn, Watched, is_worse, survey, turned
from rota.engine.bus import Bus
from rota.engine.judged import Judged, Tell, event_of
from rota.engine.last_known import Fallback, Known
from rota.engine.rulebook import Rulebook
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.queries import PairQuery

log: logging.Logger = logging.getLogger(__name__)

STEP = timedelta(seconds=30)
"""A clock that is off by more against the monotonic one was moved."""
HOLD = GRACE
"""How long after that nothing is called late: schedules fire by the new time first."""
AFRESH = timedelta(hours=1)
"""How often everything is compared with what is expected, also where nothing seems to have changed."""
BATCH = 1000
"""Pairs that are written in one transaction."""
HELD_BATCH = 100_000
"""Pairs that are looked at in one pass while only good news is written."""
SHARE = 50
"""What is known is written down again only after so many times as long as reading it took: at most 2 % of the time."""


class Watchdog:
    """Judges pairs when their time comes, and tells when their state changes: once, whoever else watches.

    Any number may run: a flip that another one has made is refused by the store. It remembers nothing that matters;
    with a `Fallback` it goes on from what was known last while the store is away.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        rulebook: Rulebook,
        every: timedelta,
        keep_flips: timedelta,
        keep_pings: timedelta,
        fallback: Fallback | None = None,
        tell: Sequence[Tell] = (),
    ) -> None:
        """`tell` is given what each pass found, for pages and files; it reads all pairs, so none costs least."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._rulebook = rulebook
        self._every = every
        self._keep_flips = keep_flips
        self._keep_pings = keep_pings
        self._fallback = fallback
        self._tell = tuple(tell)
        self._seen: _Seen | None = None
        self._expecting: Expecting | None = None
        self._afresh_at: datetime | None = None
        self._beat: tuple[datetime, float] | None = None
        self._hold: tuple[str, float] | None = None
        self._write_after = 0.0
        self.good_at: datetime | None = None
        """When the last pass was that had an answer of the store, and believed its clock."""

    def tick(self, now: datetime) -> timedelta:
        self.look(now)
        return self._every

    def look(self, now: datetime, *, is_whole: bool = False) -> Judged | None:
        """Do one pass, and return what it found where anybody asks: with `is_whole`, or to `tell`.

        Raises:
            StoreUnavailable: and nothing is known from before.
        """
        self._notice_steps(now)
        try:
            flips = self._judge(now)
            judged = self._whole(now, flips) if is_whole or self._is_told(now) else None
        except StoreUnavailable as error:
            if self._fallback is None:
                raise
            judged = self._fallback.judge(now, error, clock=self._moved)
        else:
            self.good_at = now if self._hold is None else self.good_at
        if judged is not None:
            if self._fallback is not None:
                self._fallback.remember(judged)
            for tell in self._tell:
                tell(judged)
        return judged

    # --- judging ---

    def _judge(self, now: datetime) -> list[FreshnessChanged]:
        situation = self._rulebook.situation(now)
        expecting = Expecting(situation)
        seen = _Seen(situation)
        is_due = self._afresh_at is None or now >= self._afresh_at or now < self._afresh_at - AFRESH
        changed = None if is_due or self._seen is None else seen.changed_since(self._seen)
        flips = self._survey(expecting, changed, now)
        # Only now: what was not written is found again.
        self._seen, self._expecting = seen, expecting
        if is_due:
            self._afresh_at = now + AFRESH
            self._prune(now)
        return [*flips, *self._looks(expecting, now)]

    def _survey(self, expecting: Expecting, names: frozenset[str] | None, now: datetime) -> list[FreshnessChanged]:
        """Compare what is watched with what should be: of these schedules, or of all."""
        if names is not None and not names:
            return []
        query = PairQuery() if names is None else PairQuery(schedules=tuple(sorted(names)))
        stored: dict[str, dict[Key, Watched]] = {}
        for pair in self._store.freshness.pairs(query):
            stored.setdefault(pair.schedule, {})[pair.key] = pair
        turns: list[Turn] = []
        for name in sorted({*expecting.names, *stored} if names is None else names):
            known = stored.get(name, {})
            wanted = list(expecting.of(name, known=[tenant for _, tenant in known]))
            successes = self._successes(name) if any(one.key not in known for one in wanted) else {}
            turns += survey(wanted, known, successes=successes.get, now=now, new_id=self._clock.new_id)
        return self._write(turns, expecting)

    def _successes(self, name: str) -> dict[Key, datetime | None]:
        return {(one.schedule, one.tenant): one.last_success for one in self._store.progress(schedule=name)}

    def _looks(self, expecting: Expecting, now: datetime) -> list[FreshnessChanged]:
        """Judge the pairs whose time has come."""
        flips: list[FreshnessChanged] = []
        limit = BATCH if self._hold is None else HELD_BATCH
        while due := self._store.freshness.looks(now=now, limit=limit):
            turns = [turn for pair in due if (turn := self._turn(pair, expecting, now)) is not None]
            flips += self._write(turns, expecting)
            if len(due) < limit or self._hold is not None:
                # Held back, bad news stays due: it would be found for ever.
                break
        return flips

    def _turn(self, pair: Watched, expecting: Expecting, now: datetime) -> Turn | None:
        wanted = expecting.pair(*pair.key)
        if wanted is None:
            return Turn(before=pair, after=None)
        return turned(pair, wanted, now=now, new_id=self._clock.new_id)

    def _write(self, turns: Iterable[Turn], expecting: Expecting) -> list[FreshnessChanged]:
        """Write what becomes of pairs, and tell what others did not."""
        wanted = [turn for turn in turns if self._hold is None or not is_worse(turn)]
        flips: list[FreshnessChanged] = []
        for first in range(0, len(wanted), BATCH):
            some = wanted[first : first + BATCH]
            applied = set(self._store.freshness.turn(some))
            flips += [
                event_of(turn.after, turn.flip.before, expecting.job_of(turn.flip.schedule), reason=turn.flip.reason)
                for turn in some
                if turn.flip is not None and turn.after is not None and turn.after.key in applied
            ]
        for flip in flips:
            self._bus.publish(flip)
        return flips

    def _prune(self, now: datetime) -> None:
        self._store.freshness.prune(flips_before=now - self._keep_flips, pings_before=now - self._keep_pings)

    # --- the clock ---

    def _notice_steps(self, now: datetime) -> None:
        """Call nothing late for a while after the clock was moved: by the new time everything may look so (H8)."""
        monotonic = self._clock.monotonic()
        before, by = self._beat, timedelta(0)
        self._beat = now, monotonic
        if before is not None:
            by = (now - before[0]) - timedelta(seconds=monotonic - before[1])
        elif self._known is not None and self._known.checked_at > now + STEP:
            # It was moved back while no watchdog ran; forward cannot be told from time that passed.
            by = now - self._known.checked_at
        if abs(by) > STEP:
            said = f"the clock moved by {'+' if by > timedelta(0) else '-'}{abs(by)}"
            self._hold = said, monotonic + HOLD.total_seconds()
            self._afresh_at = None
            log.warning("%s: nothing is called late or stale for %s", said, HOLD)
            self._bus.publish(ClockStepped(by=by))
        elif self._hold is not None and monotonic >= self._hold[1]:
            self._hold = None
            self._afresh_at = None

    # --- what is known ---

    @property
    def _known(self) -> Known | None:
        return None if self._fallback is None else self._fallback.known

    @property
    def _moved(self) -> str:
        return self._hold[0] if self._hold is not None else ""

    def _is_told(self, now: datetime) -> bool:
        if self._tell:
            return True
        if self._fallback is None:
            return False
        known = self._known
        return known is None or now < known.known_at or self._clock.monotonic() >= self._write_after

    def _whole(self, now: datetime, flips: Sequence[FreshnessChanged]) -> Judged:
        assert self._expecting is not None
        began = self._clock.monotonic()
        pairs = tuple(self._store.freshness.pairs())
        judged = Judged(
            at=now,
            known_at=now,
            clock=self._moved,
            pairs=pairs,
            jobs={pair.schedule: self._expecting.job_of(pair.schedule) for pair in pairs},
            flips=tuple(flips),
        )
        self._write_after = self._clock.monotonic() + SHARE * (self._clock.monotonic() - began)
        return judged


class _Seen:
    """A situation as far as it changes what is watched, for each schedule."""

    def __init__(self, situation: Situation) -> None:
        self._situation = situation
        self._versions = {one.name: (one.version, one.state) for one in situation.schedules}

    def changed_since(self, before: "_Seen") -> frozenset[str] | None:
        """Return the schedules for which something else may be expected now; None: all."""
        now, then = self._situation, before._situation
        if (now.paused_jobs, now.paused_queues, now.paused_tenants, now.shadows) != (
            then.paused_jobs, then.paused_queues, then.paused_tenants, then.shadows,
        ):  # fmt: skip
            return None
        if now.tenants is not then.tenants and now.tenants != then.tenants:
            return None
        names = {*self._versions, *before._versions}
        return frozenset(name for name in names if self._versions.get(name) != before._versions.get(name))
