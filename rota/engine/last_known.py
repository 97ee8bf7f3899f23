"""What a watchdog knew last, in a file: from it, it goes on when the store is down, and others see that it is alive."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.core.delivery import Delivery
from rota.core.watched import Watched, as_known
from rota.engine.bus import Bus
from rota.engine.judged import Judged, event_of
from rota.errors import StoreUnavailable

log: logging.Logger = logging.getLogger(__name__)

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
    news: tuple[Delivery, ...] = ()
    """What is told while the store, which would keep it, is away: see `Straight`."""


Decide = Callable[[Judged, Sequence[Delivery]], tuple[Delivery, ...]]
"""What there is to tell after a pass, of what there was and what it has found."""


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


class Fallback:
    """What a watchdog does while its store is away: it judges by what was known last, and remembers what it told."""

    def __init__(self, last_known: LastKnown, *, bus: Bus, decide: Decide | None = None) -> None:
        """With `decide` what there is to tell is written down with what is known, before anybody is told."""
        self._last_known = last_known
        self._bus = bus
        self._decide = decide
        self._is_away = False
        self.known: Known | None = last_known.read()

    def judge(self, now: datetime, error: StoreUnavailable, *, clock: str = "") -> Judged:
        """Judge all pairs as they must be by `now`, and tell of those that changed since (H5). `clock`: how it was
        moved, while that keeps the watchdog from calling anything late.

        Raises:
            StoreUnavailable: nothing is known.
        """
        if self.known is None:
            raise error
        if not self._is_away:
            said = self.known.known_at.isoformat(timespec="seconds")
            log.error("judging by what was known at %s: %s", said, error)
        self._is_away = True
        pairs, flips = [], []
        for pair in self.known.pairs:
            state = pair.state if clock else as_known(pair, now=now)
            after = pair if state is pair.state else replace(pair, state=state, flipped_at=now)
            pairs.append(after)
            if after is not pair:
                job = self.known.jobs.get(pair.schedule, pair.schedule)
                flips.append(event_of(after, pair.state, job, reason="the store is down", is_from_memory=True))
        for flip in flips:
            self._bus.publish(flip)
        return Judged(
            at=now,
            known_at=self.known.known_at,
            store=str(error),
            clock=clock,
            pairs=tuple(pairs),
            jobs=self.known.jobs,
            flips=tuple(flips),
        )

    def remember(self, judged: Judged) -> None:
        """Write down what a pass found."""
        if judged.known_at == judged.at:
            self._is_away = False
        news = self.known.news if self.known is not None else ()
        self._keep(
            Known(
                checked_at=judged.at,
                known_at=judged.known_at,
                store=judged.store,
                clock=judged.clock,
                jobs=judged.jobs,
                pairs=judged.pairs,
                news=news if self._decide is None else self._decide(judged, news),
            )
        )

    def tell(self, told: Callable[[Sequence[Delivery]], tuple[Delivery, ...]]) -> None:
        """Have the news told, and write down what is left of it then."""
        if self.known is not None and self.known.news:
            left = told(self.known.news)
            if left != self.known.news:
                self._keep(replace(self.known, news=left))

    def _keep(self, known: Known) -> None:
        self.known = known
        try:
            self._last_known.write(known)
        except OSError as error:
            # A full disk is no reason to watch nothing; the old file is there, and shows its age.
            log.error("cannot write %s: %s", self._last_known.path, error)


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
