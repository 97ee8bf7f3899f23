"""The limits of a `MemoryStore`: what may be claimed under them, what stands aside, what was begun."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.limits import Bounds, Limit, LimitUse, Room, looked_behind, place_of
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
        chosen: list[Run] = []
        for queue, places in request.queues.items():
            free = min(places, request.limit - len(chosen))
            behind = looked_behind(request.reopened, free)
            lines = [[run for run in claimable if run.queue == queue and run.limited_by is None]]
            lines += [[run for run in claimable if run.queue == queue and run.limited_by == name] for name in behind]
            chosen += self._of_queue(lines, room, free)
        for name, at, number in room.starts():
            self._starts.setdefault(name, Counter())[at] += number
        return chosen

    def _of_queue(self, lines: Sequence[list[Run]], room: Room, free: int) -> list[Run]:
        """Choose from what is queued, the first line, and from what stands aside for each limit, in one order."""
        chosen: list[Run] = []
        while len(chosen) < free:
            found: list[Run] = []
            for line in lines:
                wanted = free - len(chosen)
                if line and line[0].limited_by is not None:
                    wanted = int(min(wanted, room.free(line[0].limited_by)))
                found += self._fitting(line, room, wanted)
            found.sort(key=in_queue)
            fits = []
            for run in found[: free - len(chosen)]:
                if room.stopped_by(place_of(run)) is None:
                    room.take(place_of(run))
                    fits.append(run)
            chosen += fits
            for line in lines:
                line[:] = [run for run in line if run not in fits]
            if len(fits) == len(found) or not fits:
                break
        if any(room.stopped_by(place_of(run)) is not None for run in chosen):
            # What these have filled shows at once who waits for it, and so when the next may begin.
            self._fitting(lines[0], room, 1)
        return chosen

    def _fitting(self, line: list[Run], room: Room, limit: int) -> list[Run]:
        """Return the first runs of a line that no full limit stops. Where others stand before them, all that are
        stopped are put aside, for the narrowest limit that is full."""
        line.sort(key=in_queue)
        if all(room.stopped_by(place_of(run)) is None for run in line[:limit]):
            return line[:limit]
        for run in list(line):
            stopped_by = room.stopped_by(place_of(run))
            if stopped_by is not None and stopped_by != run.limited_by:
                self._runs.write(replace(run, state=State.SCHEDULED, limited_by=stopped_by))
                line.remove(run)
        return [run for run in line if room.stopped_by(place_of(run)) is None][:limit]

    def _room(self, limits: Sequence[Limit], now: datetime) -> Room:
        bounds = Bounds(limits)
        running = Counter(place_of(run) for run in self._runs.standing(State.RUNNING))
        started = {name: sum(starts.values()) for name, starts in self._in_window(bounds, now).items()}
        return Room(bounds, running=running.items(), started=started, now=now)

    def _in_window(self, bounds: Bounds, now: datetime) -> dict[str, Counter[datetime]]:
        """Return the starts that count now, and forget the others."""
        for name in list(self._starts):
            limit = bounds.named(name)
            if limit is not None and limit.rate is not None:
                since = now - limit.rate.per
                self._starts[name] = Counter({at: n for at, n in self._starts[name].items() if at > since})
                if not self._starts[name]:
                    del self._starts[name]
        return {name: starts for name, starts in self._starts.items() if starts and bounds.named(name) is not None}

    def use(self, limits: Sequence[Limit], *, now: datetime, only_aside: bool) -> list[LimitUse]:
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
            for name in sorted(aside.keys() if only_aside else running.keys() | aside.keys() | starts.keys())
        ]
