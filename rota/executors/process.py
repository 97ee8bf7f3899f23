"""Runs each attempt in a child process of its own: for work that needs a processor, a limit, or an end that is sure."""

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from rota.calls import Brief
from rota.clock import Clock
from rota.context import StopSignal
from rota.core.duration import duration_text
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, LogLine, Outcome, Run
from rota.core.policy import Job
from rota.executors.attending import Attendance, Bell, Hearing
from rota.executors.call import report
from rota.executors.child_handle import Child
from rota.executors.frames import Asked, Setup, Start
from rota.executors.kernel import IS_SUPPORTED, resident
from rota.executors.spawning import Spawning
from rota.numbers import Numbers
from rota.redaction import redacted

FRESH = 2
"""How many fresh children are asked for before an attempt that none has begun is given up."""


class ProcessChildren:
    """Child processes of one worker: a fresh one for each run, or some that are kept for the next.

    Whoever calls `execute` waits in it, so that as many children work at once as threads call it. A child that is
    kept has ended its run by itself and left nothing behind.
    """

    def __init__(
        self,
        *,
        place: str,
        clock: Clock,
        hear_line: Callable[[Run, LogLine], None],
        hear_progress: Callable[[Run, int, int | None], None],
        enqueue: Callable[[Asked], list[str]],
        numbers: Numbers,
        settings: Mapping[str, str] | None = None,
        environment: Sequence[str] = ("*",),
        withheld: Collection[str] = (),
        preload: Sequence[str] = (),
        kill_grace: timedelta = timedelta(seconds=5),
        max_runs_per_child: int = 1,
        max_rss: int = 512 << 20,
    ) -> None:
        setup = Setup(place=place, preload=tuple(preload), settings=settings or {})
        self._spawning = Spawning(setup, environment=environment, withheld=withheld)
        self._clock = clock
        self._hearing = Hearing(line=hear_line, progress=hear_progress, enqueue=enqueue, numbers=numbers)
        self._kill_grace = kill_grace
        self._max_runs = max_runs_per_child
        self._max_rss = max_rss
        self._one = threading.Lock()
        """Guards the next four."""
        self._idle: list[Child] = []
        self._busy = 0
        self._most = 0
        self._is_closed = False

    def execute(self, job: Job, brief: Brief, *, stop: StopSignal, started_at: datetime) -> Ending:
        """Have a child call the job's function, and return how it ended; see `Children.execute`."""
        if not IS_SUPPORTED:
            return _failure("executor='process' needs Linux; use executor='thread' here", started_at, retry=False)
        start = Start(
            brief=brief,
            started_at=started_at,
            now=self._clock.now(),
            max_memory=job.max_memory,
            max_cpu=job.max_cpu,
        )
        try:
            with self._counted():
                ending = self._execute(job, start, stop)
        except OSError as error:
            ending = _failure(f"no child process could be asked for: {error}", started_at)
        if self._is_closed and ending.outcome in (Outcome.LOST, Outcome.FAILED) and not stop.is_set():
            return Ending(outcome=Outcome.INTERRUPTED, started_at=started_at, reason="the worker ended")
        return ending

    def close(self) -> None:
        """End every child, whatever it is doing."""
        with self._one:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for child in idle:
            child.close()
        self._spawning.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._one:
            self._busy += 1
            self._most = max(self._most, self._busy)
        try:
            yield
        finally:
            with self._one:
                self._busy -= 1

    def _execute(self, job: Job, start: Start, stop: StopSignal) -> Ending:
        fresh = 0
        while True:
            child = self._kept(job)
            if child is None:
                child, fresh = self._spawning.child(), fresh + 1
            ending = self._execute_in(child, job, start, stop)
            if ending is not None:
                return ending
            if fresh == FRESH:
                message = "the process that starts children, or the child, ended before the run began"
                return _failure(message, start.started_at)

    def _execute_in(self, child: Child, job: Job, start: Start, stop: StopSignal) -> Ending | None:
        """Return how the attempt ended; None if the child had gone before it began."""
        bell = Bell()
        stop.then(bell.ring)
        attendance = Attendance(
            child,
            start,
            bell=bell,
            stop=stop,
            spawning=self._spawning,
            clock=self._clock,
            kill_grace=self._kill_grace,
            hearing=self._hearing,
        )
        is_kept = False
        try:
            attendance.attend()
            child.runs += 1
            child.limits = _limits(job)
            is_kept = self._is_reusable(child, attendance) and not stop.is_set()
            if not is_kept:
                attendance.end()
        finally:
            # Before the child may be somebody else's: what it still says now belongs to this run.
            attendance.close()
            bell.close()
            if not is_kept:
                child.close()
            else:
                self._keep(child)
        return self._ending(child, attendance, job, start, stop)

    def _ending(self, child: Child, attendance: Attendance, job: Job, start: Start, stop: StopSignal) -> Ending | None:
        started_at = start.started_at
        if attendance.ended is not None:
            ending = attendance.ended.ending
            # SIGTERM may reach the job before the word of why: this side knows.
            return _stopped(stop, started_at) if ending.outcome is Outcome.LOST and stop.is_set() else ending
        if stop.is_set():
            return _stopped(stop, started_at, is_killed=attendance.was_killed)
        if attendance.broken is not None:
            return Ending(outcome=Outcome.FAILED, started_at=started_at, error=report(attendance.broken))
        if child.refusal is not None:
            return Ending(outcome=Outcome.FAILED, started_at=started_at, error=child.refusal.error)
        if not attendance.taken:
            return None
        return _died(child, job, started_at, lines=_said_last(attendance.last_lines))

    # --- children that are kept ---

    def _is_reusable(self, child: Child, attendance: Attendance) -> bool:
        ended = attendance.ended
        if ended is None or ended.worn or child.runs >= self._max_runs or child.born is None:
            return False
        return not child.has_offspring() and resident(child.born.child) <= self._max_rss

    def _keep(self, child: Child) -> None:
        with self._one:
            self._idle.append(child)
            # As many as were ever busy at once: of more, some would never be needed.
            extra = max(len(self._idle) - (0 if self._is_closed else self._most), 0)
            let_go, self._idle = self._idle[:extra], self._idle[extra:]
        for one in let_go:
            one.close()

    def _kept(self, job: Job) -> Child | None:
        """Return the child that rested for the shortest time, of those that can do this job and are alive."""
        dead: list[Child] = []
        found: Child | None = None
        with self._one:
            for child in reversed(self._idle):
                if not child.listen() or child.gone is not None:
                    dead.append(child)
                elif child.limits == _limits(job):
                    found = child
                    break
            self._idle = [child for child in self._idle if child is not found and child not in dead]
        for child in dead:
            child.close()
        return found


