"""A change that is only to be made to what was read: `If-Match` with the version that an ETag told (RFC 9110)."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from rota.errors import BadRequest
from rota.operations.operation import Question

NOTHING = 0
"""The version of what is not there yet: what `If-None-Match: *` asks for."""


def conditioned(asked: Question, headers: Mapping[str, str]) -> Question:
    """Return the question with the version that its headers expect.

    Raises:
        BadRequest: they cannot be read, contradict the body, or this is not changed by versions.
    """
    wanted = _wanted(headers)
    if wanted is None:
        return asked
    told: Any = asked
    if not hasattr(told, "expected_version"):
        raise BadRequest("If-Match", "this is not changed by versions")
    if told.expected_version not in (None, wanted):
        raise BadRequest("If-Match", f"it says version {wanted}, and the body says {told.expected_version}")
    return replace(asked, expected_version=wanted)


def etag_of(answer: object) -> str | None:
    """Return the ETag of an answer that has a version; None of others."""
    version = getattr(answer, "version", None)
    return f'"{version}"' if isinstance(version, int) else None


def _wanted(headers: Mapping[str, str]) -> int | None:
    if headers.get("if-none-match") == "*":
        return NOTHING
    given = headers.get("if-match")
    if given is None:
        return None
    version = given.strip().strip('"')
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise BadRequest("If-Match", "the version that the ETag told, as it is")
    return int(version)
