"""What a token has to say so that it is believed (R62; section 4 of the rules of tokens: J3 to J8)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from rota.core.access import Capability, Principal

LEEWAY = timedelta(seconds=30)
"""By how much two clocks may differ."""

LONGEST = 200
"""Characters of a subject or of the id of a token."""


class Untrusted(ValueError):
    """A token is not to be believed. Why goes into the log, and never to whoever sent it (J19)."""


class Expected(Struct, frozen=True, kw_only=True):
    """What a token has to be for."""

    audience: str
    issuer: str | None = None
    longest_life: timedelta = timedelta(hours=1)


def principal_of(payload: Mapping[str, Any], *, expected: Expected, now: datetime) -> Principal:
    """Return whom a payload whose signature was verified stands for.

    Raises:
        Untrusted: with the claim and the reason.
    """
    check_times(payload, expected.longest_life, now)
    _check_audience(payload.get("aud"), expected.audience)
    if expected.issuer is not None and payload.get("iss") != expected.issuer:
        raise Untrusted("iss: another issuer")
    return Principal(
        subject=_text(payload, "sub"),
        capabilities=_capabilities(payload.get("scope")),
        jobs=_jobs(payload.get("jobs")),
        tenants=_tenants(payload.get("tenants")),
        token_id=_text(payload, "jti") if "jti" in payload else "",
    )


def check_times(payload: Mapping[str, Any], longest_life: timedelta, at: datetime) -> None:
    """Refuse a payload at a time that is not its own.

    Raises:
        Untrusted: it has expired, is of the future, or lives too long.
    """
    now, leeway = at.timestamp(), LEEWAY.total_seconds()
    issued, expires = _seconds(payload, "iat"), _seconds(payload, "exp")
    if now >= expires + leeway:
        raise Untrusted("exp: it has expired")
    if issued > now + leeway:
        raise Untrusted("iat: it is of the future")
    if expires <= issued:
        raise Untrusted("exp: not after iat")
    if expires - issued > longest_life.total_seconds():
        raise Untrusted("exp: it lives longer than tokens may")
    if "nbf" in payload and _seconds(payload, "nbf") > now + leeway:
        raise Untrusted("nbf: it is not valid yet")


def _seconds(payload: Mapping[str, Any], claim: str) -> float:
    value = payload.get(claim)
    # True is an int; NaN compares with nothing; both have let tokens pass elsewhere.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise Untrusted(f"{claim}: no time")
    return float(value)


def _check_audience(given: Any, wanted: str) -> None:
    audiences = [given] if isinstance(given, str) else given
    if not isinstance(audiences, list) or not all(isinstance(one, str) for one in audiences):
        raise Untrusted("aud: neither a text nor a list of texts")
    if wanted not in audiences:
        raise Untrusted("aud: for somebody else")


def _text(payload: Mapping[str, Any], claim: str) -> str:
    value = payload.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
        raise Untrusted(f"{claim}: no text of 1 to {LONGEST} printable characters")
    return value


def _capabilities(scope: Any) -> frozenset[Capability]:
    words = scope.split() if isinstance(scope, str) else scope
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise Untrusted("scope: neither a text of words nor a list of them")
    # Words of others are theirs: an identity provider puts its own beside ours.
    return frozenset(Capability(word) for word in words if word in {str(one) for one in Capability})


def _jobs(given: Any) -> tuple[str, ...]:
    if given is None:
        return ("*",)
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Untrusted("jobs: no list of patterns")
    return tuple(given)


def _tenants(given: Any) -> frozenset[str] | None:
    if given is None or given == "*":
        return None
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise Untrusted('tenants: neither "*" nor a list of names')
    # A list that names everybody is a slip of whoever made it, and no way to ask for all.
    return frozenset(given)
