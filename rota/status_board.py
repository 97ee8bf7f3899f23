"""The status page of an application: made anew with each look of the watchdog (R51)."""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from rota.core import words
from rota.core.board import Board, Proof, Subject, board
from rota.core.expecting import Watch
from rota.core.freshness import WORSE, Freshness
from rota.core.model import Schedule
from rota.core.watched import Flip, Key, Watched, watch_key
from rota.engine.judged import Judged
from rota.errors import BadSchedule, PageNotWritten, StoreUnavailable
from rota.pages import StatusPages
from rota.ports import Store
from rota.queries import FlipQuery
from rota.settings import Settings
from rota.signature import Registered

log: logging.Logger = logging.getLogger(__name__)

DAYS = 90
"""Bars of a strip: today's is the last."""

OVERLAP = timedelta(minutes=10)
"""Flips are read again so far back: ids are made by several machines, whose clocks differ."""

PAGE = 1000


class StatusBoard:
    """Draws what a watchdog found, with what it remembers of the last days.

    While the store is away it draws from what it read last, and says so. A page that cannot be written is said once,
    and harms no watchdog.
    """

    def __init__(
        self,
        path: Path,
        *,
        store: Callable[[], Store],
        settings: Settings,
        jobs: Mapping[str, Registered],
        watches: Sequence[Watch] = (),
    ) -> None:
        """`store` opens the store where it is not open yet, or says that it is away."""
        self._store = store
        self._jobs = jobs
        self._watches = tuple(watches)
        self._every = settings.freshness.check_every
        self._zone = ZoneInfo(settings.timezone)
        self._pages = StatusPages(
            path, title=settings.freshness.status_title, public_tags=settings.freshness.public_tags
        )
        self._flips: dict[str, Flip] = {}
        self._read_until: datetime | None = None
        self._schedules: list[Schedule] = []
        self._failures: Mapping[Key, int] = {}
        self._is_in_trouble = False

    def __call__(self, judged: Judged) -> None:
        """Write the pages of what was found."""
        try:
            self._pages.write(self.board(judged))
        except PageNotWritten as error:
            if not self._is_in_trouble:
                log.error("the status page is not up to date: %s", error)
            self._is_in_trouble = True
        else:
            self._is_in_trouble = False

    def board(self, judged: Judged) -> Board:
        """Return what the pages show."""
        edges = self._edges(judged.at)
        warning = ""
        try:
            self._read(judged, since=edges[0])
        except StoreUnavailable:
            log.debug("drawn from what was read last", exc_info=True)
        if judged.store != "ok":
            warning = f"The store could not be asked: judged by what was known at {judged.known_at:%Y-%m-%d %H:%M} UTC."
        return board(
            self._subjects(judged),
            [self._proof(pair) for pair in judged.pairs],
            self._flips.values(),
            edges=edges,
            now=judged.at,
            next_at=judged.at + 2 * self._every,
            warning=warning or judged.clock,
        )

    def _edges(self, now: datetime) -> list[datetime]:
        """Return when the last days began, in the zone of the application."""
        today = now.astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        # By the calendar: a day has 23 hours, or 25, where clocks change.
        return [(today - timedelta(days=back)).astimezone(now.tzinfo) for back in range(DAYS - 1, -1, -1)]

    def _read(self, judged: Judged, *, since: datetime) -> None:
        store = self._store()
        self._schedules = store.schedules()
        self._failures = _failing(store, judged)
        known_until = self._read_until
        query = FlipQuery(since=since if known_until is None else max(since, known_until - OVERLAP), limit=PAGE)
        found: list[Flip] = []
        while page := store.freshness.flips(query):
            found += page
            if len(page) < PAGE:
                break
            query = FlipQuery(since=query.since, before_id=page[-1].id, limit=PAGE)
        self._flips |= {flip.id: flip for flip in found}
        self._flips = {flip.id: flip for flip in self._flips.values() if flip.at >= since}
        self._read_until = judged.at

    def _subjects(self, judged: Judged) -> list[Subject]:
        of_job: dict[str, dict[str, str]] = {}
        for schedule in self._schedules:
            of_job.setdefault(schedule.job, {})[schedule.name] = _in_words(schedule.timing)
        # While nothing was read yet, what the watchdog remembers.
        for name, job in judged.jobs.items():
            of_job.setdefault(job, {}).setdefault(name, "")
        watches = {watch_key(watch.name): watch for watch in self._watches}
        return [
            self._subject(job, schedules) for job, schedules in of_job.items() if not watches.keys() & schedules.keys()
        ] + [
            Subject(
                name=watch.name,
                description=watch.description,
                schedules={key: "" if watch.timing is None else words.describe(watch.timing)},
            )
            for key, watch in watches.items()
        ]

    def _subject(self, name: str, schedules: Mapping[str, str]) -> Subject:
        known = self._jobs.get(name)
        return Subject(
            name=name,
            description=known.job.description if known else "",
            schedules=schedules,
            tags=known.job.tags if known else (),
        )

    def _proof(self, pair: Watched) -> Proof:
        return Proof(
            schedule=pair.schedule,
            tenant=pair.tenant,
            state=pair.state,
            last_success=pair.last_success,
            stale_at=pair.stale_at,
            flipped_at=pair.flipped_at,
            failures=self._failures.get(pair.key, 0),
        )


def _in_words(text: str) -> str:
    try:
        return words.describe(words.parse(text))
    except BadSchedule:
        # A broken row has a page too: it will not succeed.
        return text


def _failing(store: Store, judged: Judged) -> dict[Key, int]:
    """Return the failures in a row of those that are not well; the others are many, and have none."""
    bad: dict[str, list[str]] = {}
    for pair in judged.pairs:
        if WORSE[pair.state] > WORSE[Freshness.FRESH]:
            bad.setdefault(pair.schedule, []).append(pair.tenant)
    return {
        (entry.schedule, entry.tenant): entry.failures
        for name, tenants in bad.items()
        for entry in store.progress(schedule=name, tenants=tenants)
    }