def _limits(job: Job) -> str:
    # A limit cannot be taken back: such a child does nothing but its job.
    return job.name if job.max_memory is not None or job.max_cpu is not None else ""


def _said_last(lines: Iterable[str]) -> str:
    # Cut last: of a secret that is cut in two neither half would be found.
    return "\n".join(redacted(line)[:500] for line in lines)


def _failure(message: str, started_at: datetime, *, retry: bool = True) -> Ending:
    error = ErrorReport(type="ChildNotStarted", message=message)
    return Ending(outcome=Outcome.FAILED, started_at=started_at, error=error, retry=retry)


def _stopped(stop: StopSignal, started_at: datetime, *, is_killed: bool = False) -> Ending:
    error = None
    if stop.outcome is Outcome.TIMED_OUT:
        what = "; it did not stop by itself and was killed" if is_killed else ""
        error = ErrorReport(type="Stopped", message=f"{stop.reason}{what}")
    return Ending(outcome=stop.outcome, started_at=started_at, error=error, reason=stop.reason)


def _died(child: Child, job: Job, started_at: datetime, *, lines: str) -> Ending:
    gone = child.gone
    if gone is None:
        error = ErrorReport(type="ChildDied", message="its guardian was killed, and it with that", traceback=lines)
        return Ending(outcome=Outcome.LOST, started_at=started_at, error=error)
    if os.WIFSIGNALED(gone.status) and os.WTERMSIG(gone.status) == signal.SIGXCPU and job.max_cpu is not None:
        message = f"over its limit of {duration_text(job.max_cpu)} of processor time"
        error = ErrorReport(type="OverLimit", message=message, traceback=lines)
        return Ending(outcome=Outcome.FAILED, started_at=started_at, error=error)
    because = f": {gone.reason}" if gone.reason else ""
    error = ErrorReport(type="ChildDied", message=f"{_end_text(gone.status)}{because}", traceback=lines)
    return Ending(outcome=Outcome.LOST, started_at=started_at, error=error)


def _end_text(status: int) -> str:
    if not os.WIFSIGNALED(status):
        return f"exited with status {os.waitstatus_to_exitcode(status)} without a result"
    number = os.WTERMSIG(status)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "a real-time signal"
    return f"killed by signal {number} ({name})"
