"""How long a run waits before its next attempt."""

from datetime import timedelta
from random import Random

from rota.core.policy import Retry


def wait(retry: Retry, *, attempt: int, random: Random) -> timedelta:
    """Return the pause after the `attempt`-th attempt (from 1) failed.

    `base * factor ** (attempt - 1)`, at most `max_wait`. Full jitter draws evenly between zero and that: of the usual
    forms it spreads a crowd best and waits least in sum.
    """
    try:
        longest = min(retry.base * retry.factor ** (attempt - 1), retry.max_wait)
    except OverflowError:
        longest = retry.max_wait
    return longest * random.random() if retry.jitter else longest
