"""Token buckets: how fast somebody may go on, so many a second, and some at once after a pause (T58, T59)."""

from msgspec import Struct


class Bucket(Struct, frozen=True, kw_only=True):
    """What somebody may still do at once, as it stood at an instant of a clock that only grows."""

    left: float
    at: float


class Spent(Struct, frozen=True, kw_only=True):
    """What became of the wish to do something."""

    bucket: Bucket
    wait_s: float
    """0, or when it may be done: nothing was taken then."""


def spent(bucket: Bucket | None, *, rate: float, burst: float, now: float, cost: float = 1.0) -> Spent:
    """Take `cost` from a bucket that fills by `rate` a second up to `burst`; None is a full one.

    What costs more than it ever holds may be done when it is full, and is paid for afterwards.
    """
    left = burst if bucket is None else min(burst, bucket.left + max(now - bucket.at, 0.0) * rate)
    needed = min(cost, burst)
    if left < needed:
        return Spent(bucket=Bucket(left=left, at=now), wait_s=(needed - left) / rate)
    return Spent(bucket=Bucket(left=left - cost, at=now), wait_s=0.0)
