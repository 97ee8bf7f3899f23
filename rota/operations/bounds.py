"""How much a question may say: checked of every field of every operation, where it comes from outside (R64, T28, T40).

What the types of a field say is narrower, where they say something.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from rota.errors import BadRequest
from rota.operations.operation import Question

LONGEST_NAME = 200
"""Characters of what names something: an id, a job, a tenant, a key, a duration in words."""
LONGEST_SEARCH = 2_000
LONGEST_TEXT = 10_000
TEXTS = {
    "where": LONGEST_SEARCH,
    "reason": LONGEST_TEXT,
    "note": LONGEST_TEXT,
    "text": LONGEST_TEXT,
    "description": LONGEST_TEXT,
    "token": LONGEST_TEXT,
}
"""Fields that are longer than names: by their names how long they may be."""
IDS = frozenset({"id", "runs", "round", "flow", "fingerprint", "incident"})
"""Fields that name things by what Rota called them."""
OUTPUTS = {"output": 50_000, "source": 1_000_000}
"""Fields that hold what a program printed, with colours and all, or what stands in a file: that is made harmless where
it is shown."""
MOST = 20_000
"""Things that one question may name."""
LARGEST = 2**31 - 1
"""What every store can count to."""
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What every store can keep, also with some years added."""


def check(asked: Question) -> None:
    """Refuse what no job, tenant, run or time is called, or is too much of it.

    Arguments of jobs are not looked at: they have a limit and a check of their own.

    Raises:
        BadRequest: with the field and the reason.
    """
    for name in _bounded(type(asked)):
        _check(name, getattr(asked, name))


@cache
def _bounded(kind: type[Question]) -> tuple[str, ...]:
    """Return the fields of a kind of question that are looked at."""
    return tuple(field.name for field in msgspec.structs.fields(kind) if "typing.Any" not in str(field.type))


def _check(name: str, value: Any) -> None:
    match value:
        case str():
            _check_text(name, value)
        case bool() | None:
            pass
        case int() | float():
            if not -LARGEST <= value <= LARGEST:
                raise BadRequest(name, f"from {-LARGEST:,} to {LARGEST:,}")
        case datetime():
            if value.tzinfo is None:
                raise BadRequest(name, "it has no zone: write 2026-11-20T02:00:00Z, or with an offset")
            if not EARLIEST <= value <= LATEST:
                raise BadRequest(name, f"from the year {EARLIEST.year} to {LATEST.year}")
        case Mapping():
            _check_each(name, [*value.keys(), *value.values()])
        case list() | tuple() | frozenset():
            _check_each(name, value)


def _check_each(name: str, values: Iterable[Any]) -> None:
    listed = list(values)
    if len(listed) > MOST:
        raise BadRequest(name, f"there are {len(listed):,}, and {MOST:,} is the most at once")
    for one in listed:
        _check(name, one)


def _check_text(name: str, text: str) -> None:
    longest = (TEXTS | OUTPUTS).get(name, LONGEST_NAME)
    if len(text) > longest:
        raise BadRequest(name, f"it has {len(text):,} characters, and {longest:,} is the most")
    # A sentence may have lines, and marks of any script; a name has nothing that cannot be seen.
    is_fine = _can_be_kept(text) if name in OUTPUTS else _is_sentence(text) if name in TEXTS else text.isprintable()
    if not is_fine:
        raise BadRequest(name, "it has characters that cannot be seen")
    if name in IDS and not text.isascii():
        # MariaDB does not compare such a text with an id at all.
        raise BadRequest(name, "it is no id: those have no such characters")


def _is_sentence(text: str) -> bool:
    return _can_be_kept(text) and all(char >= " " or char in "\n\r\t" for char in text)


def _can_be_kept(text: str) -> bool:
    # PostgreSQL keeps no NUL, and half of a pair of surrogates has no UTF-8.
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
