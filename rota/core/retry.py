"""How long a run waits before its next attempt."""

from datetime import datetime, timedelta
from random import Random

from rota.core.duration import duration_text
from rota.core.exceptions import named
from rota.core.policy import Exceptions, Retry

MOST_SHOWN = 5
"""Waits that are named one by one in a text."""

LONGEST_WAIT = timedelta(days=3650)
"""No run waits longer, whoever asks for it."""


def wait(retry: Retry, *, attempt: int, random: Random) -> timedelta:
    """Return the pause after the `attempt`-th attempt (from 1) failed.

    The wait of that number where they are named one by one; else `base * factor ** (attempt - 1)`, at most `max_wait`.
    Full jitter draws evenly between zero and that: of the usual forms it spreads a crowd best and waits least in sum.
    """
    longest = min(_longest(retry, attempt), LONGEST_WAIT)
    return longest * random.random() if retry.jitter else longest


def is_too_late(retry: Retry, *, first_at: datetime | None, at: datetime) -> bool:
    """Whether an attempt that begins `at` this instant would be one too late after the first, which began `first_at`.

    Where that is not known, because no attempt has used one up yet, it is the first itself.
    """
    return retry.max_elapsed is not None and first_at is not None and at - first_at > retry.max_elapsed


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


def retry_text(retry: Retry) -> str:
    """Return a policy in words: `5 attempts, 10s, 1m and 10m apart, only after OSError`."""
    if retry.attempts == 1:
        return "one attempt"
    texts = [f"{retry.attempts} attempts", f"{_waits_text(retry)} apart{' at most' if retry.jitter else ''}"]
    texts += [f"only after {_names_text(retry.on)}"] if retry.on else []
    texts += [f"not after {_names_text(retry.not_on)}"] if retry.not_on else []
    texts += [too_late_text(retry)] if retry.max_elapsed is not None else []
    return ", ".join(texts)


def too_late_text(retry: Retry) -> str:
    """Return for how long there are attempts, in words."""
    return f"none later than {duration_text(retry.max_elapsed or timedelta(0))} after the first"


def _waits_text(retry: Retry) -> str:
    waits = [duration_text(_longest(retry, attempt)) for attempt in range(1, min(retry.attempts, MOST_SHOWN + 1))]
    if len(set(waits)) == 1:
        return waits[0]
    if retry.attempts - 1 > MOST_SHOWN:
        return f"{', '.join(waits)} and so on"
    return f"{', '.join(waits[:-1])} and {waits[-1]}"


def _names_text(names: Exceptions) -> str:
    return ", ".join(name.removeprefix("builtins.") for name in named(names))


def _longest(retry: Retry, attempt: int) -> timedelta:
    if retry.waits:
        return retry.waits[min(attempt, len(retry.waits)) - 1]
    try:
        return min(retry.base * retry.factor ** (attempt - 1), retry.max_wait)
    except OverflowError:
        return retry.max_wait
