"""When a worker process that has ended is started again, and what its end is called."""

import signal
from datetime import timedelta

FIRST_PAUSE = timedelta(milliseconds=200)
LONGEST_PAUSE = timedelta(seconds=30)
SETTLED = timedelta(seconds=60)
"""A process that lived for so long did not fail at its start: the next one is not held back for the ones before."""

REPLACE = 75
"""The exit code of a process that asks to be replaced: a job in it does not stop. `EX_TEMPFAIL` of sysexits.h."""

REFUSALS = frozenset({1, 2, 3, 5, 70})
"""Exit codes that a first start repeated would end with again: `cli.exits` says what they mean."""


def failures_after(failures: int, *, lived: timedelta) -> int:
    """Return how many ends there are in a row that came too early, with this one."""
    return 1 if lived >= SETTLED else failures + 1


def pause_before(failures: int, *, code: int) -> timedelta:
    """Return how long to wait after the last of so many ends in a row, which had this exit code."""
    if code == REPLACE and failures <= 1:
        # It has given back its runs and said why. Only one that asks again and again is held back.
        return timedelta(0)
    # At most so many doublings: the number of failures has no bound.
    return min(FIRST_PAUSE * (1 << min(max(failures - 1, 0), 10)), LONGEST_PAUSE)


def is_refusal(code: int, *, worked: bool) -> bool:
    """Whether an end means that it is no use to go on: nothing has worked yet, and it says that nothing can."""
    return not worked and code in REFUSALS


def ended_by(code: int) -> str:
    """Return in words how a process ended; a signal has its negative number as code."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"was killed by signal {-code}"
