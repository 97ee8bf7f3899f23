"""Limits (R35): who may be claimed under them, and who stands aside meanwhile, in a state of its own.

What runs is counted from the runs that are running, and what was begun from `rates`, behind a lock that all who claim
under limits take in turn: no counter is kept that a crash could leave wrong.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec.structs import replace

from rota.clock import from_micros, to_micros
from rota.core.limits import EACH, LONGEST, Bounds, Limit, LimitScope, LimitUse, Place, Room, looked_behind, place_of
from rota.core.model import Run, State
from rota.queries import ClaimRequest
from rota.stores.sql import progress
from rota.stores.sql.database import Link, json_of
from rota.stores.sql.rows import RUN, columns, run_of

DEEP = 2000
"""Of how many runs at the front of a queue those are put aside that stand in the way."""

STEPS = 30
"""So many limits for which runs stand aside are asked for one by one, where an engine does not jump to the next."""

SELDOM = 50
"""Of so many claims that begin under a new name one deletes what is over of all names: of a limit on each there are as
many as there are users, and claims count among them."""

RUN_COLUMNS = columns(RUN, "r")
LOOKED_AT = "r.kind, r.job, r.queue, r.tenant, r.limit_key, r.host"
ORDER = [RUN.index(name) for name in ("priority", "turn", "id")]
PLACE = [RUN.index(name) for name in ("kind", "job", "queue", "tenant", "limit_key", "host")]

# A row of its own, always there. Whoever has it counts when the one before has committed: each statement reads what is
# committed by then.
ALONE = "SELECT r.value FROM {meta} AS r WHERE r.name = 'limits'{lock}"

RUNNING = f"SELECT {LOOKED_AT}, count(*) FROM {{runs}} AS r WHERE r.state = 'running' GROUP BY {LOOKED_AT}"

# Served by the primary key of `rates`; of EACH, through the names of its scope.
STARTED = "SELECT r.name, sum(r.number), min(r.at) FROM {rates} AS r WHERE r.name = ? AND r.at > ? GROUP BY r.name"
STARTED_EACH = """
SELECT r.name, sum(r.number), min(r.at) FROM {rates} AS r WHERE r.name >= ? AND r.name < ? AND r.at > ? GROUP BY r.name
"""
STARTED_OF = """
SELECT r.name, sum(r.number), min(r.at) FROM {rows(name:text, since:int)} AS s
JOIN {rates} AS r ON r.name = s.name AND r.at > s.since GROUP BY r.name
"""
OVER = "DELETE FROM {rates} WHERE name = ? AND at <= ?"
LONG_OVER = "DELETE FROM {rates} WHERE at <= ?"
MORE = "UPDATE {rates} SET number = number + ? WHERE name = ? AND at = ?"
RATE = ("name", "at", "number")

# Served by the index `claim`, in its order.
QUEUED = """
SELECT %s FROM {runs} AS r WHERE r.state = 'queued' AND r.queue = ? AND r.turn >= 0%s
ORDER BY r.priority, r.turn, r.id LIMIT ?{skip_locked}
"""
OF_INDEX = "r.state = 'limited' AND "
"""Said for partial indexes alone: a run has `limited_by` only in this state."""
# Served by the index `limited`, in its order.
ASIDE = """
SELECT %s FROM {runs} AS r WHERE r.state = 'limited' AND r.limited_by = ? AND r.queue = ?%s
ORDER BY r.priority, r.turn, r.id LIMIT ?{skip_locked}
"""
TAKEN = """
state = 'running', owner = ?, lease_until = ?, claimed_at = ?, token = {greatest}(token + 1, ?), attempt = attempt + 1,
running_key = concurrency_key, limited_by = NULL{less_room}
"""
# As one parameter each: the text of a statement must not depend on how many names there are.
NOT_IN = "NOT IN (SELECT x.name FROM {rows(name:text)} AS x)"
OVER_EACH = f"DELETE FROM {{rates}} WHERE name >= ? AND name < ? AND at <= ? AND name {NOT_IN}"
CLAIMABLE = f" AND r.job {NOT_IN} AND (r.tenant IS NULL OR r.tenant {NOT_IN})"
# An expansion lists tenants, and does not do what the job does: no limit is its own.
ALLOWED = f""" AND (r.kind <> 'job' OR (r.job {NOT_IN} AND (r.tenant IS NULL OR r.tenant {NOT_IN})
AND (r.limit_key IS NULL OR r.limit_key {NOT_IN}) AND (r.host IS NULL OR r.host {NOT_IN}) AND r.queue {NOT_IN}))"""

# From each limit to the next, not through all that stand aside for it.
STOOD_ASIDE_FOR = """
WITH RECURSIVE aside (name) AS (
    SELECT min(r.limited_by) FROM {runs} AS r WHERE r.state = 'limited'
    UNION ALL
    SELECT (SELECT min(r.limited_by) FROM {runs} AS r WHERE r.state = 'limited' AND r.limited_by > aside.name)
    FROM aside WHERE aside.name IS NOT NULL
)
SELECT aside.name FROM aside WHERE aside.name IS NOT NULL
"""
NEXT_STOOD_ASIDE_FOR = "SELECT r.limited_by FROM {runs} AS r WHERE r.limited_by > ? ORDER BY r.limited_by LIMIT 1"
STOOD_ASIDE_FOR_BY_GROUPS = "SELECT DISTINCT r.limited_by FROM {runs} AS r WHERE r.limited_by > ''"
COUNTED_ASIDE = "SELECT r.limited_by, count(*) FROM {runs} AS r WHERE r.state = 'limited' GROUP BY r.limited_by"


def claim(link: Link, request: ClaimRequest, *, now: datetime) -> list[Run]:
    """Make runs running that have a place under every limit, and return them as they now are, in the order of the
    queues."""
    bounds = Bounds(request.limits)
    picking = _Picking(link, request, now)
    room: Room | None = None
    runs: list[Run] = []
    for queue, places in request.queues.items():
        free = min(places, request.limit - len(runs))
        if free < 1:
            continue
        if room is None and not request.reopened:
            first = picking.first(Queued(queue), free)
            # Most claims meet no run that is under a limit: they need not wait for the others.
            if not any(bounds.of(_place(row)) for row in first):
                runs += picking.take(first)
                continue
        if room is None:
            link.one(ALONE)
            room = _room(link, bounds, now)
        runs += _chosen(picking, room, queue, free, request.reopened)
    if room is not None:
        _note(link, bounds, room, now)
    return _with_last_success(link, runs)


def _with_last_success(link: Link, runs: list[Run]) -> list[Run]:
    scheduled = [(run.schedule, run.tenant or "") for run in runs if run.schedule is not None]
    found = progress.last_successes(link, scheduled)
    if not found:
        return runs
    return [replace(run, last_success=found.get((run.schedule or "", run.tenant or ""))) for run in runs]


def _chosen(picking: "_Picking", room: Room, queue: str, free: int, reopened: Sequence[str]) -> list[Run]:
    """Claim up to `free` runs of a queue, those that stand aside for a limit with places among them."""
    runs: list[Run] = []
    while len(runs) < free:
        wanted = free - len(runs)
        found = picking.fitting(Queued(queue), room, wanted)
        for name in looked_behind(reopened, free):
            of_limit = int(min(wanted, room.free(name)))
            found += picking.fitting(Aside(queue, name), room, of_limit) if of_limit else []
        found.sort(key=lambda row: [row[index] for index in ORDER])
        fits = []
        for row in found[:wanted]:
            place = _place(row)
            # What was free when the rows were read may be taken by one before it: the next look leaves those out.
            if room.stopped_by(place) is None:
                room.take(place)
                fits.append(row)
        runs += picking.take(fits)
        if len(fits) == len(found) or not fits:
            break
    if any(room.stopped_by(place_of(run)) is not None for run in runs):
        # What these have filled shows at once who waits for it, and so when the next may begin.
        picking.fitting(Queued(queue), room, 1)
    return runs


class Queued(NamedTuple):
    """The runs of a queue that may be claimed."""

    queue: str
    template: str = QUEUED

    def key(self) -> list[str]:
        return [self.queue]


class Aside(NamedTuple):
    """The runs of a queue that stand aside for a limit."""

    queue: str
    limit: str
    template: str = ASIDE

    def key(self) -> list[str]:
        return [self.limit, self.queue]


class _Picking:
    """The statements of one claim."""

    def __init__(self, link: Link, request: ClaimRequest, now: datetime) -> None:
        self._link = link
        self._request = request
        self._now = now
        self._excepted = [_json(request.except_jobs), _json(request.except_tenants)]

    def first(self, where: Queued | Aside, limit: int) -> list[Any]:
        """Return the first runs there, whatever limits say."""
        return self._look(where, RUN_COLUMNS, limit)

    def fitting(self, where: Queued | Aside, room: Room, limit: int) -> list[Any]:
        """Return the first runs there that no full limit stops; what stands before them is put aside, for the narrowest
        limit that is full."""
        rows = self.first(where, limit)
        if all(room.stopped_by(_place(row)) is None for row in rows):
            return rows
        self._put_aside(where, room)
        full = room.full()
        scopes = (LimitScope.JOB, LimitScope.TENANT, LimitScope.KEY, LimitScope.HOST, LimitScope.QUEUE)
        return self._look(where, RUN_COLUMNS, limit, ALLOWED, [_json(full.get(scope, ())) for scope in scopes])

    def _put_aside(self, where: Queued | Aside, room: Room) -> None:
        found = self._look(where, f"r.id, r.limited_by, {LOOKED_AT}", DEEP)
        stopped = [(row[0], name) for row in found if (name := room.stopped_by(Place(*row[2:]))) not in (None, row[1])]
        if stopped:
            self._link.update(
                "runs",
                "row_id:id, limit_name:text",
                stopped,
                sets="state = 'limited', limited_by = s.limit_name",
                where="r.id = s.row_id",
            )

    def _look(
        self, where: Queued | Aside, what: str, limit: int, condition: str = "", values: Sequence[str] = ()
    ) -> list[Any]:
        template = where.template
        if not self._link.dialect.jumps:
            # Without partial indexes the state leads to another one, in which runs of all limits stand together.
            template = template.replace(OF_INDEX, "")
        template = template % (what, CLAIMABLE + condition)
        return self._link.all(template, *where.key(), *self._excepted, *values, limit)

    def take(self, rows: Sequence[Any]) -> list[Run]:
        """Make runs running, and return them as they now are."""
        if not rows:
            return []
        request, micros = self._request, to_micros(self._now)
        lease_until = self._now + request.lease
        self._link.update(
            "runs",
            "row_id:id",
            [row[:1] for row in rows],
            sets=TAKEN,
            where="r.id = s.row_id",
            then=(request.worker, to_micros(lease_until), micros, micros),
        )
        return [
            replace(
                run,
                state=State.RUNNING,
                owner=request.worker,
                lease_until=lease_until,
                claimed_at=self._now,
                token=max(run.token + 1, micros),
                attempt=run.attempt + 1,
                limited_by=None,
            )
            for run in map(run_of, rows)
        ]


def _json(names: Iterable[str]) -> str:
    return json_of([(name,) for name in sorted(names)])


def _place(row: Sequence[Any]) -> Place:
    return Place(*(row[index] for index in PLACE))


def _room(link: Link, bounds: Bounds, now: datetime) -> Room:
    running = [(Place(*row[:-1]), int(row[-1])) for row in link.all(RUNNING)]
    started = {name: number for name, number, _ in _started(link, bounds, now)}
    return Room(bounds, running=running, started=started, now=now)


def _started(link: Link, bounds: Bounds, now: datetime) -> list[tuple[str, int, int]]:
    """Return of each limit with a rate how much was begun in its window, and when first."""
    found: dict[str, tuple[str, int, int]] = {}
    # Those on each first: where a name has a limit of its own, that one's window counts.
    for limit in sorted(bounds.rates, key=lambda limit: limit.name != EACH):
        assert limit.rate is not None
        since = to_micros(now - limit.rate.per)
        if limit.name == EACH:
            rows = link.all(STARTED_EACH, f"{limit.scope}:", f"{limit.scope};", since)
        else:
            found.pop(limit.known_as, None)
            rows = link.all(STARTED, limit.known_as, since)
        found |= {name: (name, int(number), int(at)) for name, number, at in rows}
    return list(found.values())


def _started_of(link: Link, bounds: Bounds, names: Iterable[str], now: datetime) -> list[tuple[str, int, int]]:
    """Return the same of these limits alone."""
    rated = [(name, limit.rate) for name in names if (limit := bounds.named(name)) is not None]
    since = [(name, to_micros(now - rate.per)) for name, rate in rated if rate is not None]
    rows = link.rows(STARTED_OF, since) if since else []
    return [(name, int(number), int(at)) for name, number, at in rows]


def _note(link: Link, bounds: Bounds, room: Room, now: datetime) -> None:
    """Write down what was begun, and forget what its window does not reach any more."""
    new = []
    for name, at, number in room.starts():
        limit = bounds.named(name)
        assert limit is not None and limit.rate is not None
        link.run(OVER, name, to_micros(now - limit.rate.per))
        if not link.run(MORE, number, name, to_micros(at)):
            new.append((name, to_micros(at), number))
    link.insert("rates", RATE, new)
    if new and to_micros(now) % SELDOM == 0:
        _forget_over(link, bounds, now)


def _forget_over(link: Link, bounds: Bounds, now: datetime) -> None:
    """Delete what no window of a limit on each reaches any more."""
    # A name that has a limit of its own has that one's window.
    own = _json(limit.known_as for limit in bounds.rates if limit.name != EACH)
    for limit in bounds.rates:
        if limit.name == EACH and limit.rate is not None:
            link.run(OVER_EACH, f"{limit.scope}:", f"{limit.scope};", to_micros(now - limit.rate.per), own)


def forget(link: Link, before: datetime) -> None:
    """Delete starts that no window reaches from `before` on: of limits under which nothing is begun any more."""
    link.run(LONG_OVER, to_micros(before - LONGEST))


def use(link: Link, limits: Sequence[Limit], *, now: datetime, counts_aside: bool) -> list[LimitUse]:
    """Return how limits are used, by name."""
    if counts_aside:
        aside = {name: int(number) for name, number in link.all(COUNTED_ASIDE)}
    else:
        aside = dict.fromkeys(_stood_aside_for(link), 1)
    if not aside and not (limits and counts_aside):
        return []
    bounds = Bounds(limits)
    running = _running_by_name(bounds, link.all(RUNNING))
    found = _started(link, bounds, now) if counts_aside else _started_of(link, bounds, aside, now)
    started = {name: (number, at) for name, number, at in found}
    return [
        LimitUse(
            name=name,
            running=running.get(name, 0),
            started=started[name][0] if name in started else 0,
            oldest_start=from_micros(started[name][1]) if name in started else None,
            aside=aside.get(name, 0),
        )
        for name in sorted(running.keys() | aside.keys() | started.keys() if counts_aside else aside.keys())
    ]


def _stood_aside_for(link: Link) -> list[str]:
    """Return the limits for which runs stand aside."""
    if link.dialect.jumps:
        return [row[0] for row in link.all(STOOD_ASIDE_FOR)]
    names: list[str] = []
    # Step by step while they are few: a statement for all reads whatever stands between.
    while len(names) < STEPS and (row := link.one(NEXT_STOOD_ASIDE_FOR, names[-1] if names else "")):
        names.append(row[0])
    return names if len(names) < STEPS else [row[0] for row in link.all(STOOD_ASIDE_FOR_BY_GROUPS)]


def _running_by_name(bounds: Bounds, rows: Iterable[Any]) -> dict[str, int]:
    running: dict[str, int] = {}
    for row in rows:
        for name in bounds.names(Place(*row[:-1])):
            running[name] = running.get(name, 0) + int(row[-1])
    return running
