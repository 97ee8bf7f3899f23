"""Where claims begin to look on PostgreSQL while an old snapshot is open.

A claim reads its index from the front. There lie the entries of all runs that were queued since the server last could
clear up; a transaction that stays open keeps it from that, and every claim then passes all of them: 30,000 take 6 ms.
So a process remembers how far it has found nothing but dead entries, and begins there.

What it remembers is a hint and may be wrong: a run can come to stand further in front, with an older id or a lower
turn. So it is used only while looks are long, never for the priorities in which nothing was found yet, and not when it
leads to nothing; and every five seconds a claim looks at everything. See decision 8.
"""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rota.clock import SystemClock

LOOK_EVERY = 5.0
"""Seconds after which a claim looks at everything again, and counts what it passed: for so long at most a run that
came to stand in front is passed over by claims that find something behind it. Below one claim in twenty is slow when
there are more than four in a second; and who has time for claims that find nothing looks at everything in those."""

LAG = 0.25
"""How old in seconds what is remembered must be to be used: who enqueues now may have made its ids a moment ago, and a
claim that was rolled back leaves its runs in front."""

LONG = 2000
"""From how many entries on that were passed for nothing a look is long: half a millisecond."""

MOST_PRIORITIES = 4
"""Each costs a claim up to two statements; with more, it looks at everything."""

MOST_FRONTS = 100

# How many entries of the index this connection has passed, as the server counts them for its statistics.
SO_FAR = "pg_stat_get_xact_tuples_returned('{runs}_claim'::regclass)"
PASSED = f"SELECT {SO_FAR}"
# Begins a statement that counts by itself what it passes: it has to read `before.passed` first of all.
COUNTING = f"WITH before AS MATERIALIZED (SELECT {SO_FAR} AS passed)"

LOWEST, HIGHEST = -(2**31), 2**31 - 1

Place = tuple[float, str]
"""Turn and id: the place of a run among those of its priority."""

Key = tuple[str, frozenset[str], frozenset[str]]
"""A queue, and the jobs and tenants that are left alone. Whatever makes one claim pass a run that another may take has
to stand here."""


class Front(Struct, frozen=True, kw_only=True):
    """What is known of the front of one queue. Priorities are as stored: the smallest goes first."""

    used: Mapping[int, Place] = {}
    """Per priority: where to begin."""
    held_back: Mapping[int, Place] = {}
    """The same, not yet old enough."""
    latest: Mapping[int, Place] = {}
    """The last place of each priority that was claimed from."""
    turned_at: float = 0.0
    counted_at: float | None = None
    is_long: bool = False
    is_behind: bool = False
    """The last look at everything was filled by runs in front of where it would have begun: there may be more."""

    def is_due(self, at: float) -> bool:
        """Whether the next look is at everything."""
        return self.counted_at is None or at - self.counted_at >= LOOK_EVERY

    def is_of_use(self, at: float) -> bool:
        """Whether a claim begins where this says."""
        return self.is_long and not self.is_due(at) and not self.is_behind and 0 < len(self.used) <= MOST_PRIORITIES

    def ranges(self) -> Iterator[tuple[str, tuple[int | float | str, ...]]]:
        """Yield conditions with their parameters, in the order of the queue; together they leave out what is dead."""
        before = LOWEST
        for priority, (turn, run_id) in sorted(self.used.items()):
            yield from _between(before, priority - 1)
            yield " AND r.priority = ? AND (r.turn, r.id) >= (?, ?)", (priority, turn, run_id)
            before = priority + 1
        yield from _between(before, HIGHEST)


def _between(first: int, last: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    if first <= last:
        yield " AND r.priority BETWEEN ? AND ?", (first, last)


def after_looking(front: Front, found: Sequence[tuple[int, Place]], *, at: float, of_all: bool, is_full: bool) -> Front:
    """Return the front after a claim that found these runs, in order; `is_full`: there may be more behind them."""
    if of_all:
        front = _after_all(front, found, is_full=is_full)
    latest = dict(front.latest)
    for priority, place in found:
        latest[priority] = max(place, latest.get(priority, place))
    if at - front.turned_at >= LAG:
        return replace(front, latest=latest, used=front.held_back, held_back=latest, turned_at=at)
    return replace(front, latest=latest)


def _after_all(front: Front, found: Sequence[tuple[int, Place]], *, is_full: bool) -> Front:
    if not is_full:
        return replace(front, is_behind=False)
    priority, place = found[-1]
    is_behind = priority in front.used and place < front.used[priority]
    # What it did not reach may have runs in front that nobody has seen.
    reached = [
        {key: told[key] for key in told if key <= priority} for told in (front.used, front.held_back, front.latest)
    ]
    return replace(front, is_behind=is_behind, used=reached[0], held_back=reached[1], latest=reached[2])


class Turn(Struct, frozen=True, kw_only=True):
    """What is known of the turn of one queue."""

    turn: float
    counted_at: float
    is_long: bool


class Fronts:
    """The fronts that one process knows. Each is replaced whole, so that threads need no lock for a hint."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._fronts: dict[Key, Front] = {}
        self._turns: dict[str, Turn] = {}

    def now(self) -> float:
        """Return seconds that only grow."""
        return self._clock.monotonic()

    def of(self, key: Key) -> Front:
        """Return what is known of a queue."""
        return self._fronts.get(key) or Front()

    def learn(self, key: Key, front: Front) -> None:
        """Remember this."""
        if len(self._fronts) >= MOST_FRONTS and key not in self._fronts:
            self._fronts.clear()
        self._fronts[key] = front

    def turn_of_late(self, queue: str) -> Turn | None:
        """Return what is known of the turn of a queue, unless it is time to look again."""
        known = self._turns.get(queue)
        return known if known is not None and self.now() - known.counted_at < LOOK_EVERY else None

    def learn_turn(self, queue: str, turn: Turn) -> None:
        """Remember this."""
        if len(self._turns) >= MOST_FRONTS and queue not in self._turns:
            self._turns.clear()
        self._turns[queue] = turn
