"""Keys that tokens are signed with. Each has one algorithm, by configuration: what a token says of it must be that."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from msgspec import Struct

from rota.errors import ConfigurationError, MissingExtra

LEAST_SECRET = 32
"""Bytes; an HMAC key that is shorter than its hash is guessed offline, from a single token (J18)."""

KNOWN = frozenset({"secret", "changeme", "password", "your-256-bit-secret", "supersecret", "jwt-secret", "test"})
"""What is copied from tutorials, also when it is repeated to the length that is asked for."""


class Algorithm(StrEnum):
    """How tokens may be signed."""

    HS256 = "HS256"
    RS256 = "RS256"
    ES256 = "ES256"
    EDDSA = "EdDSA"

    @property
    def is_shared(self) -> bool:
        """Whether who can verify can sign as well."""
        return self is Algorithm.HS256


class Key(Struct, frozen=True, kw_only=True):
    """One key. `id` is what a token calls it by; "" is the key of tokens that name none."""

    algorithm: Algorithm
    material: bytes
    """The shared secret, or a PEM: public to verify, private to sign."""
    id: str = ""
    until: datetime | None = None
    """When it is over with it; None is never."""

    @property
    def can_sign(self) -> bool:
        """Return whether tokens can be made with it."""
        return self.algorithm.is_shared or b"PRIVATE KEY-----" in self.material

    def __repr__(self) -> str:
        return f"Key(id={self.id!r}, algorithm={self.algorithm.value!r})"


class Keys(Protocol):
    """Keys that are believed, by their ids."""

    def find(self, key_id: str) -> tuple[Key, Any] | None:
        """Return a key with what the library takes for it, or None. The id is only looked up, never resolved (J11)."""
        ...


class KeyRing:
    """The keys that are believed. While one takes another's place both are in it."""

    def __init__(self, keys: Iterable[Key]) -> None:
        """Take these keys, and see that each is one.

        Raises:
            ConfigurationError: one is weak, is of another kind than its algorithm, or two have one id.
            MissingExtra: the library for the algorithm is not installed.
        """
        self._keys: dict[str, Key] = {}
        self._prepared: dict[str, Any] = {}
        for key in keys:
            if key.id in self._keys:
                raise ConfigurationError(f"two keys for tokens have the id {key.id!r}: give each another one")
            self._keys[key.id] = key
            self._prepared[key.id] = prepared(key)

    def find(self, key_id: str) -> tuple[Key, Any] | None:
        key = self._keys.get(key_id)
        return None if key is None else (key, self._prepared[key_id])

    def __len__(self) -> int:
        return len(self._keys)


class KeyRings:
    """Several rings as one; of two keys with one id that of the first ring."""

    def __init__(self, rings: Iterable[Keys]) -> None:
        self._rings = tuple(rings)

    def find(self, key_id: str) -> tuple[Key, Any] | None:
        return next((found for ring in self._rings if (found := ring.find(key_id)) is not None), None)


def prepared(key: Key) -> Any:
    """Return a key as the library takes it.

    Raises:
        ConfigurationError: it is weak, or of another kind than its algorithm.
    """
    library = load_jwt(key.algorithm)
    if key.algorithm.is_shared:
        _refuse_weak(key)
    algorithm = library.algorithms.get_default_algorithms()[key.algorithm.value]
    try:
        ready = algorithm.prepare_key(key.material)
    except (ValueError, TypeError, library.PyJWTError) as error:
        # Without its message, which may quote the key.
        raise ConfigurationError(
            f"the key {key.id!r} for tokens is no key for {key.algorithm.value}: {type(error).__name__}"
        ) from None
    if too_short := algorithm.check_key_length(ready):
        raise ConfigurationError(f"the key {key.id!r} for tokens is too short: {too_short}")
    # One that signs is asked to verify, and only its public half can.
    return ready.public_key() if hasattr(ready, "public_key") else ready


def _refuse_weak(key: Key) -> None:
    if len(key.material) < LEAST_SECRET:
        raise ConfigurationError(
            f"the secret {key.id!r} for tokens has {len(key.material)} bytes: {LEAST_SECRET} or more are needed. "
            "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
        )
    if b"-----BEGIN" in key.material:
        raise ConfigurationError(
            f"the secret {key.id!r} for tokens is a PEM: whoever has the public half could sign with it. "
            "Say algorithm RS256, ES256 or EdDSA, or give a secret of its own"
        )
    text = key.material.strip().lower()
    if len(set(text)) < 8 or any(text.replace(known.encode(), b"") == b"" for known in KNOWN):
        raise ConfigurationError(f"the secret {key.id!r} for tokens is one that others guess first: make one by chance")


def load_jwt(algorithm: Algorithm) -> Any:
    """Return the library, which only whoever uses tokens has to have."""
    try:
        import jwt
        import jwt.algorithms
    except ImportError as error:
        raise MissingExtra("web", needed_for="a token") from error
    if not algorithm.is_shared and not jwt.algorithms.has_crypto:
        raise MissingExtra("web", needed_for=f"a token that is signed with {algorithm.value}")
    return jwt
