"""What one attempt says, bounded: its head and its tail are kept, the middle is counted (R44)."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from rota.core.model import LogChunk, LogLine, Note
from rota.core.safe import safe_text

LONGEST = 8 << 10
"""Characters of one line; of a longer one the middle is cut out."""
HEAD = LONGEST - LONGEST // 4
TAIL = LONGEST // 4
CUT = " [… %d characters left out …] "
OVERHEAD = 64
"""Bytes that a line costs besides its text, so that empty lines are not free."""
CHUNK = 64 << 10
"""Bytes of lines that are written in one piece, about: what is dropped at a time."""

MOST_PROGRESS = 2**63 - 1

Seam = Callable[[str, str], tuple[str, str]]
"""Takes what is left of a secret out of the ends of a text whose middle is cut out."""


def untouched(head: str, tail: str) -> tuple[str, str]:
    """Return both ends as they are."""
    return head, tail


def cut(text: str, *, seam: Seam = untouched) -> str:
    """Return `text`, or its beginning and end with a mark between them that says how much is left out."""
    # What was cut before is a little longer for its mark, and is not cut again.
    if len(text) <= LONGEST + 2 * len(CUT):
        return text
    head, tail = seam(text[:HEAD], text[-TAIL:])
    return head + CUT % (len(text) - LONGEST) + tail


def harmless(text: str, *, seam: Seam = untouched) -> str:
    """Return one line of a run as it is kept: of bounded length, its control characters written out, tabs kept."""
    return safe_text(cut(text, seam=seam).replace("\n", "\\n"), lines=True)


def size_of(line: LogLine) -> int:
    """Return how many bytes a line counts for."""
    text = line.text
    return OVERHEAD + (len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


class PartLine:
    """The line of a stream that is still being written. However long it grows, it takes the memory of one line."""

    __slots__ = ("_head", "_redact", "_seam", "_seen", "_tail")

    def __init__(self, *, redact: Callable[[str], str] = str, seam: Seam = untouched) -> None:
        """`redact` hides what a line is part of; `seam` takes halves of it out of the ends of a line that is cut."""
        self._redact = redact
        self._seam = seam
        self._head = ""
        self._tail = ""
        self._seen = 0

    def feed(self, text: str) -> list[str]:
        """Take what was written, and return the lines that it ends."""
        *whole, rest = text.split("\n")
        if not whole:
            self._take(rest)
            return []
        self._take(whole[0])
        lines = [self._end()]
        for line in whole[1:]:
            self._take(line)
            lines.append(self._end())
        self._take(rest)
        return lines

    def end(self) -> list[str]:
        """Return what is left when nothing more comes: one line, or none."""
        return [self._end()] if self._seen else []

    def _take(self, text: str) -> None:
        self._seen += len(text)
        free = HEAD - len(self._head)
        if free > 0:
            self._head += text[:free]
            text = text[free:]
        if text:
            self._tail = (self._tail + text)[-TAIL:]

    def _end(self) -> str:
        left_out = self._seen - len(self._head) - len(self._tail)
        head, tail = self._seam(self._head, self._tail) if left_out else (self._head, self._tail)
        self._head, self._tail, self._seen = "", "", 0
        return self._redact((head + (CUT % left_out if left_out else "") + tail).removesuffix("\r"))


class Transcript:
    """The lines of one attempt on their way into a store, as notes.

    At most `most` bytes stay: the first half and the last. While the middle goes by, what was written of it is
    dropped again, and a chunk without lines in its place counts all that is missing. No more than an eighth of `most`
    is written at a time, so that a job which floods its log does not flood the store; what is overtaken meanwhile is
    counted as well, and the last half is written at the end.

    A note that was not acknowledged is offered again as it was, so that a store which has it already adds nothing.
    """

    def __init__(self, run_id: str, token: int, *, most: int, redact: Callable[[str], str] = str) -> None:
        """`redact` takes secrets out of the lines that are written: not of those that are left out, which may be
        millions."""
        self._redact = redact
        self._run_id = run_id
        self._token = token
        self._half = most // 2
        self._at_once = max(most // 8, OVERHEAD)
        self._head_left = self._half
        self._head: deque[LogLine] = deque()
        self._tail: deque[LogLine] = deque()
        self._tail_bytes = 0
        self._left_out = 0
        """Lines before the first of `_tail` that are missing and not told yet."""
        self._number = 0
        self._kept: deque[Kept] = deque()
        """Chunks of the tail that were written, oldest first."""
        self._kept_bytes = 0
        self._gap: int | None = None
        """The number of the chunk without lines, if there is one."""
        self._dropped = 0
        """How many lines it counts."""
        self._progress: tuple[int, int | None] | None = None
        self._unsent: Note | None = None
        self.is_ended: bool = False

    def add(self, line: LogLine) -> None:
        """Take a line."""
        size = size_of(line)
        if self._head_left >= size:
            self._head.append(line)
            self._head_left -= size
            return
        self._head_left = 0
        self._tail.append(line)
        self._tail_bytes += size
        while self._tail_bytes > self._half and len(self._tail) > 1:
            self._tail_bytes -= size_of(self._tail.popleft())
            self._left_out += 1

    def progress(self, done: int, total: int | None) -> None:
        """Take how far the attempt has come; only what is newest is told."""
        bounded = None if total is None else min(max(total, 0), MOST_PROGRESS)
        self._progress = min(max(done, 0), MOST_PROGRESS), bounded

    @property
    def is_told(self) -> bool:
        """Whether there is nothing left to write."""
        return self._unsent is None and self._progress is None and not self._head and not self._tail

    def next_note(self, *, everything: bool = False) -> Note | None:
        """Return what is to be written now, or None. The same again until it is `written`."""
        if self._unsent is None and not self.is_told:
            self._unsent = self._noted(everything=everything or self.is_ended)
        return self._unsent

    def written(self, note: Note) -> None:
        """Take note that the store has this note."""
        # Of two threads that write, the slower one must not take the next note for written.
        if self._unsent is note:
            self._unsent = None

    def _noted(self, *, everything: bool) -> Note:
        budget = 2 * self._half if everything else self._at_once
        head = _taken(self._head, budget)
        chunks = [self._chunk(lines, 0) for lines in _pieces(head)]
        tail = _taken(self._tail, budget - sum(map(size_of, head)))
        self._tail_bytes -= sum(map(size_of, tail))
        for lines in _pieces(tail):
            chunk = self._chunk(lines, self._left_out)
            self._left_out = 0
            chunks.append(chunk)
            self._kept.append(Kept(chunk.number, sum(map(size_of, lines)), len(lines) + chunk.left_out))
            self._kept_bytes += self._kept[-1].size
        drop = self._overtaken()
        if drop is not None:
            gap = LogChunk(run_id=self._run_id, token=self._token, number=drop[1] - 1, lines=(), left_out=self._dropped)
            # Those of this very note that were overtaken in it are not written at all.
            chunks = [gap, *(chunk for chunk in chunks if not drop[0] <= chunk.number < drop[1])]
        done, total = self._progress or (None, None)
        self._progress = None
        return Note(run_id=self._run_id, token=self._token, done=done, total=total, chunks=tuple(chunks), drop=drop)

    def _chunk(self, lines: tuple[LogLine, ...], left_out: int) -> LogChunk:
        number, self._number = self._number, self._number + 1
        shown = tuple(replace(line, text=self._redact(line.text)) for line in lines)
        return LogChunk(run_id=self._run_id, token=self._token, number=number, lines=shown, left_out=left_out)

    def _overtaken(self) -> tuple[int, int] | None:
        """Return which chunks are to be deleted, the count of the time before included; None when all fit."""
        overtaken = []
        while self._kept_bytes > self._half and len(self._kept) > 1:
            kept = self._kept.popleft()
            self._kept_bytes -= kept.size
            self._dropped += kept.lines
            overtaken.append(kept.number)
        if not overtaken:
            return None
        first = overtaken[0] if self._gap is None else self._gap
        self._gap = overtaken[-1]
        return first, overtaken[-1] + 1


class Kept(NamedTuple):
    """A chunk that was written, without its lines."""

    number: int
    size: int
    lines: int


def _taken(lines: deque[LogLine], budget: int) -> list[LogLine]:
    """Remove and return lines from the left, as many as it takes to use up the budget."""
    taken = []
    while lines and budget > 0:
        taken.append(lines.popleft())
        budget -= size_of(taken[-1])
    return taken


def _pieces(lines: Sequence[LogLine]) -> Iterator[tuple[LogLine, ...]]:
    """Divide lines into pieces of about CHUNK bytes."""
    piece: list[LogLine] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += size_of(line)
        if size >= CHUNK:
            yield tuple(piece)
            piece, size = [], 0
    if piece:
        yield tuple(piece)
