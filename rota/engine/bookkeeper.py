"""Counts what ended in this process, and adds it to the sums in the store (R53)."""

import logging
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from rota.core.model import Round, RunKind, Settlement, State
from rota.core.rollup import (
    BUCKETS,
    EDGES_S,
    End,
    Grain,
    Measure,
    MeasureKey,
    Rollup,
    RollupKey,
    Sheet,
    Subject,
    bucket_of,
    divided,
    end_of,
    spread,
    start_of,
)
from rota.core.safe import safe_text
from rota.errors import StoreUnavailable
from rota.numbers import open_numbers
from rota.ports import Store
from rota.redaction import redacted

log: logging.Logger = logging.getLogger(__name__)

MOST_SUMS = 500
"""Sums that are sent at once: SQLite lets nobody else write meanwhile, which is 10 ms for so many."""

MOST_NAMES = 100
"""Numbers of their own that the jobs of one process may have, by job and name: a name that holds an id would make a sum
of each."""
LONGEST_NAME = 100
LONGEST_JOB = 255
"""Characters of the names that jobs give; more are cut off."""

# Where what stands in a sum; after these come the buckets.
NUMBER, DURATION, LONGEST, WAIT, LONGEST_WAIT, FIRST = range(6)

_Names = tuple[str, str, str, str, str]
"""Subject, job, tenant, queue, outcome."""
_Sums = dict[_Names, list[Any]]
_Told = dict[tuple[str, str, str], list[Any]]
# A member of an enumeration costs more to look up than to count.
RUN, SUCCEEDED, JOB, GOOD = Subject.RUN.value, End.SUCCEEDED.value, RunKind.JOB, State.SUCCEEDED


class Bookkeeper:
    """Sums up in memory, which costs a run a microsecond, and sends a sheet of sums every few seconds.

    A sheet is kept, and sent again as it was, until the store has said that it arrived; what is counted meanwhile goes
    onto the next. What goes wrong in counting is said once, and harms no run.
    """

    def __init__(
        self,
        store: Store,
        *,
        source: str,
        now: Callable[[], datetime],
        every: timedelta,
        apart: Callable[[str], bool],
    ) -> None:
        """`source` is an id that no other process ever has; `apart` says which tenants are counted for ever by
        themselves."""
        self._store = store
        self._source = source
        self._now = now
        self._every = every
        self._apart = apart
        # Guards all below: the worker counts, jobs count, and a loop of its own sends.
        self._lock = threading.Lock()
        self._sums: dict[datetime, _Sums] = {}
        self._told: dict[datetime, _Told] = {}
        self._names: set[tuple[str, str]] = set()
        self._number = 0
        self._unsent: deque[Sheet] = deque()
        self._one_sends = threading.Lock()
        self._complaints: set[str] = set()

    # --- counting ---

    def settled(self, settlements: Sequence[Settlement], applied: Collection[str]) -> None:
        """Count attempts that have just been settled; only those whose ids were applied. Once for a whole batch."""
        try:
            with self._lock:
                self._count_ended(settlements, applied)
        # A metric that fails never stops a job (R53).
        except Exception as error:  # noqa: BLE001
            self._complain(f"what ended cannot be counted: {type(error).__name__}: {error}")

    def round_ended(self, round_: Round) -> None:
        """Count a round, how long its pass took from its firing on, and how its runs ended."""
        ended_at = round_.ended_at or round_.created_at
        took = max((ended_at - round_.created_at).total_seconds(), 0.0)
        with self._lock:
            sums = self._sums_at(ended_at)
            _add(_sum(sums, (Subject.ROUND.value, round_.job, "", "", round_.state.value)), 1, took)
            for state, number in round_.counts.items():
                _sum(sums, (Subject.TENANT.value, round_.job, "", "", state))[NUMBER] += number

    def count(
        self, job: str, tenant: str | None, name: str, number: float, *, times: int, least: float, most: float
    ) -> None:
        """Add to a number of a job's own; one name too many is said once, and left out."""
        named = _shown(name)[:LONGEST_NAME]
        with self._lock:
            if not self._is_known(job, named):
                return
            told = self._told.setdefault(start_of(Grain.MINUTE, self._now()), {})
            known = told.setdefault((job, tenant or "", named), [0, 0.0, least, most])
            known[0] += times
            known[1] += number
            known[2], known[3] = min(known[2], least), max(known[3], most)

    def record(self, job: str, tenant: str | None, *, is_success: bool, times: int) -> None:
        """Count parts that a job has measured by itself: apart from runs."""
        # They are the job's own texts, and are to be shown.
        named, whose = _shown(job)[:LONGEST_JOB], _shown(tenant or "")[:LONGEST_JOB]
        outcome = (End.SUCCEEDED if is_success else End.FAILED).value
        with self._lock:
            if self._is_known(named, ""):
                _sum(self._sums_at(self._now()), (Subject.PART.value, named, whose, "", outcome))[NUMBER] += times

    def _is_known(self, job: str, name: str) -> bool:
        """Whether this name is one of those that are counted; a new one is, as long as they are few."""
        if (job, name) in self._names:
            return True
        if len(self._names) >= MOST_NAMES:
            self._complain(f"job {job}: {name!r} is not counted: there are {MOST_NAMES} names already")
            return False
        self._names.add((job, name))
        return True

    # --- sending ---

    def tick(self, now: datetime) -> timedelta:
        """Send what there is."""
        with self._one_sends:
            while sheets := self._sheets():
                self._store.rollups.add(sheets[0], now=now)
                sheets.popleft()
        return self._every

    def open(self) -> None:
        """Be where code of this process counts that belongs to no run."""
        open_numbers.add(self)

    def close(self, now: datetime) -> None:
        """Send what there is, if the store can be reached: nothing will be counted any more."""
        open_numbers.discard(self)
        try:
            self.tick(now)
        except StoreUnavailable as error:
            log.warning("what ended in the last seconds is not in the metrics: %s", error)

    def _sheets(self) -> deque[Sheet]:
        """Return the sheets that are to be sent, first those that are not known to have arrived."""
        if self._unsent:
            return self._unsent
        with self._lock:
            sums, self._sums = self._sums, {}
            told, self._told = self._told, {}
        minutes = Sheet(source=self._source, number=0, rollups=_rollups(sums), measures=_measures(told))
        for piece in divided(spread(minutes, apart=self._apart), most=MOST_SUMS):
            self._number += 1
            self._unsent.append(replace(piece, number=self._number))
        return self._unsent

    def _count_ended(self, settlements: Sequence[Settlement], applied: Collection[str]) -> None:
        # On the way of every run, so it is written for speed: what is looked up twice has a name, and nothing is
        # called that can be done without.
        at: datetime | None = None
        sums: _Sums = {}
        known: list[Any] = []
        job = tenant = queue = state = None
        everything = len(applied) == len(settlements)
        for one in settlements:
            run = one.run
            if run.kind is not JOB or not (everything or run.id in applied):
                continue
            ended_at, started_at = one.ended_at, one.started_at
            if ended_at is not at:
                at, state = ended_at, None
                sums = self._sums_at(at)
            # Most are like the one before.
            if not (state is GOOD is one.state and run.job == job and run.tenant == tenant and run.queue == queue):
                job, tenant, queue, state = run.job, run.tenant, run.queue, one.state
                end = SUCCEEDED if state is GOOD else end_of(one).value
                known = _sum(sums, (RUN, job, tenant or "", queue, end))
            known[NUMBER] += 1
            if started_at is None:
                continue
            took = (ended_at - started_at).total_seconds()
            known[FIRST + bisect_left(EDGES_S, took)] += 1
            if took > 0.0:
                known[DURATION] += took
                if took > known[LONGEST]:
                    known[LONGEST] = took
            waited = (started_at - run.due_at).total_seconds()
            if waited > 0.0:
                known[WAIT] += waited
                if waited > known[LONGEST_WAIT]:
                    known[LONGEST_WAIT] = waited

    def _sums_at(self, instant: datetime) -> _Sums:
        return self._sums.setdefault(start_of(Grain.MINUTE, instant), {})

    def _complain(self, text: str) -> None:
        # Once: it may go wrong with every run.
        if text not in self._complaints and len(self._complaints) < MOST_NAMES:
            self._complaints.add(text)
            log.warning("%s", text)


