"""Arguments and results as they may be shown: without what their names say is secret (R65)."""

import json
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

HIDDEN = "***"

T = TypeVar("T")


class Hidden:
    """Marks what is kept from view."""


Secret = Annotated[T, Hidden()]
"""A parameter whose value is never shown, whatever it is called: `def bill(card: Secret[str])`. To the job it is a
`str` like any other."""


def is_secret(annotation: object) -> bool:
    """Whether an annotation, its extras kept, is a `Secret[...]`."""
    return any(isinstance(mark, Hidden) for mark in getattr(annotation, "__metadata__", ()))


SECRET_WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "accesskey", "privatekey", "secretkey",
    "signingkey", "encryptionkey", "key", "credential", "authorization", "auth", "cookie", "session", "signature",
    "salt", "pin", "cvv", "cvc", "iban", "cardnumber", "ssn",
)  # fmt: skip
"""Names of arguments, and of fields in them, whose values are never shown."""

WHOLE = frozenset({"key", "auth", "session", "salt", "pin", "cvv", "cvc", "iban", "ssn", "pwd"})
"""Words that are part of harmless names (`key` of `monkey`): they count as a word of their own only."""


class Mask:
    """Knows which names are secret: those that everybody's are, and an application's own."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._own = frozenset(_plain(name) for name in names)
        self._known: dict[str, bool] = {}

    def hides(self, name: str) -> bool:
        """Whether the value of this name is kept from view: `password`, `db_password`, `apiKey`, `X-Auth-Token`."""
        known = self._known.get(name)
        if known is None:
            known = self._is_secret(name)
            # Names come from code, but the keys of an argument may be anything.
            if len(self._known) < 10_000:
                self._known[name] = known
        return known

    def hides_path(self, path: str) -> bool:
        """Whether a step of a path, `user.password`, is kept from view."""
        return any(self.hides(step) for step in path.split("."))

    def json(self, text: str) -> str:
        """Return the text of arguments or of a result with what is secret replaced by `***`; what is no JSON is
        hidden whole."""
        try:
            value = json.loads(text)
        except ValueError:
            return HIDDEN
        masked = self._masked(value)
        return text if masked == value else json.dumps(masked, separators=(",", ":"), ensure_ascii=False)

    def found_in(self, value: object) -> Iterator[str]:
        """Yield the texts in a value, as JSON has it, that are kept from view."""
        match value:
            case dict():
                for name, one in value.items():
                    yield from texts_in(one) if self.hides(name) else self.found_in(one)
            case list():
                for one in value:
                    yield from self.found_in(one)

    def _masked(self, value: object) -> object:
        match value:
            case dict():
                return {
                    name: HIDDEN if one is not None and self.hides(name) else self._masked(one)
                    for name, one in value.items()
                }
            case list():
                return [self._masked(one) for one in value]
            case _:
                return value

    def _is_secret(self, name: str) -> bool:
        plain = _plain(name)
        if plain in self._own:
            return True
        words = frozenset(_words(name))
        return any(word in words if word in WHOLE else word in plain for word in SECRET_WORDS)


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a value, as JSON has it."""
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from texts_in(one)
        case list():
            for one in value:
                yield from texts_in(one)


def _plain(name: str) -> str:
    """Return a name without what its style adds: `API-Key`, `api_key` and `apiKey` are the same."""
    return "".join(char for char in name.casefold() if char.isalnum())


def _words(name: str) -> list[str]:
    """Return the words of a name: `dbPassword` and `db_password` have two."""
    spaced = "".join(
        f" {char}" if char.isupper() and before.islower() else char if char.isalnum() else " "
        for before, char in zip(" " + name, name, strict=False)
    )
    return spaced.casefold().split()
