"""Text from jobs, tenants and users, made harmless before it is shown (R65)."""

import re
from unicodedata import category

# Only from the beginning of a word: tried from each of its letters, a long word would take the square of its length,
# and with it the worker whose log it goes through.
_URL_PASSWORD = re.compile(r"(?<![\w+.-])(?P<head>[\w+.-]+://[^\s/?#:@]*:)(?P<password>[^\s/?#]*)(?=@)")
_URL_SECRET = re.compile(r"(?P<head>[?&](?:password|passwd|pwd|token|secret|key)=)[^&\s]*", re.IGNORECASE)

MOST_REMARK = 1000


def safe_text(text: object, *, lines: bool = False) -> str:
    r"""Return `text` on one line, with characters that a terminal or a reader could be tricked by written as `\x1b`.

    With `lines`, line breaks and tabs stay: for tracebacks.
    """
    written = str(text)
    if written.isprintable():
        return written
    kept = "\n\t" if lines else ""
    return "".join(char if char in kept or _is_harmless(char) else _escaped(char) for char in written)


def masked(text: str) -> str:
    """Return `text` with the passwords of all URLs in it replaced by `***`."""
    return _URL_SECRET.sub(r"\g<head>***", _URL_PASSWORD.sub(r"\g<head>***", text))


def remark(text: str) -> str:
    """Return what somebody gives as a reason as it is kept: without passwords, and no longer than people read.

    Every process reads each second why something is paused.
    """
    kept = masked(text)
    return kept if len(kept) <= MOST_REMARK else f"{kept[: MOST_REMARK - 1]}…"


def _is_harmless(char: str) -> bool:
    # Not printable are control characters (ESC, and the C1 set that terminals obey), direction overrides, invisible
    # characters, lone surrogates, and all spaces but one; a narrow space harms nobody.
    return char.isprintable() or category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
