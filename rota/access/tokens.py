"""Tokens as text: taken apart strictly, believed only as a key of ours says (R62, J1 to J19)."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, NoReturn

from rota.access.keys import Algorithm, Key, Keys, load_jwt
from rota.core.access import Principal
from rota.core.claims import Expected, Untrusted, principal_of

LONGEST = 8 * 1024
"""Characters of a token (J14)."""

LONGEST_ID = 200
"""Characters of the id of a key."""

DEEPEST = 16

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")


class UnknownKey(Untrusted):
    """It names a key that is not here; it may be one that an identity provider has just begun to use."""


class Tokens:
    """Says whom a token stands for."""

    def __init__(self, keys: Keys, *, expected: Expected) -> None:
        self._keys = keys
        self._expected = expected

    def verify(self, token: str, *, now: datetime) -> Principal:
        """Return whom a token stands for.

        Raises:
            Untrusted: for whatever reason; whoever sent it is told none of them (J19).
        """
        return principal_of(self.claims(token, now=now), expected=self._expected, now=now)

    def claims(self, token: str, *, now: datetime) -> Mapping[str, Any]:
        """Return what a token says that was signed with a key of ours. Whether that is to be believed is not asked yet.

        Raises:
            Untrusted: it was not.
        """
        if len(token) > LONGEST:
            raise Untrusted("it is too long")
        segments = token.split(".")
        if len(segments) != 3:
            raise Untrusted("it has not three parts")
        header, payload, signature = map(_bytes_of, segments)
        key, prepared = self._key_of(_object_of(header, "header"), now)
        algorithm = _algorithm(key.algorithm)
        signed = token[: token.rindex(".")].encode("ascii")
        if not algorithm.verify(signed, prepared, signature):
            raise Untrusted("signature: not by this key")
        # Only now, and only once: nothing of an unsigned payload is looked at.
        return _object_of(payload, "payload")

    def _key_of(self, header: Mapping[str, Any], now: datetime) -> tuple[Key, Any]:
        if "crit" in header or "b64" in header:
            # We understand no extension, and what is critical has to be understood (J9).
            raise Untrusted("header: an extension that is not understood")
        key_id = header.get("kid", "")
        if not isinstance(key_id, str) or len(key_id) > LONGEST_ID:
            raise Untrusted("kid: no key of ours")
        found = self._keys.find(key_id)
        if found is None:
            raise UnknownKey("kid: no key of ours")
        # As the key says, not as the token does: a public key is no secret (J2, J10).
        if header.get("alg") != found[0].algorithm.value:
            raise Untrusted("alg: not that of the key")
        if found[0].until is not None and now >= found[0].until:
            raise Untrusted("kid: its time is over")
        return found


@cache
def _algorithm(algorithm: Algorithm) -> Any:
    # Each call of the library makes all of them anew, for each request that comes.
    return load_jwt(algorithm).algorithms.get_default_algorithms()[algorithm.value]


def sign(payload: Mapping[str, Any], key: Key) -> str:
    """Return a token that says this, signed with a key that can sign."""
    headers = {"kid": key.id} if key.id else None
    signed: str = load_jwt(key.algorithm).encode(
        dict(payload), key.material, algorithm=key.algorithm.value, headers=headers
    )
    return signed


def _bytes_of(segment: str) -> bytes:
    """Return what a segment holds; no padding, no blanks, no second way to write the same bytes (J13, J17)."""
    if not _SEGMENT.fullmatch(segment):
        raise Untrusted("it is not in base64url")
    try:
        content = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        raise Untrusted("it is not in base64url") from None
    if base64.urlsafe_b64encode(content).rstrip(b"=") != segment.encode("ascii"):
        raise Untrusted("it is not in base64url as it should be")
    return content


def _object_of(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Untrusted(f"{where}: {error}") from None
    if not isinstance(value, dict) or _depth(value) > DEEPEST:
        raise Untrusted(f"{where}: no object")
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
