"""Stands in for a stream of the process while a tap is open."""

import io
import sys
from typing import Any, Protocol, TextIO

from rota.core.model import Run


class Hears(Protocol):
    """Whom a router brings what runs write."""

    def run(self) -> Run | None:
        """Return the run that this code belongs to, if it is heard."""

    def wrote(self, run: Run, stream: str, text: str) -> None:
        """Take what a run wrote to a stream."""


class Router(io.TextIOBase):
    """Stands in for a stream of the process: what a run writes goes to who hears it, the rest to the real one."""

    def __init__(self, hears: Hears, stream: str, real: TextIO | None) -> None:
        self._hears = hears
        self.stream: str = stream
        self.real: TextIO | None = real
        self.is_open: bool = True

    def run(self) -> Run | None:
        """Return the run that is writing, if it is heard."""
        return self._hears.run() if self.is_open else None

    def write(self, text: str) -> int:
        run = self.run()
        # A log handler that was made while this stood here: the record itself has been heard.
        if run is None or sys._getframe(1).f_globals.get("__name__") == "logging":
            return len(text) if self.real is None else self.real.write(text)
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._hears.wrote(run, self.stream, text)
        return len(text)

    def flush(self) -> None:
        if self.real is not None:
            self.real.flush()

    def close(self) -> None:
        """Stay open: a job that closes its output must not close that of everybody."""

    def isatty(self) -> bool:
        return self.run() is None and self.real is not None and self.real.isatty()

    def fileno(self) -> int:
        if self.real is None:
            raise io.UnsupportedOperation("fileno")
        return self.real.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property here, an attribute there
        return self.real.encoding if self.real is not None else "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # the same
        return self.real.errors if self.real is not None else "replace"

    @property
    def buffer(self) -> io.RawIOBase:
        """Return where bytes are written."""
        return Binary(self)


class Binary(io.RawIOBase):
    """What `sys.stdout.buffer` is while a tap is open."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def writable(self) -> bool:
        return True

    def write(self, written: "bytes | bytearray | memoryview[int]") -> int:  # type: ignore[override]  # any buffer
        real = getattr(self._router.real, "buffer", None)
        if self._router.run() is None:
            return len(written) if real is None else int(real.write(written))
        self._router.write(bytes(written).decode("utf-8", "backslashreplace"))
        return len(written)

    def flush(self) -> None:
        self._router.flush()

    def close(self) -> None:
        """Stay open."""


def uncovered(stream: object) -> Any:
    """Return the stream that stands under routers which are closed."""
    while isinstance(stream, Router) and not stream.is_open:
        stream = stream.real
    return stream
