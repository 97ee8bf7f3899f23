"""What a status page shows: every job with its tenants, and how fresh it was on each of the last days (R51)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from rota.core.freshness import Freshness
from rota.core.watched import Flip, Key

WORST_FIRST = (Freshness.STALE, Freshness.LATE, Freshness.FRESH, Freshness.NEW, Freshness.PAUSED)
PROVES = frozenset({Freshness.FRESH, Freshness.LATE, Freshness.STALE})
"""States in which something is expected: time in the others says nothing."""


class Subject(Struct, frozen=True, kw_only=True):
    """What a page is about: a job, or a script outside Rota that pings."""

    name: str
    description: str = ""
    schedules: Mapping[str, str] = {}
    """Its schedules by name, each in words."""
    tags: tuple[str, ...] = ()


class Proof(Struct, frozen=True, kw_only=True):
    """How one schedule stands for one tenant; `tenant` is "" where there is none."""

    schedule: str
    tenant: str
    state: Freshness
    last_success: datetime | None
    """The slot that succeeded last."""
    stale_at: datetime | None
    flipped_at: datetime | None
    """Since when it is in this state, where that is known."""
    failures: int
    """Runs that failed in a row."""

    @property
    def key(self) -> Key:
        return self.schedule, self.tenant


class Day(Struct, frozen=True, kw_only=True):
    """One day of a subject, over all its tenants."""

    start: datetime
    in_time: float | None
    """The share of the time in which nothing was stale, 0 to 1; `None` where nothing was expected."""
    worst: Freshness | None
    """The worst state of that day; `None` where nothing is known of it."""


class Section(Struct, frozen=True, kw_only=True):
    """One subject."""

    subject: Subject
    state: Freshness
    """The worst that any of its tenants is in."""
    proofs: tuple[Proof, ...]
    """The worst first, then by who is stale longest."""
    days: tuple[Day, ...]
    """The oldest first."""
    in_time: float | None
    """As of a day, over all of them."""

    @property
    def newest(self) -> datetime | None:
        """The slot that any of its tenants succeeded with last."""
        return max((proof.last_success for proof in self.proofs if proof.last_success is not None), default=None)

    def counts(self) -> dict[Freshness, int]:
        """Return how many pairs are in each state that any is in, the worst first."""
        found = Counter(proof.state for proof in self.proofs)
        return {state: found[state] for state in WORST_FIRST if found[state]}


class Board(Struct, frozen=True, kw_only=True):
    """All subjects, the worst first."""

    at: datetime
    """When it was judged: whoever reads it later sees how old it is."""
    next_at: datetime
    """When it will have been judged anew, if the watchdog lives."""
    sections: tuple[Section, ...]
    warning: str = ""
    """What is wrong with the board itself: it was judged from what was known last."""

    @property
    def state(self) -> Freshness:
        """The worst of all; `new` where there is nothing."""
        return worst(section.state for section in self.sections) or Freshness.NEW

    def count(self, state: Freshness) -> int:
        """Return how many pairs are in this state."""
        return sum(section.counts().get(state, 0) for section in self.sections)


def worst(states: Iterable[Freshness]) -> Freshness | None:
    """Return the worst of some states, None of none."""
    return min(states, key=WORST_FIRST.index, default=None)


def board(
    subjects: Iterable[Subject],
    proofs: Iterable[Proof],
    flips: Iterable[Flip],
    *,
    edges: Sequence[datetime],
    now: datetime,
    next_at: datetime,
    warning: str = "",
) -> Board:
    """Return what there is to show.

    `edges` are the first instants of the days, oldest first; the last day ends `now`. `flips` are all since the
    first of them. A pair of no known subject has none: its schedule is gone.
    """
    of_schedule = {name: subject.name for subject in subjects for name in subject.schedules}
    mine: dict[str, list[Proof]] = {}
    for proof in proofs:
        if proof.schedule in of_schedule:
            mine.setdefault(of_schedule[proof.schedule], []).append(proof)
    history: dict[Key, list[Flip]] = {}
    for flip in sorted(flips, key=lambda flip: flip.at):
        history.setdefault((flip.schedule, flip.tenant), []).append(flip)
    sections = [_section(subject, mine.get(subject.name, []), history, edges=[*edges, now]) for subject in subjects]
    sections.sort(key=lambda section: (WORST_FIRST.index(section.state), section.subject.name))
    return Board(at=now, next_at=next_at, sections=tuple(sections), warning=warning)


def public(whole: Board, *, tags: Iterable[str]) -> Board:
    """Return what anybody may see of a board: subjects with one of these tags, without tenants (T49)."""
    shown = frozenset(tags)
    return replace(
        whole,
        sections=tuple(
            replace(section, subject=replace(section.subject, tags=()), proofs=tuple(map(_nameless, section.proofs)))
            for section in whole.sections
            if not shown.isdisjoint(section.subject.tags)
        ),
        warning="This page was made from what was known last." if whole.warning else "",
    )


def _nameless(proof: Proof) -> Proof:
    return replace(proof, tenant="", failures=0)


def _section(
    subject: Subject, proofs: Sequence[Proof], history: Mapping[Key, Sequence[Flip]], *, edges: Sequence[datetime]
) -> Section:
    days = _days(proofs, history, edges=edges)
    known = [day for day in days if day.in_time is not None]
    return Section(
        subject=subject,
        state=worst(proof.state for proof in proofs) or Freshness.NEW,
        proofs=tuple(sorted(proofs, key=_urgency)),
        days=tuple(days),
        in_time=sum(day.in_time or 0.0 for day in known) / len(known) if known else None,
    )


def _urgency(proof: Proof) -> tuple[int, bool, datetime | None, str, str]:
    # Two that have no such instant are told apart by their names before it comes to comparing it.
    since = proof.stale_at
    return WORST_FIRST.index(proof.state), since is None, since, proof.schedule, proof.tenant


class _Sum:
    """The time of one day, by state, over all pairs."""

    def __init__(self) -> None:
        self.spent: dict[Freshness, float] = {}

    def add(self, state: Freshness, time: timedelta, *, pairs: int = 1) -> None:
        self.spent[state] = self.spent.get(state, 0.0) + time.total_seconds() * pairs

    def day(self, start: datetime) -> Day:
        met = [state for state, spent in self.spent.items() if spent > 0]
        expected = sum(self.spent[state] for state in met if state in PROVES)
        in_time = 1 - self.spent.get(Freshness.STALE, 0.0) / expected if expected else None
        return Day(start=start, in_time=in_time, worst=worst(met))


def _days(proofs: Sequence[Proof], history: Mapping[Key, Sequence[Flip]], *, edges: Sequence[datetime]) -> list[Day]:
    spans = [(start, end) for start, end in pairwise(edges) if start < end]
    sums = [_Sum() for _ in spans]
    steady: dict[Freshness, int] = {}
    for proof in proofs:
        flips = history.get(proof.key)
        if flips:
            _add_flipping(sums, spans, proof, flips)
        elif proof.flipped_at is None or proof.flipped_at <= edges[0]:
            # Most pairs of most days: all their time is counted at once.
            steady[proof.state] = steady.get(proof.state, 0) + 1
        else:
            _add_span(sums, spans, proof.state, proof.flipped_at, edges[-1])
    for state, pairs in steady.items():
        for total, (start, end) in zip(sums, spans, strict=True):
            total.add(state, end - start, pairs=pairs)
    return [total.day(start) for total, (start, _) in zip(sums, spans, strict=True)]


def _add_flipping(
    sums: Sequence[_Sum], spans: Sequence[tuple[datetime, datetime]], proof: Proof, flips: Sequence[Flip]
) -> None:
    since, state = spans[0][0], flips[0].before
    for flip in flips:
        _add_span(sums, spans, state, since, flip.at)
        since, state = max(since, flip.at), flip.after
    _add_span(sums, spans, proof.state, since, spans[-1][1])


def _add_span(
    sums: Sequence[_Sum],
    spans: Sequence[tuple[datetime, datetime]],
    state: Freshness,
    since: datetime,
    until: datetime,
) -> None:
    for total, (start, end) in zip(sums, spans, strict=True):
        time = min(until, end) - max(since, start)
        if time > timedelta(0):
            total.add(state, time)
