"""Bytes of a pipe as lines, in bounded memory."""

from collections.abc import Iterator

from rota.redaction import seam

LONGEST = 16 * 1024
"""Bytes kept of one line; a program may print 100 MB without a line break."""


class Lines:
    """Cuts one stream into lines as it comes."""

    def __init__(self) -> None:
        self._begun = bytearray()
        self._more = 0

    def feed(self, received: bytes) -> Iterator[str]:
        """Yield the lines that are complete; of one longer than LONGEST its head, with a mark."""
        *whole, rest = received.split(b"\n")
        for part in whole:
            self._keep(part)
            yield self._taken()
        self._keep(rest)

    def flush(self) -> Iterator[str]:
        """Yield what the stream ended with, without a line break."""
        if self._begun:
            yield self._taken()

    def _keep(self, part: bytes) -> None:
        room = LONGEST - len(self._begun)
        self._begun += part[:room]
        self._more += max(len(part) - room, 0)

    def _taken(self) -> str:
        text = self._begun.removesuffix(b"\r").decode("utf-8", "replace")
        if self._more:
            text, _ = seam(text, "")
            text += f"... ({self._more:,} bytes more)"
        self._begun.clear()
        self._more = 0
        return text
