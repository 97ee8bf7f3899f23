"""How long a run waits before its next attempt."""

from datetime import timedelta
from random import Random

from rota.core.policy import Retry

LONGEST_WAIT = timedelta(days=3650)
"""No run waits longer, whoever asks for it."""


def wait(retry: Retry, *, attempt: int, random: Random) -> timedelta:
    """Return the pause after the `attempt`-th attempt (from 1) failed.

    The wait of that number where they are named one by one; else `base * factor ** (attempt - 1)`, at most `max_wait`.
    Full jitter draws evenly between zero and that: of the usual forms it spreads a crowd best and waits least in sum.
    """
    longest = min(_longest(retry, attempt), LONGEST_WAIT)
    return longest * random.random() if retry.jitter else longest


def asked_wait(error: BaseException) -> timedelta | None:
    """Return the pause that an exception itself asks for by an attribute `retry_after`: seconds, or a timedelta.

    Many clients of web services have it on what they raise for "too many requests". What is no such length, or a
    negative one, asks for nothing; none is longer than `LONGEST_WAIT`.
    """
    asked = getattr(error, "retry_after", None)
    if isinstance(asked, timedelta):
        return None if asked < timedelta(0) else min(asked, LONGEST_WAIT)
    if not isinstance(asked, int | float) or isinstance(asked, bool) or not asked >= 0:
        return None
    return timedelta(seconds=min(asked, LONGEST_WAIT.total_seconds()))


def _longest(retry: Retry, attempt: int) -> timedelta:
    if retry.waits:
        return retry.waits[min(attempt, len(retry.waits)) - 1]
    try:
        return min(retry.base * retry.factor ** (attempt - 1), retry.max_wait)
    except OverflowError:
        return retry.max_wait
