"""The secrets that this process knows, and text without them: what every sink calls last (R65, T53)."""

import re
import threading
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from rota.core.masking import Mask
from rota.core.redaction import LEAST, Redactor
from rota.errors import Stopped

WITHHELD: Final = "(not shown: what looks for secrets in it failed)"

MOST: Final = 8192
"""Secrets of runs and tenants that are known at a time; of more, the older half is forgotten."""

MOST_REMARK: Final = 1000
"""Characters kept of a reason that somebody gives."""

_SIMPLE: Final = re.compile(r"[a-z]*|[0-9.:T -]{0,25}Z?|true|false", re.IGNORECASE)


class Secrets:
    """What must not be shown. One for the process: whoever was handed another one would leak what this one knows.

    Safe from any thread; who reads never waits.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        """Guards the next two."""
        self._kept: dict[str, None] = {}
        self._passing: dict[str, object] = {}
        self._redactor = Redactor()
        self.mask: Mask = Mask()
        """The names whose values are secret, the application's own with them."""

    @property
    def redactor(self) -> Redactor:
        """What knows them now."""
        return self._redactor

    def keep(self, *secrets: str | None) -> None:
        """Know these from now on: passwords and keys of settings."""
        for secret in secrets:
            if secret and secret not in self._kept:
                with self._lock:
                    self._kept[secret] = None
                    self._redactor.add(secret)

    def keep_url(self, url: str) -> None:
        """Know the passwords in a URL from now on."""
        self.keep(*secrets_of_url(url))

    def pass_by(self, *secrets: str | None) -> None:
        """Know these for a while: those of a run, of a tenant. There may be any number of them."""
        for secret in secrets:
            if secret and len(secret) >= LEAST:
                with self._lock:
                    # Behind all others: those that nobody has named for longest are forgotten.
                    if self._passing.pop(secret, _UNKNOWN) is _UNKNOWN:
                        self._redactor.add(secret)
                    self._passing[secret] = None
                    if len(self._passing) > self._most:
                        self._forget()

    def name(self, names: Iterable[str]) -> None:
        """Take these for names of secrets as well: `logging.mask`."""
        self.mask = Mask(names)

    def clear(self) -> None:
        """Know nothing any more, as in a new process: between tests."""
        with self._lock:
            self._kept, self._passing = {}, {}
            self._redactor, self.mask = Redactor(), Mask()

    def _forget(self) -> None:
        self._passing = dict.fromkeys(list(self._passing)[-self._most // 2 :])
        self._redactor = Redactor([*self._kept, *self._passing])


_UNKNOWN: Final = object()

SECRETS: Final = Secrets()
"""Those of this process."""


def keep_secret(*secrets: str | None) -> None:
    """Have these hidden from now on: passwords and keys of settings."""
    SECRETS.keep(*secrets)


def keep_secrets_of(url: str) -> None:
    """Have the passwords in a URL hidden from now on."""
    SECRETS.keep_url(url)


def pass_secret(*secrets: str | None) -> None:
    """Have these hidden for a while, until MOST others came after them: those of a run, of a tenant."""
    SECRETS.pass_by(*secrets)


def name_secrets(names: Iterable[str]) -> None:
    """Take these for names of secret arguments, beside the usual ones."""
    SECRETS.name(names)


def named_secrets(arguments: Mapping[str, object]) -> list[str]:
    """Return the texts in arguments that their names say are secret, without those that anybody might guess."""
    return [one for one in SECRETS.mask.found_in(arguments) if not is_guessable(one)]


def redacted(text: str) -> str:
    """Return `text` without the secrets that are known and without what has the shape of one, each replaced by `***`.

    The last step before text leaves: after it was put together, before it is cut. Takes time in proportion to its
    length. Should it fail, it returns WITHHELD: nothing is shown rather than a secret. Does nothing to text that went
    through it before.
    """
    try:
        return SECRETS.redactor.text(text)
    except Stopped:
        # SIGTERM, which met the job while it logs: it is the job's.
        raise
    # A bug here must neither leak nor end the worker whose log this is.
    except Exception:  # noqa: BLE001
        return WITHHELD


def seam(head: str, tail: str) -> tuple[str, str]:
    """Return the two ends of a text whose middle was left out, without a part of a secret at the cut."""
    try:
        return SECRETS.redactor.seam(head, tail)
    except Stopped:
        raise
    # As above.
    except Exception:  # noqa: BLE001
        return WITHHELD, ""


def remark(text: str) -> str:
    """Return what somebody gives as a reason as it is kept: without secrets, and no longer than people read.

    Every process reads each second why something is paused.
    """
    kept = redacted(text)
    return kept if len(kept) <= MOST_REMARK else f"{kept[: MOST_REMARK - 1]}…"


def secrets_of_url(url: str) -> list[str]:
    """Return the passwords in a URL, as they stand there and as they are; none if it is no URL."""
    userinfo = re.match(r"[\w+.-]+://[^\s/?#:@]*:(?P<password>.*)@", url)
    found = [userinfo["password"]] if userinfo else []
    try:
        found += [value for name, value in parse_qsl(urlsplit(url).query) if Mask().hides(name)]
    except ValueError:
        # No URL after all, an IPv6 address that is not closed.
        return found
    return [*found, *(unquote(one) for one in found if unquote(one) != one)]


def is_guessable(text: str) -> bool:
    """Return whether a text, though its name says that it is secret, is a word, a number or a date: to hide it
    wherever it stands would blank half a log (`key="customer"`)."""
    return len(text) < LEAST or _SIMPLE.fullmatch(text) is not None


def redacted_json(value: object) -> bytes:
    """Return an answer as JSON without secrets, as `redacted_within` leaves it.

    Most have none, and one look at the whole finds that out: its texts stand in it as they are, unless one is escaped.
    """
    content = msgspec.json.encode(value)
    if b"\\" not in content and not SECRETS.redactor.may_hide(content.decode()):
        return content
    return msgspec.json.encode(redacted_within(msgspec.to_builtins(value)))


def redacted_within(value: object) -> object:
    """Return a document without secrets: its texts one by one, so that it stays the JSON that it is."""
    match value:
        case str():
            return redacted(value)
        case dict():
            return {redacted_within(name): redacted_within(one) for name, one in value.items()}
        case list() | tuple():
            return [redacted_within(one) for one in value]
        case _:
            return value
