"""Limits (R35): how many runs may run at once, and how many may begin in a while; which hold for a run, and what is
free.

A limit named `*` holds for each job, queue, tenant, key or host apart; one with a name takes its place there. Each of
these is known by its own name: `tenant:acme`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from rota.core.counting import counted
from rota.core.duration import duration_text, parse_duration
from rota.core.model import Run, RunKind
from rota.errors import ConfigurationError

EACH = "*"
"""In place of a name: each one apart."""

PARTS = 1000
"""A window is divided into so many parts; starts within one part are counted together, at its end. So a rate is used in
full but for a thousandth, and a window holds at most so many entries, however high the rate."""

FEW = 8
"""A claim looks for runs behind at least so many limits."""

LONGEST = timedelta(days=31)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

_RATE = re.compile(r"\s*(\d{1,9})\s*/\s*(.+?)\s*")


class LimitScope(StrEnum):
    """What a limit is on; from narrow to wide. A run that several limits hold back waits for the first of these."""

    KEY = "key"
    TENANT = "tenant"
    HOST = "host"
    JOB = "job"
    QUEUE = "queue"


class Rate(Struct, frozen=True, kw_only=True):
    """So many starts in any window of this length."""

    number: int
    per: timedelta

    def __str__(self) -> str:
        return f"{self.number}/{duration_text(self.per)}"


class Limit(Struct, frozen=True, kw_only=True):
    """One limit. With neither number it sets no bounds: for one name, that lifts the limit on each one."""

    scope: LimitScope
    name: str
    running: int | None = None
    """How many runs run at once; a run counts from its claim until it is settled."""
    rate: Rate | None = None
    """How many are claimed in a while."""

    @property
    def known_as(self) -> str:
        """Return its own name: `tenant:acme`."""
        return known_as(self.scope, self.name)

    @property
    def said(self) -> str:
        """Return what it allows, for people: `5 running, 100/1m`."""
        parts = [f"{self.running} running"] if self.running is not None else []
        parts += [str(self.rate)] if self.rate is not None else []
        return ", ".join(parts) or "no limit"


class Place(NamedTuple):
    """The part of a run that limits look at."""

    kind: str
    job: str
    queue: str
    tenant: str | None
    key: str | None
    host: str | None


class LimitUse(Struct, frozen=True, kw_only=True):
    """How one limit is used now."""

    name: str
    """Its own name: `tenant:acme`."""
    running: int = 0
    started: int = 0
    """Starts in its window, where it has a rate."""
    oldest_start: datetime | None = None
    """The first of them: when the window has passed it, one more may begin."""
    aside: int = 0
    """Runs that stand aside for it. Where they were not to be counted, 1 says that there are some."""


def known_as(scope: LimitScope, name: str) -> str:
    """Return the name by which a limit is known on one job, queue, tenant, key or host."""
    return f"{scope}:{name}"


def place_of(run: Run) -> Place:
    """Return the part of a run that limits look at."""
    return Place(run.kind, run.job, run.queue, run.tenant, run.limit_key, run.host)


def parse_rate(text: str) -> Rate:
    """Return the rate that `text` names: `100/1m`, `10/s`.

    Raises:
        ConfigurationError: it names none, none at all may begin, or the window is longer than a month.
    """
    match = _RATE.fullmatch(str(text))
    number, unit = match.groups() if match else ("0", "")
    try:
        per = parse_duration(unit if unit[:1].isdigit() else f"1{unit}")
    except ValueError:
        per = timedelta(0)
    if int(number) < 1 or not timedelta(milliseconds=1) <= per <= LONGEST:
        raise ConfigurationError(
            f"rate={text!r}: write how many in what time, such as 100/1m or 10/s; at least one, in at most "
            f"{duration_text(LONGEST)}"
        )
    return Rate(number=int(number), per=per)


def parse_limit(scope: LimitScope, name: str, text: str) -> Limit:
    """Return the limit that a setting writes: `5`, `100/1m`, both as `5 100/1m`, or `none`.

    Raises:
        ConfigurationError: it cannot be kept, or is not understood.
    """
    running: int | None = None
    rate: Rate | None = None
    words = text.split()
    for word in words if words != ["none"] else ():
        if "/" in word and rate is None:
            rate = parse_rate(word)
        elif word.isdecimal() and len(word) <= 9 and running is None:
            running = int(word)
        else:
            words = []
    if not words:
        raise ConfigurationError(
            f"limit {scope} {name!r}: {text!r} is none; write how many may run, such as 5, a rate, such as 100/1m, or "
            "both; none lifts it"
        )
    return checked(Limit(scope=scope, name=name, running=running, rate=rate))


def checked(limit: Limit) -> Limit:
    """Return a limit that can be kept.

    Raises:
        ConfigurationError: names the limit, and what is wrong with it.
    """
    said = f"limit {limit.scope} {limit.name!r}"
    if not _is_name(limit.name):
        raise ConfigurationError(f"{said}: name what is limited, in at most 255 characters; {EACH!r} is each one apart")
    if limit.running is not None and not _is_number(limit.running):
        raise ConfigurationError(
            f"{said}: running={limit.running!r}, it must be at least 1, and whole; to stop it: rota pause; to lift a "
            "limit: None"
        )
    return limit


def _is_name(said: object) -> bool:
    return isinstance(said, str) and said.strip() != "" and len(said) <= 255


def _is_number(said: object) -> bool:
    return isinstance(said, int) and said >= 1


class Bounds:
    """The limits that hold."""

    def __init__(self, limits: Iterable[Limit]) -> None:
        self._by_scope: dict[LimitScope, dict[str, Limit]] = {}
        for limit in limits:
            self._by_scope.setdefault(limit.scope, {})[limit.name] = limit
        self._scopes = [(scope, list(LimitScope).index(scope)) for scope in LimitScope if scope in self._by_scope]

    def of(self, place: Place) -> list[tuple[str, Limit]]:
        """Return the limits that a run is under, each by its own name, from narrow to wide.

        None for an expansion: it lists tenants, and does not do what the job does.
        """
        if place.kind != RunKind.JOB:
            return []
        found = []
        values = (place.key, place.tenant, place.host, place.job, place.queue)
        for scope, index in self._scopes:
            value = values[index]
            if value is not None and (limit := self._on(scope, value)) is not None:
                found.append((known_as(scope, value), limit))
        return found

    def _on(self, scope: LimitScope, name: str) -> Limit | None:
        named = self._by_scope[scope]
        limit = named.get(name) or named.get(EACH)
        return None if limit is None or (limit.running is None and limit.rate is None) else limit

    def named(self, name: str) -> Limit | None:
        """Return the limit that is known by this name; None where there is none any more."""
        scope, _, value = name.partition(":")
        return self._on(LimitScope(scope), value) if scope in self._by_scope else None

    def names(self, place: Place) -> list[str]:
        """Return the names of the limits that a run is under."""
        return [name for name, _ in self.of(place)]

    @property
    def rates(self) -> list[Limit]:
        """The limits that have a rate, by scope and name."""
        return [
            limit
            for scope in LimitScope
            for _, limit in sorted(self._by_scope.get(scope, {}).items())
            if limit.rate is not None
        ]


class Room:
    """What the limits have free, while a claim chooses. What is chosen is taken from it."""

    def __init__(
        self, bounds: Bounds, *, running: Iterable[tuple[Place, int]], started: Mapping[str, int], now: datetime
    ) -> None:
        """`running`: how many runs of each place run now; `started`: starts within the window of each rate."""
        self._bounds = bounds
        self._now = now
        self._running: Counter[str] = Counter()
        for place, number in running:
            for name in bounds.names(place):
                self._running[name] += number
        self._started = Counter(started)
        self._begun: Counter[str] = Counter()

    def free(self, name: str) -> float:
        """Return how many more runs may begin under the limit of this name: infinitely many where there is none."""
        limit = self._bounds.named(name)
        return float("inf") if limit is None else self._free(name, limit)

    def _free(self, name: str, limit: Limit) -> float:
        of_places = float("inf") if limit.running is None else limit.running - self._running[name]
        of_rate = float("inf") if limit.rate is None else limit.rate.number - self._started[name]
        return max(0, min(of_places, of_rate))

    def stopped_by(self, place: Place) -> str | None:
        """Return the name of the narrowest limit that has no place for this run; None when it may begin."""
        for name, limit in self._bounds.of(place):
            if self._free(name, limit) < 1:
                return name
        return None

    def take(self, place: Place) -> None:
        """Count a run that begins."""
        for name, limit in self._bounds.of(place):
            self._running[name] += 1
            if limit.rate is not None:
                self._started[name] += 1
                self._begun[name] += 1

    def full(self) -> dict[LimitScope, list[str]]:
        """Return the keys, tenants, hosts, jobs and queues under whose limits nothing may begin, sorted."""
        found: dict[LimitScope, list[str]] = {}
        for name in sorted(self._running.keys() | self._started.keys()):
            scope, _, value = name.partition(":")
            if self.free(name) < 1:
                found.setdefault(LimitScope(scope), []).append(value)
        return found

    def starts(self) -> list[tuple[str, datetime, int]]:
        """Return the starts to be written down for the runs that were taken, as (limit, instant, how many), by limit.

        Each counts from that instant until a window later. Only limits with a rate have any.
        """
        return [
            (name, mark(self._now, limit.rate), number)
            for name, number in sorted(self._begun.items())
            if (limit := self._bounds.named(name)) is not None and limit.rate is not None
        ]


def mark(now: datetime, rate: Rate) -> datetime:
    """Return when a start counts as having been: the end of the part of the window in which it is."""
    part = max(rate.per // PARTS, MICROSECOND)
    return EPOCH + -(-(now - EPOCH) // part) * part


def reopened(limits: Sequence[Limit], uses: Iterable[LimitUse], *, now: datetime) -> tuple[list[str], datetime | None]:
    """Return the limits for which runs stand aside that may begin, and when the next of the others opens by time alone.

    A limit that is not there any more is open.
    """
    bounds = Bounds(limits)
    open_, next_at = [], None
    for use in uses:
        if not use.aside:
            continue
        limit = bounds.named(use.name)
        if limit is None or is_open(limit, use):
            open_.append(use.name)
        elif _has_place(limit, use) and limit.rate is not None and use.oldest_start is not None:
            opens_at = max(use.oldest_start + limit.rate.per, now)
            next_at = opens_at if next_at is None else min(next_at, opens_at)
    return open_, next_at


def looked_behind(reopened: Sequence[str], free: int) -> Sequence[str]:
    """Return the limits of which a claim of so many runs takes some that stand aside; each costs it a look."""
    return reopened[: max(FEW, 2 * free)]


def is_open(limit: Limit, use: LimitUse) -> bool:
    """Whether one more run may begin."""
    return _has_place(limit, use) and (limit.rate is None or use.started < limit.rate.number)


def _has_place(limit: Limit, use: LimitUse) -> bool:
    return limit.running is None or use.running < limit.running


def held_back(limit: Limit, use: LimitUse) -> str:
    """Return how a limit is used, for people: `5 of 5 running`, `100 of 100 starts in 1m`."""
    parts = []
    if limit.running is not None:
        parts.append(f"{use.running} of {limit.running} running")
    if limit.rate is not None:
        parts.append(f"{use.started} of {counted(limit.rate.number, 'start')} in {duration_text(limit.rate.per)}")
    return ", ".join(parts) or "no limit any more"


def merged(declared: Iterable[Limit], set_: Iterable[Limit]) -> tuple[Limit, ...]:
    """Return the limits that hold: what operators set takes the place of what the code declares on the same."""
    by_name = {limit.known_as: limit for limit in declared} | {limit.known_as: limit for limit in set_}
    return tuple(by_name[name] for name in sorted(by_name))
