"""The program of the spawner and its children: imports the application once, then calls its jobs' functions."""

import faulthandler
import logging
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from contextvars import Context
from math import ceil
from queue import SimpleQueue
from types import FrameType
from typing import TextIO

from msgspec import Struct
from msgspec.structs import replace

from rota.app import Rota
from rota.context import StopSignal
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome, Run
from rota.core.size import size_text
from rota.core.unique import UniqueRun
from rota.errors import AppNotFound, RotaError, Stopped, StoreUnavailable
from rota.executors.call import ending_of_error, execute, report
from rota.executors.frames import (
    Answer,
    Asked,
    Ended,
    Frames,
    Logged,
    Progressed,
    Setup,
    Start,
    Stop,
    Taken,
    ToChild,
    framed,
)
from rota.executors.kernel import heap
from rota.executors.numbers import RelayedNumbers
from rota.executors.spawner import Spawner
from rota.executors.wear import condition, worn
from rota.numbers import open_numbers
from rota.place import find_app, heard
from rota.redaction import redacted
from rota.relay import RelayStore

LONGEST_RECORD = 16 * 1024
"""Characters kept of one log record."""

ROOM = 16 << 20
"""Bytes of memory that the least limit leaves a job beyond what its process has already."""

NO_RESULT = 70
"""Exit status of a child that could not say how its run ended: EX_SOFTWARE of sysexits.h."""


def main(descriptor: int) -> None:
    """Serve the worker that holds the other end of this socket, until it ends."""
    program = Program()
    with socket.socket(fileno=descriptor) as asked:
        Spawner(asked, load=program.load, run=program.run).serve()


class Program:
    """The application, in the spawner and in what is forked from it."""

    def __init__(self) -> None:
        self._app: Rota | None = None

    def load(self, setup: Setup) -> ErrorReport | None:
        """Import the application; return why it cannot be, for every run that is asked for."""
        try:
            app = find_app(setup.place, preload=setup.preload)
            if not isinstance(app, Rota):
                raise AppNotFound(f"{setup.place} is no Rota object, but a {type(app).__name__}")
            app.configure(heard(setup.settings, code=app.settings))
        # Around the application's own code, as around a job: recorded as the error of each run that needs it (F17).
        except BaseException as error:  # noqa: BLE001
            return report(error)
        self._app = app
        return None

    def run(self, control: int) -> None:
        """Be a child: do what the worker says on this socket, until it says no more."""
        assert self._app is not None, "an application that cannot be imported has no children"
        with socket.socket(fileno=control) as line:
            Workplace(self._app, line).work()


