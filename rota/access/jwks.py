"""Key sets of identity providers (RFC 7517): read strictly, asked for seldom, believed for a day at most."""

import json
import logging
import threading
from datetime import datetime, timedelta
from typing import Any

from rota.access.keys import Algorithm, Key, load_jwt
from rota.clock import Clock
from rota.core.size import Size
from rota.errors import NotReached
from rota.reach import Answer, Terms, ask
from rota.reach.answer import Resolve

MOST_KEYS = 50
LARGEST = Size(256 << 10)
AGAIN = timedelta(minutes=1)
"""How long nobody is asked again after he was asked, whatever tokens say: else a stranger could have us ask all day."""
BELIEVED = timedelta(days=1)
"""How long a set is believed that could not be asked for again: a key that was taken out of it is a risk, an hour in
which an identity provider is away is not to be an outage."""

_KINDS = {
    ("RSA", None): Algorithm.RS256,
    ("EC", "P-256"): Algorithm.ES256,
    ("OKP", "Ed25519"): Algorithm.EDDSA,
}
"""What a key is for follows from what it is. A shared secret (`oct`) is none that anybody publishes."""

log: logging.Logger = logging.getLogger(__name__)

Ready = dict[str, tuple[Key, Any]]


def keys_of(content: bytes) -> Ready:
    """Return the keys of a set that verify tokens; those of other kinds, or for other uses, are passed over.

    Raises:
        ValueError: it is no key set.
    """
    try:
        given = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON") from None
    listed = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(listed, list):
        raise ValueError('it has no list "keys"')
    if len(listed) > MOST_KEYS:
        raise ValueError(f"it has {len(listed)} keys, more than {MOST_KEYS}")
    found: Ready = {}
    for one in listed:
        ready = _key_of(one)
        if ready is not None:
            found.setdefault(ready[0].id, ready)
    return found


def _key_of(given: Any) -> tuple[Key, Any] | None:
    if not isinstance(given, dict) or not all(isinstance(given.get(name, ""), str) for name in ("kid", "alg", "use")):
        return None
    algorithm = _KINDS.get((str(given.get("kty")), None if given.get("kty") == "RSA" else str(given.get("crv"))))
    if algorithm is None or given.get("alg", algorithm.value) != algorithm.value or given.get("use", "sig") != "sig":
        return None
    library = load_jwt(algorithm)
    verifies = library.algorithms.get_default_algorithms()[algorithm.value]
    # Without "d", the private half: whoever publishes that has other troubles, and we do not keep it.
    public = {name: value for name, value in given.items() if name in ("kty", "crv", "n", "e", "x", "y")}
    try:
        ready = verifies.from_jwk(public)
    except (ValueError, TypeError, KeyError, library.PyJWTError):
        return None
    if verifies.check_key_length(ready):
        return None
    return Key(algorithm=algorithm, material=b"", id=given.get("kid", "")), ready


class RemoteKeys:
    """The keys of a set at a URL, as they were when it was last asked for. Whoever has this asks from time to time."""

    def __init__(
        self, url: str, *, every: timedelta, terms: Terms, clock: Clock, resolve: Resolve | None = None
    ) -> None:
        """`resolve` stands in for the system's resolver."""
        self._url = url
        self._every = every
        self._terms = terms
        self._clock = clock
        self._resolve = resolve
        self._lock = threading.Lock()
        """One asks at a time."""
        self._ready: Ready = {}
        self._asked_at: datetime | None = None
        self._known_at: datetime | None = None

    def find(self, key_id: str) -> tuple[Key, Any] | None:
        return self._ready.get(key_id)

    @property
    def is_known(self) -> bool:
        """Whether it was ever answered."""
        return self._known_at is not None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time to ask."""
        went_well = self._known_at is not None and self._known_at == self._asked_at
        return self._asked_at is None or now >= self._asked_at + (self._every if went_well else AGAIN)

    def may_ask(self, now: datetime) -> bool:
        """Whether it may be asked for because a token names a key that is not in it."""
        return self._asked_at is None or now >= self._asked_at + AGAIN

    def fetch_due(self, now: datetime) -> None:
        """Ask if it is time to. Of several at once one asks, and the others wait for its answer."""
        with self._lock:
            if self.is_due(now):
                self._fetch(now)

    def fetch_again(self, now: datetime) -> None:
        """Ask because a token names a key that is not known, if that may be."""
        with self._lock:
            if self.may_ask(now):
                self._fetch(now)

    def _fetch(self, now: datetime) -> None:
        """Ask once. What goes wrong is logged, and what was known stays, for a day."""
        self._asked_at = now
        try:
            answer = ask(
                "GET",
                self._url,
                headers={"Accept": "application/json"},
                terms=self._terms,
                clock=self._clock,
                resolve=self._resolve,
            )
            self._ready = _read(answer)
            self._known_at = now
        except (NotReached, ValueError) as error:
            log.error("the key set at auth.jwks could not be had: %s", error)
            if self._known_at is not None and now >= self._known_at + BELIEVED:
                self._ready = {}
                log.error("the key set at auth.jwks is a day old: its keys are believed no longer")


def _read(answer: Answer) -> Ready:
    if answer.status != 200 or not answer.is_whole:
        raise ValueError(f"it answered {answer.status}" + ("" if answer.is_whole else ", and not to its end"))
    return keys_of(answer.body)
