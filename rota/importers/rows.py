"""A JSON list, with the line of each of its items."""

import json
from collections.abc import Iterator

from rota.errors import SourceUnreadable

_SPACE = " \t\r\n"


def rows(text: str) -> Iterator[tuple[int, object]]:
    """Yield each item of a JSON list with the line where it begins, from 1.

    Raises:
        SourceUnreadable: it is no JSON list, or nested too deep.
    """
    decoder = json.JSONDecoder(parse_constant=_no_number)
    at, line, counted = _after_space(text, 0), 1, 0
    if text[at : at + 1] != "[":
        raise SourceUnreadable("it is no JSON list")
    at = _after_space(text, at + 1)
    while text[at : at + 1] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            item, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise SourceUnreadable(f"line {error.lineno} is no JSON: {error.msg}") from error
        except (RecursionError, ValueError) as error:
            raise SourceUnreadable(
                f"line {line} is no JSON that can be read: it is too deep, or a number too long"
            ) from error
        yield line, item
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
        elif text[at : at + 1] != "]":
            raise SourceUnreadable(f"line {line + text.count(chr(10), counted, at)} is no JSON: a comma is missing")
    if _after_space(text, at + 1) != len(text):
        raise SourceUnreadable("there is more after the end of the JSON list")


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _after_space(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _SPACE:
        at += 1
    return at
