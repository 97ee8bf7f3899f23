"""A file of another system as text. It may be anything: huge, binary, nested a thousand deep."""

from rota.errors import SourceUnreadable

LARGEST = 5 * 1024 * 1024
"""Bytes. The configuration of a scheduler is written by hand; what is larger is another file."""


def text_of(raw: bytes) -> str:
    """Return the text of a file.

    Raises:
        SourceUnreadable: it is larger than `LARGEST`, not UTF-8, or holds a NUL.
    """
    if len(raw) > LARGEST:
        raise SourceUnreadable(f"it has more than {LARGEST // 1024**2} MB: that is no list of schedules")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceUnreadable(f"byte {error.start + 1} is not UTF-8; convert it first: iconv -t utf-8") from error
    if "\0" in text:
        raise SourceUnreadable(f"there is a NUL in line {text[: text.index(chr(0))].count(chr(10)) + 1}: it is no text")
    return text
