"""The limits of a `MemoryStore`: what may be claimed under them, what stands aside, what was begun."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.limits import Bounds, Limit, LimitUse, Room, place_of
from rota.core.model import Run, State
from rota.queries import ClaimRequest
from rota.stores.memory_run import Runs, in_queue


class Limits:
    """Chooses under limits, and remembers starts. Not locked: the store is."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._starts: dict[str, Counter[datetime]] = {}

    def choose(self, claimable: Sequence[Run], request: ClaimRequest, *, now: datetime) -> list[Run]:
        """Return which of these runs are claimed, in the order of each queue; what is in their way is put aside."""
        room = self._room(request.limits, now)
        claimable = self._put_aside(claimable, room, request.reopened)
        chosen: list[Run] = []
        for queue, places in request.queues.items():
            free = min(places, request.limit - len(chosen))
            for run in sorted((run for run in claimable if run.queue == queue), key=in_queue):
                if free > 0 and room.stopped_by(place_of(run)) is None:
                    room.take(place_of(run))
                    chosen.append(run)
                    free -= 1
        taken = {run.id for run in chosen}
        # What these have filled shows at once who waits for it, and so when the next may begin.
        self._put_aside([run for run in claimable if run.id not in taken], room, request.reopened)
        for name, at, number in room.starts():
            self._starts.setdefault(name, Counter())[at] += number
        return chosen

    def _room(self, limits: Sequence[Limit], now: datetime) -> Room:
        bounds = Bounds(limits)
        running = Counter(place_of(run) for run in self._runs.standing(State.RUNNING))
        started = {name: sum(starts.values()) for name, starts in self._in_window(bounds, now).items()}
        return Room(bounds, running=running.items(), started=started, now=now)

    def _put_aside(self, claimable: Iterable[Run], room: Room, reopened: Sequence[str]) -> list[Run]:
        """Put aside what may not begin now; return the others, but not those aside for a limit that nobody names."""
        others = []
        for run in claimable:
            if run.limited_by is not None and run.limited_by not in reopened:
                continue
            stopped_by = room.stopped_by(place_of(run))
            if stopped_by is None:
                others.append(run)
            elif run.limited_by != stopped_by:
                self._runs.write(replace(run, state=State.SCHEDULED, limited_by=stopped_by))
        return others

    def _in_window(self, bounds: Bounds, now: datetime) -> dict[str, Counter[datetime]]:
        """Return the starts that count now, and forget the others."""
        for name in list(self._starts):
            limit = bounds.named(name)
            if limit is not None and limit.rate is not None:
                since = now - limit.rate.per
                self._starts[name] = Counter({at: n for at, n in self._starts[name].items() if at > since})
        return {name: starts for name, starts in self._starts.items() if starts and bounds.named(name) is not None}

    def use(self, limits: Sequence[Limit], *, now: datetime) -> list[LimitUse]:
        """Return how limits are used, by name."""
        bounds = Bounds(limits)
        running = Counter(
            name for run in self._runs.standing(State.RUNNING) for name in bounds.names(place_of(run))
        )  # fmt: skip
        aside = Counter(run.limited_by for run in self._runs.standing(State.SCHEDULED) if run.limited_by is not None)
        starts = self._in_window(bounds, now)
        return [
            LimitUse(
                name=name,
                running=running[name],
                started=sum(starts[name].values()) if name in starts else 0,
                oldest_start=min(starts[name]) if name in starts else None,
                aside=aside[name],
            )
            for name in sorted(running.keys() | aside.keys() | starts.keys())
        ]
