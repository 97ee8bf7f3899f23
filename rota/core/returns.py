"""What a job may return or raise besides JSON."""

from collections.abc import Mapping
from datetime import timedelta

from msgspec import Struct


class Result(Struct, frozen=True, kw_only=True):
    """A result that says itself whether it is a success (R43). One that is not is recorded and retried like an
    exception."""

    success: bool = True
    error: object = None
    counts: Mapping[str, float] = {}
    value: object = None


class Snooze(Struct, frozen=True):
    """Come back after `delay`; the attempt does not count."""

    delay: timedelta


class Cancel(Struct, frozen=True):
    """End the run as cancelled."""

    reason: str


class Fail(Struct, frozen=True):
    """End the attempt as failed; without `retry`, the run as well."""

    reason: str
    retry: bool = True
