"""Text without secrets: those that are known by value, and what has the shape of one (R65)."""

import json
import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from typing import Final
from unicodedata import normalize

from rota.core.masking import HIDDEN
from rota.core.safe import safe_text
from rota.core.secret_shape import KEY_BEGINS, KEY_ENDS, cut_secret, has_sign, without_shapes

LEAST = 6
"""Characters a secret has at least to be searched for: `rota` as a password would blank every line of Rota's own."""
COMMON = frozenset(
    {"postgres", "postgresql", "mariadb", "database", "password", "passwd", "secret", "default", "public", "private"}
    | {"tenant", "tenants", "worker", "changeme", "example", "localhost", "testing", "development", "production"}
)
"""Passwords that everybody knows are none: to hide them wherever they stand would hide what a line is about. Where the
shape says that they are one, as in a URL, they are hidden all the same."""
BLOCK = 3
"""Characters that are looked up at a time."""
FAR = LEAST - BLOCK + 1
"""How far one may go on when a block is in no secret."""
LEAST_LINE = 16
"""Characters of a line of a secret that is hidden by itself: those of a key, printed one by one."""
NESTED = 3
"""How often JSON may have been put into JSON."""

Span = tuple[int, int]


class Redactor:
    """Replaces secrets in text by `***`.

    Text is read once, whatever the number of secrets: a block of it that is in the beginning of no secret lets the
    search go on by several characters at once (Wu and Manber, 1994). Secrets may be added while others read.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._needles: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}
        """Lengths of the needles that begin so, longest first."""
        self._steps: dict[str, int] = {}
        """How far to go on from a window that ends in this block; 0: a needle may begin where it does."""
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Know one more secret, in all the forms in which it may be met. What is shorter than LEAST, or COMMON, is not
        searched for."""
        if secret.lower() in COMMON:
            return
        for needle in forms(secret):
            if needle in self._needles:
                continue
            # In this order: who reads meanwhile meets a block last of all.
            self._needles.add(needle)
            head = needle[:LEAST]
            self._lengths[head] = tuple(sorted({len(needle), *self._lengths.get(head, ())}, reverse=True))
            for at in range(FAR):
                block = head[at : at + BLOCK]
                step = LEAST - BLOCK - at
                self._steps[block] = min(step, self._steps.get(block, step))

    def text(self, text: str) -> str:
        """Return `text` without the secrets that are known and without what looks like one. Takes time in proportion
        to its length."""
        if len(text) < LEAST:
            return text
        spans = self._spans(text)
        if spans:
            text = _hidden(text, spans)
        return without_shapes(text)

    def may_hide(self, text: str) -> bool:
        """Return whether something in `text`, or in any part of it, may be hidden by `text`."""
        return has_sign(text) or bool(self._spans(text))

    def knows(self, text: str) -> bool:
        """Return whether a secret that is known by value is in `text`."""
        return bool(self._spans(text))

    def seam(self, head: str, tail: str) -> tuple[str, str]:
        """Return the two ends of a text whose middle was left out, without the part of a secret that was cut there."""
        most = max(map(len, self._needles), default=0)
        before = next(
            (at for at in range(max(len(head) - most, 0), len(head)) if self._begins(head[at:])),
            len(head),
        )
        after = next((at for at in range(min(len(tail), most), 0, -1) if self._ends(tail[:at])), 0)
        begun = cut_secret(head)
        if begun is not None:
            # It may go on behind the cut, up to where a word ends.
            before, after = min(before, begun), max(after, len(tail) - len(_WORD.sub("", tail, count=1)))
        return (
            head[:before] + (HIDDEN if before < len(head) else ""),
            (HIDDEN if after else "") + tail[after:],
        )

    def _begins(self, text: str) -> bool:
        return len(text) > 2 and any(needle.startswith(text) for needle in self._needles)

    def _ends(self, text: str) -> bool:
        return len(text) > 2 and any(needle.endswith(text) for needle in self._needles)

    def _spans(self, text: str) -> list[Span]:
        """Return where secrets are, in order; they may overlap."""
        steps, found = self._steps, []
        at, end = LEAST - BLOCK, len(text) - BLOCK
        if not steps:
            return []
        while at <= end:
            step = steps.get(text[at : at + BLOCK], FAR)
            if step:
                at += step
                continue
            start = at - LEAST + BLOCK
            for length in self._lengths.get(text[start : start + LEAST], ()):
                if text[start : start + length] in self._needles:
                    found.append((start, start + length))
                    break
            # Not behind it: another secret may begin within this one.
            at += 1
        return found