class Workplace:
    """One child process: its main thread calls functions, a second one listens to the worker."""

    def __init__(self, app: Rota, control: socket.socket) -> None:
        self._app = app
        self._control = control
        self._one_says = threading.Lock()
        self._one_asks = threading.Lock()
        self._asked = 0
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._starts: SimpleQueue[tuple[Start, StopSignal] | None] = SimpleQueue()
        self._stop = StopSignal()
        self._pid = os.getpid()
        self._is_running = False
        self._was_interrupted = False
        self._main = threading.get_ident()
        self._is_saying = False
        """Whether the main thread is sending a frame."""
        self._is_due = False
        """Whether SIGTERM came meanwhile."""
        self._numbers = RelayedNumbers(self._say, clock=app.clock)
        open_numbers.add(self._numbers)
        self._invocation = app.invocation(
            tell_progress=lambda _, done, total: self._tell_progress(done, total), numbers=self._numbers
        )

    def work(self) -> None:
        """Call what the worker asks for, one after another."""
        sys.stdout, sys.stderr = _stream(1), _stream(2)
        # Where a crash in C happened: the last lines of standard error are kept with its run.
        faulthandler.enable(file=sys.stderr)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._take_log_records()
        self._app.use_store(RelayStore(self._enqueue, clock=self._app.clock))
        signal.signal(signal.SIGTERM, self._interrupt)
        # A stack counts as memory of the job's.
        threading.stack_size(256 << 10)
        threading.Thread(target=self._listen, name="rota-worker", daemon=True).start()
        threading.stack_size(0)
        while (work := self._starts.get()) is not None:
            self._run(*work)
            del work

    def _run(self, start: Start, stop: StopSignal) -> None:
        run = start.brief.run
        self._app.clock.anchor(start.now)
        function = self._app.jobs.get(run.job)
        if function is None:
            message = f"the application, as a child process imports it, has no job {run.job!r}"
            return self._end(_failed(start, ErrorReport(type="JobNotFound", message=message)), wear="")
        refusal = limit(start)
        if refusal is not None:
            return self._end(_failed(start, refusal, retry=False), wear="limits")
        self._say(Taken())
        before = condition()
        registered = function.registered
        registered.signature.hide(run.args)
        ending = self._call(lambda: self._invocation.call(registered, start.brief, stop), start, stop)
        if os.getpid() != self._pid:
            # A fork of the job's own that came back here: the run is its parent's.
            os._exit(0)
        lift(start)
        sys.stdout.flush()
        sys.stderr.flush()
        return self._end(_said(ending, start), wear=worn(before, condition()))

    def _call(self, function: Callable[[], object], start: Start, stop: StopSignal) -> Ending:
        self._was_interrupted = False
        try:
            self._is_running = True
            ending: Ending = Context().run(execute, function, stop=stop, started_at=start.started_at)
            self._is_running = False
        except Stopped as error:
            # SIGTERM between the job and the line above.
            self._is_running = False
            ending = ending_of_error(error, stop=stop, started_at=start.started_at)
        except MemoryError:
            # There was not even room to describe what the job raised; what is lifted now leaves some.
            self._is_running = False
            lift(start)
            ending = _failed(start, ErrorReport(type="MemoryError", message="no memory is left"))
        if self._was_interrupted and not stop.is_set() and ending.outcome is Outcome.FAILED:
            return replace(ending, outcome=Outcome.LOST)
        return ending

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Raise `Stopped` in the job, once: what it does in `finally` is not cut short by a second signal."""
        if not self._is_running:
            return
        if self._was_interrupted:
            return
        self._was_interrupted = True
        self._is_due = self._is_saying
        if not self._is_saying:
            raise Stopped(self._reason)

    @property
    def _reason(self) -> str:
        return self._stop.reason or "SIGTERM, which its worker did not send"

    # --- the line to the worker ---

    def _listen(self) -> None:
        frames: Frames[ToChild] = Frames(ToChild)
        received = b" "
        while received:
            try:
                received = self._control.recv(1 << 16)
            except OSError:
                # The job closed it.
                break
            for frame in frames.feed(received):
                match frame:
                    case Start():
                        self._stop = StopSignal()
                        self._starts.put((frame, self._stop))
                    case Stop():
                        self._stop.set(frame.reason, outcome=frame.outcome, grace=frame.grace)
                    case Answer():
                        self._answers.put(frame)
        self._starts.put(None)

    def _say(self, frame: Struct) -> None:
        text = framed(frame)
        if threading.get_ident() != self._main:
            self._send(text)
            return
        # Half a frame would be the end of the line: SIGTERM waits until all of it is sent.
        self._is_saying = True
        try:
            self._send(text)
        finally:
            self._is_saying = False
        if self._is_due:
            self._is_due = False
            raise Stopped(self._reason)

    def _send(self, text: bytes) -> None:
        with self._one_says:
            self._control.sendall(text)

    def _end(self, ending: Ending, *, wear: str) -> None:
        try:
            self._numbers.send()
            self._say(Ended(ending=ending, worn=wear))
        except OSError:
            # The job closed the line; the exit status is all that is left to say.
            os._exit(NO_RESULT)

    def _tell_progress(self, done: int, total: int | None) -> None:
        self._say(Progressed(done=done, total=total))

    def _enqueue(self, runs: Sequence[Run], unique: Sequence[UniqueRun]) -> list[str]:
        with self._one_asks:
            self._asked += 1
            self._say(Asked(number=self._asked, runs=list(runs), unique=list(unique)))
            # An earlier answer may still come: who asked for it was stopped while it waited.
            while (answer := self._answers.get()).number != self._asked:
                pass
        if answer.error is not None:
            kind = StoreUnavailable if answer.error.type == "StoreUnavailable" else RotaError
            raise kind(f"{answer.error.type}: {answer.error.message}")
        return answer.ids

    # --- log records ---

    def _take_log_records(self) -> None:
        root = logging.getLogger()
        # What the application's handlers write to standard error would be heard twice.
        root.handlers[:] = [Teller(self._say)]
        root.setLevel(self._app.settings.logging.level.value)
        logging.captureWarnings(True)


def _stream(number: int) -> TextIO:
    return open(number, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


class Teller(logging.Handler):
    """Sends log records to the worker."""

    def __init__(self, say: Callable[[Struct], None]) -> None:
        super().__init__()
        self._say_frame = say

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Before it is cut, and as a whole: what is secret may go over lines.
            text = plain(redacted(self.format(record))[:LONGEST_RECORD])
            self._say_frame(Logged(level=record.levelname, source=record.name, text=text))
        except Stopped:
            raise
        # As every handler of `logging` does: a record that cannot be shown is reported on standard error.
        except Exception:  # noqa: BLE001
            self.handleError(record)


# --- limits ---


def limit(start: Start) -> ErrorReport | None:
    """Set the limits of a run in this process; return why they cannot be."""
    if start.max_memory is not None:
        least = heap(os.getpid()) + ROOM
        if start.max_memory < least:
            megabytes = ceil(least / (1 << 20))
            message = f"max_memory={size_text(start.max_memory)} is less than a child needs: {megabytes}MB is the least"
            return ErrorReport(type="OverLimit", message=message)
        # The hard limit leaves room to say how it ended.
        resource.setrlimit(resource.RLIMIT_DATA, (start.max_memory, start.max_memory + 2 * ROOM))
    if start.max_cpu is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = ceil(used.ru_utime + used.ru_stime + start.max_cpu.total_seconds())
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
    return None


def lift(start: Start) -> None:
    """Let this process use more again than its run might."""
    if start.max_memory is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
    if start.max_cpu is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


def _said(ending: Ending, start: Start) -> Ending:
    """Return the ending with a name for a limit that was met, and only text that can be sent."""
    error = ending.error
    if error is not None and error.type == "MemoryError" and start.max_memory is not None:
        error = replace(error, message=f"over its memory limit of {size_text(start.max_memory)}")
    if error is not None:
        error = replace(
            error,
            type=plain(error.type),
            message=plain(error.message),
            traceback=plain(error.traceback),
            place=plain(error.place),
        )
    reason = None if ending.reason is None else plain(ending.reason)
    return replace(ending, error=error, reason=reason, classes=tuple(map(plain, ending.classes)))


def plain(text: str) -> str:
    """Return text that has a UTF-8 form: a lone surrogate, as in the name of an odd file, is written as `\\udcff`."""
    return text.encode("utf-8", "backslashreplace").decode()


def _failed(start: Start, error: ErrorReport, *, retry: bool = True) -> Ending:
    return Ending(outcome=Outcome.FAILED, started_at=start.started_at, error=error, retry=retry)