@lru_cache(maxsize=4096)
def _shown(text: str) -> str:
    """Return a name that a job gave as it can be shown anywhere (R65). Remembered: it may come with each of a million
    rows."""
    return safe_text(redacted(text))


def _sum(sums: _Sums, names: _Names) -> list[Any]:
    return sums.setdefault(names, [0, 0.0, 0.0, 0.0, 0.0, *(0,) * BUCKETS])


def _add(known: list[Any], number: int, took: float) -> None:
    known[NUMBER] += number
    known[DURATION] += took
    known[LONGEST] = max(known[LONGEST], took)
    known[FIRST + bucket_of(took)] += number


def _rollups(sums: Mapping[datetime, _Sums]) -> tuple[Rollup, ...]:
    return tuple(
        Rollup(
            key=RollupKey(Subject(subject), Grain.MINUTE, minute, job, tenant, queue, str(outcome)),
            number=known[NUMBER],
            duration_sum=timedelta(seconds=known[DURATION]),
            duration_most=timedelta(seconds=known[LONGEST]),
            wait_sum=timedelta(seconds=known[WAIT]),
            wait_most=timedelta(seconds=known[LONGEST_WAIT]),
            buckets=tuple(known[FIRST:]),
        )
        for minute, of_minute in sums.items()
        for (subject, job, tenant, queue, outcome), known in of_minute.items()
    )


def _measures(told: Mapping[datetime, _Told]) -> tuple[Measure, ...]:
    return tuple(
        Measure(key=MeasureKey(Grain.MINUTE, minute, job, tenant, name), number=n, total=total, least=least, most=most)
        for minute, of_minute in told.items()
        for (job, tenant, name), (n, total, least, most) in of_minute.items()
    )
