"""Tokens as text: taken apart strictly, believed only as a key of ours says (R62, J1 to J19)."""

import base64
import binascii
import json
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple, NoReturn

from rota.access.keys import Algorithm, Key, Keys, load_jwt
from rota.core.access import Principal
from rota.core.claims import Expected, Untrusted, check_times, principal_of

LONGEST = 8 * 1024
"""Characters of a token (J14)."""

LONGEST_ID = 200
"""Characters of the id of a key."""

DEEPEST = 16

MOST_KNOWN = 1_000
"""Tokens that were believed and are known again; only such, so whoever makes some up takes nobody's place."""

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+")


class UnknownKey(Untrusted):
    """It names a key that is not here; it may be one that an identity provider has just begun to use."""


class _Verified(NamedTuple):
    """A token that was believed: by which key, and what it said."""

    key_id: str
    key: Key
    claims: Mapping[str, Any]
    principal: Principal


class Tokens:
    """Says whom a token stands for.

    A token that comes again is not taken apart again: its signature is what it was. All that may have changed since is
    looked at each time: whether its key is still that one and believed, and whether it is its time.
    """

    def __init__(self, keys: Keys, *, expected: Expected) -> None:
        self._keys = keys
        self._expected = expected
        # By what they come to under a secret of this process: the tokens themselves are not kept.
        self._secret = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._lock = threading.Lock()

    def verify(self, token: str, *, now: datetime) -> Principal:
        """Return whom a token stands for.

        Raises:
            Untrusted: for whatever reason; whoever sent it is told none of them (J19).
        """
        if len(token) > LONGEST:
            raise Untrusted("it is too long")
        digest = blake2b(token.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=32).digest()
        known = self._verified.get(digest)
        if known is not None and self._has(known.key_id, known.key):
            _check_time(known.key, now)
            check_times(known.claims, self._expected.longest_life, now)
            return known.principal
        key_id, key, claims = self._taken_apart(token, now)
        principal = principal_of(claims, expected=self._expected, now=now)
        self._keep(digest, _Verified(key_id, key, claims, principal))
        return principal

    def _has(self, key_id: str, key: Key) -> bool:
        """Whether a key is still the one of its name: one that was taken away or replaced cuts at once (T18)."""
        found = self._keys.find(key_id)
        return found is not None and found[0] is key

    def _keep(self, digest: bytes, verified: _Verified) -> None:
        with self._lock:
            self._verified[digest] = verified
            if len(self._verified) > MOST_KNOWN:
                self._verified.popitem(last=False)

    def claims(self, token: str, *, now: datetime) -> Mapping[str, Any]:
        """Return what a token says that was signed with a key of ours. Whether that is to be believed is not asked yet.

        Raises:
            Untrusted: it was not.
        """
        return self._taken_apart(token, now)[2]

    def _taken_apart(self, token: str, now: datetime) -> tuple[str, Key, Mapping[str, Any]]:
        if len(token) > LONGEST:
            raise Untrusted("it is too long")
        segments = token.split(".")
        if len(segments) != 3:
            raise Untrusted("it has not three parts")
        header, payload, signature = map(_bytes_of, segments)
        said = _object_of(header, "header")
        key, prepared = self._key_of(said, now)
        algorithm = _algorithm(key.algorithm)
        signed = token[: token.rindex(".")].encode("ascii")
        if not algorithm.verify(signed, prepared, signature):
            raise Untrusted("signature: not by this key")
        # Only now, and only once: nothing of an unsigned payload is looked at.
        return said.get("kid", ""), key, _object_of(payload, "payload")

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
        _check_time(found[0], now)
        return found


def _check_time(key: Key, now: datetime) -> None:
    if key.until is not None and now >= key.until:
        raise Untrusted("kid: its time is over")


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
