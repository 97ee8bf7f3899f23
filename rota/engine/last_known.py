"""What a watchdog knew last, in a file: from it, it goes on when the store is down, and others see that it is alive."""

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from rota.core.watched import Watched

SCHEMA = "rota.watchdog/1"
MODE = 0o640
"""Names of jobs and tenants are in it: not for everybody on the machine."""


class Known(Struct, frozen=True, kw_only=True):
    """One look of a watchdog."""

    schema: str = SCHEMA
    checked_at: datetime
    """When it last looked at anything: its heartbeat, for whoever watches the watchdog (H6)."""
    known_at: datetime
    """When it last had an answer of the store; the pairs are as they were then."""
    store: str = "ok"
    """Or why it could not be asked."""
    clock: str = ""
    """How the clock was moved, while that keeps it from judging."""
    jobs: Mapping[str, str]
    """The job of each schedule."""
    pairs: tuple[Watched, ...]


class LastKnown:
    """The file of one watchdog."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Known | None:
        """Return what is in the file; None where there is none, or one that is not understood."""
        try:
            known = msgspec.json.decode(self.path.read_bytes(), type=Known)
        except (OSError, msgspec.MsgspecError):
            # A watchdog that cannot read what it knew begins anew; it must not stay away for that.
            return None
        return known if known.schema == SCHEMA else None

    def write(self, known: Known) -> None:
        """Replace the file at once: whoever reads it finds the old one or the new one, whole (H7).

        Raises:
            OSError: the old one is still there.
        """
        write_atomically(self.path, msgspec.json.encode(known))


def write_atomically(path: Path, content: bytes, *, mode: int = MODE) -> None:
    """Replace a file by one with this content, which is on the disk before it has the name.

    Raises:
        OSError: the old one is still there, and nothing is left beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    # Without it the new name may be lost with the power, and the old file be there again: no harm, only older.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
