"""Counts as people say them."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 run`, `1,204 runs`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
