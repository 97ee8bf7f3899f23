"""What one job returns, and what the next one takes (R32)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID

import msgspec
import pytest

from rota.core.accepts import can_take
from rota.core.codec import decode, encode
from rota.core.returns import Result, Snooze
from rota.errors import NotDecodable

UserId = NewType("UserId", int)


class Colour(StrEnum):
    RED = "red"


class Point(msgspec.Struct):
    x: int


@dataclass
class Row:
    name: str


class Named(TypedDict):
    name: str


FITS = [
    (int, int, 3),
    (int, float, 3),
    (int, UserId, 3),
    (Literal["a"], str, "a"),
    (str, date, "2026-01-02"),
    (date, date, date(2026, 1, 2)),
    (str, UUID, "00000000-0000-0000-0000-000000000000"),
    (str, Colour, "red"),
    (Colour, str, Colour.RED),
    (list[int], Sequence[int], [1]),
    (tuple[int, ...], list[int], (1,)),
    (dict[str, int], Point, {"x": 1}),
    (Point, dict, Point(x=1)),
    (Point, Mapping[str, int], Point(x=1)),
    (Row, Named, Row(name="a")),
    (int | None, int, 3),
    (int, int | None, 3),
    (None, int | None, None),
    (Annotated[int, "rows"], int, 3),
    (int | Snooze, int, 3),
]
UNFIT = [
    (int, str, 3),
    (str, list[str], "abc"),
    (None, int, None),
    (bool, str, True),
    (date, str, date(2026, 1, 2)),
    (UUID, int, UUID(int=0)),
    (list[int], dict[str, int], [1]),
    (dict[str, int], list[int], {"a": 1}),
    (Row, int, Row(name="a")),
    (int | None, str, 3),
    (str, Point, "x"),
]


@pytest.mark.parametrize(("returned", "accepted", "value"), FITS)
def test_what_fits_is_not_refused(returned, accepted, value):
    assert can_take(returned, accepted)
    decode(encode(value), accepted)


@pytest.mark.parametrize(("returned", "accepted", "value"), UNFIT)
def test_what_can_never_fit_is_refused(returned, accepted, value):
    assert not can_take(returned, accepted)
    with pytest.raises(NotDecodable):
        decode(encode(value), accepted)


@pytest.mark.parametrize(
    ("returned", "accepted"),
    [
        (Any, int),
        (int, Any),
        (object, str),
        (Result, int),
        (Result | int, str),
        (Iterable[int], list[int]),
        ("later", int),
    ],
)
def test_what_cannot_be_told_is_left_to_the_value(returned, accepted):
    assert can_take(returned, accepted)


@pytest.mark.parametrize("accepted", [datetime, timedelta, Decimal])
def test_plain_json_will_do_for_what_has_a_text_form(accepted):
    assert can_take(str, accepted)
