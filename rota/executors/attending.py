"""One attempt in a child process, from the side of the thread that waits for it."""

import os
import selectors
import signal
import threading
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec import Struct

from rota.clock import Clock
from rota.context import StopSignal
from rota.core.model import LogLine, Run
from rota.core.redaction import PrivateKeys
from rota.errors import BrokenFrame
from rota.executors.call import report
from rota.executors.child_handle import Child
from rota.executors.frames import (
    Answer,
    Asked,
    Counted,
    Ended,
    Frames,
    FromChild,
    Logged,
    Progressed,
    Recorded,
    Start,
    Stop,
    Taken,
    framed,
)
from rota.executors.line import Lines
from rota.executors.spawning import Spawning
from rota.numbers import Numbers

CHUNK = 1 << 16
LAST = 60
"""Lines of standard error that are kept for the error of a child that dies."""

LONGEST_WAIT_S = 3600.0

SILENCE_S = 3.0
"""How long a guardian may take to answer a SIGKILL with the child's end, before it is ended itself."""


class Hearing(Struct, frozen=True, kw_only=True):
    """Who is told what a child says."""

    line: Callable[[Run, LogLine], None]
    progress: Callable[[Run, int, int | None], None]
    enqueue: Callable[[Asked], list[str]]
    numbers: Numbers


class Bell:
    """Wakes a thread out of its `select`, from any other; rung after its end, it does nothing."""

    def __init__(self) -> None:
        self._descriptor: int | None = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._one = threading.Lock()
        """Guards the descriptor: closed and opened again, its number is somebody else's file."""

    def fileno(self) -> int:
        assert self._descriptor is not None
        return self._descriptor

    def ring(self) -> None:
        with self._one:
            if self._descriptor is not None:
                os.eventfd_write(self._descriptor, 1)

    def hush(self) -> None:
        os.eventfd_read(self.fileno())

    def close(self) -> None:
        with self._one:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


