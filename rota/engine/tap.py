"""Hears what runs print and log while they run (R44)."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rota.clock import Clock
from rota.context import current_run
from rota.core.model import LogLine, Run
from rota.core.redaction import PrivateKeys
from rota.core.transcript import PartLine
from rota.engine.echo import ECHOES, STREAMS, Echo
from rota.engine.router import Router, uncovered
from rota.redaction import redacted, seam

log: logging.Logger = logging.getLogger(__name__)

Hear = Callable[[Run, LogLine], None]

LEVELS = {"stdout": "INFO", "stderr": "WARNING"}
MOST_PARTS = 4096
"""Streams whose last line is not ended yet. Beyond that the oldest is taken for ended."""


class Tap:
    """While it is open, `hear` gets each line that code of a run prints or logs, in the thread that does.

    What is printed goes to the log of the process as well, unless `echo` is None; what is logged goes there anyway.
    Outside of runs all is as it was. With `heeds` it hears only runs that this is true of: of two taps in one process
    each hears its own. A tap may be opened again while it is open; it closes with the last.
    """

    def __init__(
        self,
        hear: Hear,
        *,
        clock: Clock,
        level: int | str = logging.INFO,
        heeds: Callable[[Run], bool] = lambda run: True,
        echo: Echo | None = None,
    ) -> None:
        self._hear = hear
        self._clock = clock
        self._heeds = heeds
        self._echo = echo
        self._handler = Records(self, level)
        self._streams: list[Router] = []
        self._opened = 0
        # Guards all that changes here. Again by the same thread: a finalizer that prints may run anywhere.
        self._lock = threading.RLock()
        self._parts: dict[tuple[str, int, str], tuple[Run, PartLine]] = {}
        self._telling = threading.local()
        self._has_complained = False
        self._is_job_level_ours = False

    def __enter__(self) -> "Tap":
        with self._lock:
            self._opened += 1
            if self._opened == 1:
                self._open()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._opened -= 1
            if self._opened == 0:
                self._close()

    def ended(self, run: Run) -> None:
        """Take the last line of each stream of an attempt for ended: it is over. Called before it is for the others."""
        for stream in LEVELS:
            with self._lock:
                _, part = self._parts.pop((run.id, run.token, stream), (run, None))
            if part is not None:
                self._tell_lines(run, stream, part.end())
        if self._echo is not None:
            self._echo.ended(run)

    def run(self) -> Run | None:
        """Return the run that this code belongs to, if this tap hears it."""
        run = current_run.get()
        if run is None or not self._heeds(run):
            return None
        # What the telling itself prints or logs is not told: there would be no end of it.
        return None if getattr(self._telling, "now", False) else run

    def wrote(self, run: Run, stream: str, text: str) -> None:
        """Take what a run wrote to a stream, and tell the lines that it ends."""
        key = (run.id, run.token, stream)
        with self._lock:
            if key not in self._parts:
                self._parts[key] = (run, PartLine(redact=PrivateKeys().hide, seam=seam))
            lines = self._parts[key][1].feed(text)
            oldest = next(iter(self._parts)) if len(self._parts) > MOST_PARTS else None
            forgotten = self._parts.pop(oldest) if oldest else None
        self._tell_lines(run, stream, lines)
        if forgotten is not None and oldest is not None:
            self._tell_lines(forgotten[0], oldest[2], forgotten[1].end())

    def logged(self, run: Run, record: logging.LogRecord) -> None:
        """Tell a log record of a run: a line for each line of its text, so that none can pass for another record."""
        with self._safely():
            at = self._clock.now()
            # As a whole: what is secret may go over lines.
            for text in redacted(_text_of(record)).split("\n"):
                self._hear(run, LogLine(at=at, level=record.levelname, source=record.name, text=text))

    def _tell_lines(self, run: Run, stream: str, texts: list[str]) -> None:
        if not texts:
            return
        with self._safely():
            at = self._clock.now()
            for text in texts:
                line = LogLine(at=at, level=LEVELS[stream], source=stream, text=text)
                self._hear(run, line)
                if self._echo is None:
                    continue
                if is_heard(STREAMS[stream]):
                    self._echo.say(run, line)
                else:
                    self._show(stream, text)

    def _show(self, stream: str, text: str) -> None:
        """Write a line where it would have gone: nobody has set up logging."""
        for router in self._streams:
            if router.stream == stream and router.real is not None:
                router.real.write(f"{redacted(text)}\n")

    @contextmanager
    def _safely(self) -> Iterator[None]:
        """Keep what goes wrong from the job: that its output cannot be kept is not its failure."""
        self._telling.now = True
        try:
            yield
        except Exception as error:  # noqa: BLE001
            # Once: it may go wrong with every line.
            if not self._has_complained:
                self._has_complained = True
                log.warning("what runs print cannot be kept: %s: %s", type(error).__name__, error)
        finally:
            self._telling.now = False

    def _open(self) -> None:
        self._streams = [Router(self, "stdout", sys.stdout), Router(self, "stderr", sys.stderr)]
        sys.stdout, sys.stderr = self._streams
        logging.getLogger().addHandler(self._handler)
        # What a job says by `ctx.log` is kept as the settings say, also where logging was not set up and starts at
        # warnings.
        job = logging.getLogger("rota.job")
        self._is_job_level_ours = job.level == logging.NOTSET and job.getEffectiveLevel() > self._handler.level
        if self._is_job_level_ours:
            job.setLevel(self._handler.level)

    def _close(self) -> None:
        for run, part, stream in [(run, part, key[2]) for key, (run, part) in self._parts.items()]:
            self._tell_lines(run, stream, part.end())
        self._parts.clear()
        logging.getLogger().removeHandler(self._handler)
        if self._is_job_level_ours:
            logging.getLogger("rota.job").setLevel(logging.NOTSET)
        for router in self._streams:
            router.is_open = False
        # Somebody may have put something over ours, which goes on writing to it: then it stays, and passes all on.
        sys.stdout = uncovered(sys.stdout)
        sys.stderr = uncovered(sys.stderr)


class Records(logging.Handler):
    """Takes log records of runs to the tap."""

    def __init__(self, tap: Tap, level: int | str) -> None:
        super().__init__(level)
        self._tap = tap

    def emit(self, record: logging.LogRecord) -> None:
        run = self._tap.run()
        if run is not None and record.name not in ECHOES:
            self._tap.logged(run, record)
        # Because this handler is there, `logging` takes every record for handled, and keeps its last resort back.
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not is_heard(record.name):
            last.handle(record)


def is_heard(name: str) -> bool:
    """Return whether a handler takes the records of this logger, besides taps."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        if any(not isinstance(handler, Records) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _text_of(record: logging.LogRecord) -> str:
    """Return the message with its traceback."""
    return _plain.format(record)


_plain = logging.Formatter("%(message)s")
