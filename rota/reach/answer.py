"""What comes back from a web address, and what tells where a name leads."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

Resolve = Callable[[str, int], Sequence[str]]
"""Returns all addresses of a host, for a port."""


class Answer(Struct, frozen=True, kw_only=True):
    """What came back. The other end wrote every byte of it."""

    status: int
    headers: Mapping[str, str]
    """By their names in lower case; of several alike the first."""
    body: bytes
    is_whole: bool
    """False where time or bytes were used up, or the connection broke, before the end of the body."""