class Attendance:
    """Talks with one child about one run, reads all it prints, and stops it when its time has come."""

    def __init__(
        self,
        child: Child,
        start: Start,
        *,
        bell: Bell,
        stop: StopSignal,
        spawning: Spawning,
        clock: Clock,
        kill_grace: timedelta,
        hearing: Hearing,
    ) -> None:
        self._child = child
        self._run = start.brief.run
        self._bell = bell
        self._stop = stop
        self._spawning = spawning
        self._clock = clock
        self._kill_grace = kill_grace.total_seconds()
        self._hearing = hearing
        self._unsent = bytearray(framed(start))
        self._frames: Frames[FromChild] = Frames(FromChild)
        self._lines = {child.out: Lines(), child.err: Lines()}
        self._keys = {source: PrivateKeys() for source in ("stdout", "stderr")}
        self._selector = selectors.DefaultSelector()
        self._asked_at: float | None = None
        self._told: Stop | None = None
        self._termed_at: float | None = None
        self._killed_at: float | None = None
        self._ended_at: float | None = None
        self._is_deserted = False
        self.taken: bool = False
        self.ended: Ended | None = None
        self.broken: BrokenFrame | None = None
        self.last_lines: deque[str] = deque(maxlen=LAST)

    def attend(self) -> None:
        """Return when the child has said how the run ended, or is not there (any more)."""
        self._open()
        # A short job may end before its guardian has come to say that the child is there.
        while not ((self.ended and self._child.born) or self.broken or self._is_over):
            self._once()
        self._drain()

    def end(self) -> None:
        """Return when nothing of the child is left."""
        if not self._is_over:
            self.kill()
        while not self._is_over:
            self._once()
        self._drain()

    def close(self) -> None:
        """Let go of the selector; the child's descriptors stay open."""
        for lines in self._lines.values():
            for text in lines.flush():
                self._hear("stdout" if lines is self._lines[self._child.out] else "stderr", text)
        self._selector.close()

    def kill(self) -> None:
        """Have the child and all its descendants killed."""
        if self._killed_at is None:
            self._killed_at = self._clock.monotonic()
            self._child.signal(signal.SIGKILL)

    @property
    def was_killed(self) -> bool:
        """Whether its time to stop by itself ran out."""
        return self._termed_at is not None or self._killed_at is not None

    @property
    def _is_over(self) -> bool:
        return self._is_deserted or self._child.gone is not None or self._child.refusal is not None

    def _open(self) -> None:
        child, both = self._child, selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(child.control, both, self._talk)
        self._selector.register(child.watch, selectors.EVENT_READ, self._listen)
        self._selector.register(child.out, selectors.EVENT_READ, lambda _: self._read(child.out))
        self._selector.register(child.err, selectors.EVENT_READ, lambda _: self._read(child.err))
        self._selector.register(self._bell, selectors.EVENT_READ, lambda _: self._bell.hush())

    def _once(self) -> None:
        wait = self._step()
        # A grace of months is more than a selector can count.
        for key, events in self._selector.select(None if wait is None else min(wait, LONGEST_WAIT_S)):
            respond: Callable[[int], Any] = key.data
            respond(events)

    def _step(self) -> float | None:
        """Do what is due of signal, SIGTERM and SIGKILL; return in how many seconds something is due."""
        now = self._clock.monotonic()
        if self._killed_at is not None:
            if now >= self._killed_at + SILENCE_S:
                self._end_guardian()
            return max(self._killed_at + SILENCE_S - now, 0)
        if self.ended:
            return self._await_birth(now)
        if not self._stop.is_set():
            return None
        if self._asked_at is None:
            self._asked_at = now
        said = Stop(reason=self._stop.reason, outcome=self._stop.outcome, grace=self._stop.grace)
        if said != self._told:
            self._told = said
            self._say(said)
        term_at = self._asked_at + said.grace.total_seconds()
        if now < term_at:
            return term_at - now
        if self._child.born is None and not self.taken:
            # It waits for its birth: nothing of the job has happened, and nothing will.
            self._is_deserted = True
            return 0
        if self._termed_at is None:
            self._termed_at = now
            self._child.signal(signal.SIGTERM)
        # Also where its grace was cut short in the midst: it has the hard grace from the signal on.
        kill_at = self._termed_at + self._kill_grace
        if now < kill_at:
            return kill_at - now
        self.kill()
        return SILENCE_S

    def _await_birth(self, now: float) -> float:
        if self._ended_at is None:
            self._ended_at = now
        self._is_deserted = now >= self._ended_at + SILENCE_S
        return max(self._ended_at + SILENCE_S - now, 0)

    def _end_guardian(self) -> None:
        """It does not answer: stopped, or killed by the job. Its own parent ends it, and what it guarded."""
        if self._child.born is not None:
            self._spawning.sweep(self._child.born.guardian, within_s=SILENCE_S)
        self._is_deserted = True

    def _talk(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._write()
        if events & selectors.EVENT_READ:
            self._hear_frames()

    def _write(self) -> None:
        try:
            sent = self._child.control.send(self._unsent)
        except BlockingIOError:
            return
        except OSError:
            # Its end is near, and the guardian says so.
            self._unsent.clear()
        else:
            del self._unsent[:sent]
        if not self._unsent and self._child.control in self._selector.get_map():
            self._selector.modify(self._child.control, selectors.EVENT_READ, self._talk)

    def _say(self, frame: Struct) -> None:
        self._unsent += framed(frame)
        if self._child.control in self._selector.get_map():
            self._selector.modify(self._child.control, selectors.EVENT_READ | selectors.EVENT_WRITE, self._talk)

    def _hear_frames(self) -> bool:
        """Take in what there is; False when there was nothing."""
        try:
            received = self._child.control.recv(CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            received = b""
        if not received:
            self._forget(self._child.control)
            return False
        try:
            for frame in self._frames.feed(received):
                self._hear_frame(frame)
        except BrokenFrame as error:
            self._forget(self._child.control)
            self.broken = error
            return False
        return True

    def _hear_frame(self, frame: FromChild) -> None:
        match frame:
            case Taken():
                self.taken = True
            case Ended():
                self.ended = frame
            case Progressed():
                self._hearing.progress(self._run, frame.done, frame.total)
            case Logged():
                line = LogLine(at=self._clock.now(), level=frame.level, source=frame.source, text=frame.text)
                self._hearing.line(self._run, line)
            case Counted():
                self._hearing.numbers.count(
                    frame.job,
                    frame.tenant,
                    frame.name,
                    frame.number,
                    times=frame.times,
                    least=frame.least,
                    most=frame.most,
                )
            case Recorded():
                self._hearing.numbers.record(frame.job, frame.tenant, is_success=frame.is_success, times=frame.times)
            case Asked():
                self._say(self._answered(frame))

    def _answered(self, asked: Asked) -> Answer:
        try:
            return Answer(number=asked.number, ids=self._hearing.enqueue(asked))
        # Around a part of the job: what its enqueue raises is the job's, there in the child.
        except Exception as error:  # noqa: BLE001
            return Answer(number=asked.number, error=report(error))

    def _read(self, stream: int) -> bool:
        try:
            received = os.read(stream, CHUNK)
        except BlockingIOError:
            return False
        if not received:
            self._forget(stream)
            return False
        for text in self._lines[stream].feed(received):
            self._hear("stdout" if stream == self._child.out else "stderr", text)
        return True

    def _hear(self, source: str, text: str) -> None:
        text = self._keys[source].hide(text)
        if source == "stderr":
            self.last_lines.append(text)
        level = "INFO" if source == "stdout" else "WARNING"
        self._hearing.line(self._run, LogLine(at=self._clock.now(), level=level, source=source, text=text))

    def _listen(self, _: int) -> None:
        if not self._child.listen() and not self._is_over:
            if self._child.born is not None:
                self._spawning.sweep(self._child.born.guardian, within_s=SILENCE_S)
            self._is_deserted = True

    def _drain(self) -> None:
        """Read what the child had written before it said that it has ended, or before it did."""
        while not self.ended and not self.broken and self._hear_frames():
            pass
        for stream in (self._child.out, self._child.err):
            # As much as a pipe holds: what a process that got away goes on to print is nobody's.
            for _ in range(32):
                if not self._read(stream):
                    break

    def _forget(self, stream: Any) -> None:
        if self._selector.get_map() and stream in self._selector.get_map():
            self._selector.unregister(stream)