class PrivateKeys:
    """Hides private keys in a stream whose lines come one by one: a key takes many."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = 0

    def hide(self, line: str) -> str:
        """Return the next line of the stream, hidden if it is part of a key."""
        if self._left:
            self._left = 0 if KEY_ENDS.search(line) else self._left - 1
            return HIDDEN
        if "PRIVATE KEY" in line:
            begun = KEY_BEGINS.search(line)
            if begun is not None and not KEY_ENDS.search(line, begun.end()):
                self._left = MOST_KEY_LINES
                return line[: begun.end()] + HIDDEN
        return line


MOST_KEY_LINES = 200
"""A key that never ends hides no more lines than these: one of 16,384 bits has 200."""


def forms(secret: str) -> set[str]:
    """Return the texts by which a secret is known: as it is, and as JSON, URLs, HTML, base64, hexadecimal digits,
    `repr` and our own escapes write it."""
    found: set[str] = set()
    wholes = {secret, *(line.strip() for line in secret.splitlines() if len(line.strip()) >= LEAST_LINE)}
    for whole in wholes:
        if len(whole) < LEAST:
            continue
        for one in {whole, normalize("NFC", whole), normalize("NFD", whole)}:
            found |= _written(one)
            found.update(_encoded(one.encode("utf-8", "surrogatepass")))
    return {one for one in found if len(one) >= LEAST}


def _written(text: str) -> set[str]:
    """Return a text as it is written where some characters are written otherwise."""
    data = text.encode("utf-8", "surrogatepass")
    found = {text, safe_text(text), repr(text)[1:-1], text.replace("'", "\\'"), repr(data)[2:-1]}
    found |= {text.translate(_HTML), text.translate(_HTML | {34: "&quot;", 39: "&#x27;"})}
    found |= {text.translate(_HTML | {34: "&#34;", 39: "&#39;"})}
    for ascii_only in (True, False):
        escaped = text
        for _ in range(NESTED):
            escaped = json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
            found |= {escaped, escaped.replace("/", "\\/"), _ESCAPE.sub(lambda match: match[0].upper(), escaped)}
    # All but letters and digits; as URLs keep them in a path, in a query, in a password; all.
    for kept in ("-._~", "-._~/", "-._~ !$&'()*+,;=", ""):
        percent = "".join(chr(byte) if _is_kept(chr(byte), kept) else f"%{byte:02X}" for byte in data)
        for one in (percent, percent.replace("%20", "+")):
            found |= {one, _PERCENT.sub(lambda match: match[0].lower(), one)}
    return found


def _is_kept(char: str, kept: str) -> bool:
    return bool(kept) and char.isascii() and (char.isalnum() or char in kept)


def _encoded(data: bytes) -> Iterator[str]:
    """Yield the encodings of bytes, wherever in a longer text they may begin."""
    yield from (data.hex(), data.hex().upper(), data.hex(" "), data.hex(":"))
    for shift, begin in enumerate((0, 2, 3)):
        # The first and the last digit hold bits of what stands before and behind.
        digits = b2a_base64(b"\0" * shift + data, newline=False).decode()[begin : (len(data) + shift) * 8 // 6]
        yield from (digits, digits.replace("+", "-").replace("/", "_"))


_WORD: Final = re.compile(r"\A\S+")
_ESCAPE: Final = re.compile(r"(?<=\\u)[0-9a-f]{4}")
_PERCENT: Final = re.compile(r"%[0-9A-F]{2}")
_HTML: Final = {38: "&amp;", 60: "&lt;", 62: "&gt;"}


def _hidden(text: str, spans: Iterable[Span]) -> str:
    """Return `text` with each stretch replaced, those that touch by one mark."""
    pieces, done = [], 0
    for start, end in spans:
        if start > done or not done:
            pieces += [text[done:start], HIDDEN]
        done = max(done, end)
    return "".join([*pieces, text[done:]])
