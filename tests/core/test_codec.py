"""Arguments and results as JSON text (R31)."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from math import inf, nan
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rota.core.codec import (
    ARGUMENTS_LIMIT,
    HARD_LIMIT,
    decode,
    decode_arguments,
    encode,
    encode_arguments,
    encode_result,
)
from rota.errors import (
    ArgumentsNotJson,
    ArgumentsTooBig,
    BadArguments,
    NotDecodable,
    NotJson,
    ResultNotStorable,
)

PARIS = ZoneInfo("Europe/Paris")


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Right(IntFlag):
    READ = 1
    WRITE = 2


class Word(StrEnum):
    YES = "yes"


@dataclass
class Customer:
    name: str
    born: date
    colours: list[Colour] = field(default_factory=list)


class Invoice(msgspec.Struct, frozen=True, rename="camel"):
    due_at: datetime
    sum_total: Decimal
    customer: Customer | None = None


class Circle(msgspec.Struct, tag="circle"):
    radius: int


class Square(msgspec.Struct, tag="square"):
    side: int


class Pair(NamedTuple):
    left: int
    right: int


class Model:
    """Has the two methods by which a pydantic model is known."""

    def __init__(self, size: int, seen_at: datetime) -> None:
        self.size = size
        self.seen_at = seen_at

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # mutable, as a model is

    def model_dump(self, *, by_alias: bool) -> dict[str, object]:
        return {"Size" if by_alias else "size": self.size, "SeenAt": self.seen_at}

    @classmethod
    def model_validate(cls, value: dict[str, Any]) -> "Model":
        if not isinstance(value.get("Size"), int):
            raise ValueError(f"Size is {value.get('Size')!r}")
        return cls(value["Size"], value["SeenAt"])


def first_pass(value: Any) -> Any:
    return value.replace(fold=0)


KINDS = (
    st.datetimes().map(first_pass)
    | st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-3, minutes=-30)))).map(first_pass)
    | st.dates()
    | st.times().map(first_pass)
    | st.timedeltas()
    | st.uuids()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=40)
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | KINDS
)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["$date", "$map", "$uuid", "$"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)


@given(VALUES)
def test_what_goes_in_comes_out_equal_and_of_the_same_kind(value):  # R31
    back = decode(encode(value))

    assert back == value
    assert repr(back) == repr(value)


@given(VALUES)
@settings(max_examples=50)
def test_the_text_is_standard_json(value):  # R31
    import json

    text = encode(value)

    assert msgspec.json.decode(text) == json.loads(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"rows": 500, "ok": True, "rate": 0.5, "none": None}, '{"rows":500,"ok":true,"rate":0.5,"none":null}'),
        ([date(2026, 11, 21)], '[{"$date":"2026-11-21"}]'),
        (datetime(2026, 11, 21, 2, 0, tzinfo=UTC), '{"$datetime":"2026-11-21T02:00:00+00:00"}'),
        (time(2, 30), '{"$time":"02:30:00"}'),
        (timedelta(hours=1), '{"$timedelta":"PT3600S"}'),
        (UUID(int=7), '{"$uuid":"00000000-0000-0000-0000-000000000007"}'),
        (Decimal("1.50"), '{"$decimal":"1.50"}'),
        (b"\x00\xff", '{"$bytes":"AP8="}'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "2"),
        (Word.YES, '"yes"'),
        ((1, 2), "[1,2]"),
        (OrderedDict(a=1), '{"a":1}'),
        (MappingProxyType({"a": date(2026, 1, 2)}), '{"a":{"$date":"2026-01-02"}}'),
        ({"$date": "soon"}, '{"$map":{"$date":"soon"}}'),
    ],
)
def test_the_text_is_readable(value, text):  # R31
    assert encode(value) == text


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (Colour.BLUE, Colour),
        (Level.LOW, Level),
        (Right.READ | Right.WRITE, Right),
        (Word.YES, Word),
        (Customer("Ada", date(1815, 12, 10), [Colour.RED]), Customer),
        (Invoice(datetime(2026, 1, 2, tzinfo=UTC), Decimal("9.90"), Customer("Ada", date(1815, 12, 10))), Invoice),
        (Square(3), Circle | Square),
        (Model(3, datetime(2026, 1, 2, tzinfo=UTC)), Model),
        ([Model(3, datetime(2026, 1, 2))], list[Model]),
        ({"a": Customer("Ada", date(1815, 12, 10))}, dict[str, Customer]),
        (Pair(1, 2), Pair),
        ((1, date(2026, 1, 2)), tuple[int, date]),
        (UUID(int=7), UUID | str),
        ("7", UUID | str),
        (None, date | None),
        (datetime(2026, 1, 2), date | datetime),
        (2**80, int),
    ],
)
def test_the_annotation_rebuilds_what_was_passed(value, annotation):  # R31
    back = decode(encode(value), annotation)

    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ('"2026-11-21"', date, date(2026, 11, 21)),
        ('"2026-11-21T02:00:00Z"', datetime, datetime(2026, 11, 21, 2, tzinfo=UTC)),
        ('"PT1H"', timedelta, timedelta(hours=1)),
        ('"00000000-0000-0000-0000-000000000007"', UUID, UUID(int=7)),
        ('"1.50"', Decimal, Decimal("1.50")),
        ('"AP8="', bytes, b"\x00\xff"),
        ("1", float, 1.0),
        ("[3, 1]", set[int], {1, 3}),
        ('{"name": "Ada", "born": "1815-12-10"}', Customer, Customer("Ada", date(1815, 12, 10))),
    ],
)
def test_plain_json_is_enough_where_the_annotation_says_the_type(text, annotation, value):  # R31
    assert decode(text, annotation) == value


def test_a_datetime_keeps_its_instant_and_offset():  # R31
    second_pass = datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1)

    back = decode(encode(second_pass))

    assert back == second_pass.astimezone(UTC)
    assert back.utcoffset() == timedelta(hours=1)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def a_cycle() -> dict[str, Any]:
    value: dict[str, Any] = {"a": []}
    value["a"].append(value)
    return value


@pytest.mark.parametrize(
    ("value", "at", "reason"),
    [
        ({"a": [1, {2}]}, ".a[1]", "set has no JSON form; pass a sorted list"),
        ([nan], "[0]", "NaN and infinity have no JSON form"),
        ({"a": -inf}, ".a", "NaN and infinity have no JSON form"),
        (Decimal("NaN"), "", "NaN and infinity have no JSON form"),
        ({1: "a"}, "", "a key is int; JSON knows str keys only"),
        ({"a": object()}, ".a", "object has no JSON form"),
        (Customer("Ada", complex(1)), ".born", "complex has no JSON form"),
        (Invoice(datetime(2026, 1, 1), lambda: 1), ".sumTotal", "function has no JSON form"),
        (Customer, "", "type has no JSON form"),
        (bytearray(b"x"), "", "bytearray has no JSON form; pass bytes"),
        (time(2, tzinfo=PARIS), "", "a time in a zone whose offset depends on the date"),
        (Enum("Odd", {"A": 1.5}).A, "", "neither str nor int"),
        ({"a": "\ud800"}, ".a", "lone surrogate"),
        ({"a": [10**5000]}, ".a[0]", "an int of over 4,000 digits"),
        ({"\ud800": 1}, "", "lone surrogate"),
        (nested(100), "[0]" * 64, "nested more than 64 deep"),
        (a_cycle(), ".a[0]", "a dict that contains itself"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_place_and_reason(value, at, reason):  # R31
    with pytest.raises(NotJson) as refused:
        encode(value)

    assert refused.value.at == at
    assert reason in refused.value.reason


def test_the_same_value_twice_is_no_cycle():  # R31
    shared = [date(2026, 1, 2)]

    assert decode(encode([shared, shared])) == [shared, shared]


def test_arguments_come_back_by_position_and_name():  # R31
    text = encode_arguments((7, Colour.RED), {"on": date(2026, 1, 2)})

    back = decode_arguments(text, {"user_id": int, "colour": Colour, "on": date})

    assert back.args == (7, Colour.RED)
    assert back.kwargs == {"on": date(2026, 1, 2)}


def test_arguments_are_stored_in_a_shape_that_sql_can_read():
    assert encode_arguments((7, "a"), {"b": 1}) == '{"args":[7,"a"],"kwargs":{"b":1}}'


def test_further_arguments_have_their_own_annotations():  # R31
    text = encode_arguments((1, "2026-01-02"), {"more": "2026-01-03"})

    back = decode_arguments(text, {"first": int, "*": date, "**": date})

    assert back.args == (1, date(2026, 1, 2))
    assert back.kwargs == {"more": date(2026, 1, 3)}


def test_a_keyword_that_looks_like_a_tag_stays_a_keyword():  # T2
    text = encode_arguments((), {"$date": "2026-01-02"})

    assert decode_arguments(text, {"**": Any}).kwargs == {"$date": "2026-01-02"}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (({1},), {}, "customer: set has no JSON form; pass a sorted list"),
        (({"born": [object()]},), {}, "customer.born[0]: object has no JSON form"),
        ((1, 2, {3}), {}, "argument 3: set has no JSON form"),
        ((), {"since": nan}, "since: NaN and infinity"),
        ((), {"name": "secret\ud800"}, "name: a str with a lone surrogate"),
    ],
)
def test_a_refused_argument_is_named_without_its_value(args, kwargs, message):  # R31, T51
    with pytest.raises(ArgumentsNotJson, match="^" + message.replace("[", r"\[")) as refused:
        encode_arguments(args, kwargs, names=["customer", "other"])

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "parameters", "message"),
    [
        ('{"args":["secret"],"kwargs":{}}', {"user_id": int}, "user_id: expected int, got str"),
        ('{"args":[],"kwargs":{"who":{"name":"a","born":"secret"}}}', {"who": Customer}, "who.born: invalid"),
        ('{"args":["secret"],"kwargs":{}}', {"colour": Colour}, "colour: no member of the enum has this value"),
        ('{"args":[{"Size":"secret"}],"kwargs":{}}', {"model": Model}, "model: does not fit Model"),
        ('{"args":["secret"],"kwargs":{}}', {"one": UUID | date}, "one: got str, which fits none of the types"),
        ('{"args":[{"$date":"secret"}],"kwargs":{}}', {"on": Any}, "a $date that is none"),
        ('{"args":[1,2],"kwargs":{}}', {"only": int}, "argument 2: the job takes no such argument"),
        ('{"args":[],"kwargs":{"other":1}}', {"only": int}, "other: the job takes no such argument"),
        ('{"args":1,"kwargs":{}}', {}, "stored arguments are not"),
        ("[secret", {}, "stored arguments: not JSON"),
        ("[" * 100_000, {}, "stored arguments: nested too deep"),
        (
            '{"args":[' + "[" * 900 + '{"$date":"2026-01-02"}' + "]" * 900 + '],"kwargs":{}}',
            {"a": Any},
            "nested too deep",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named_without_their_value(text, parameters, message):  # R31, T51
    with pytest.raises(BadArguments) as refused:
        decode_arguments(text, parameters)

    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_arguments_over_the_limit_are_refused_with_both_sizes():  # R31
    fits = "x" * (ARGUMENTS_LIMIT - len('{"args":[""],"kwargs":{}}'))
    encode_arguments((fits,), {})

    with pytest.raises(ArgumentsTooBig, match=r"65,537 bytes of JSON, the limit is 65,536") as refused:
        encode_arguments((fits + "x",), {})

    assert (refused.value.size, refused.value.limit) == (ARGUMENTS_LIMIT + 1, ARGUMENTS_LIMIT)


def test_no_setting_raises_the_limit_above_a_megabyte():  # R31
    with pytest.raises(ArgumentsTooBig, match="the limit is 1,048,576"):
        encode_arguments(("x" * HARD_LIMIT,), {}, limit=10 * HARD_LIMIT)
    with pytest.raises(ResultNotStorable, match="the limit is 1,048,576"):
        encode_result("x" * HARD_LIMIT, limit=10 * HARD_LIMIT)


def test_the_limit_counts_bytes_not_letters():  # R31
    with pytest.raises(ArgumentsTooBig):
        encode_arguments(("é" * 40_000,), {})


def test_a_result_comes_back():  # R31
    assert decode(encode_result({"rows": 500, "since": date(2026, 1, 2)})) == {"rows": 500, "since": date(2026, 1, 2)}


def test_a_result_without_a_json_form_is_refused():  # R31
    with pytest.raises(ResultNotStorable, match=r"^result\.rows: set has no JSON form"):
        encode_result({"rows": {1}})


@pytest.mark.parametrize(
    "text",
    [
        '{"$type":"os.system","$args":["true"]}',
        '{"$py/object":"os.system"}',
        '{"$class":"builtins.eval"}',
        '{"$enum":"tests.core.test_codec:Colour"}',
        '{"$datetime":["os.system"]}',
    ],
)
def test_an_unknown_tag_is_plain_text_and_builds_nothing(text):  # R31, T2
    assert decode(text) == msgspec.json.decode(text)


@pytest.mark.parametrize(
    "text", ["", "{", "\x80", "nul", "[1,]", '{"$date":"x"}', '{"$decimal":"x"}', '{"$bytes":"*"}']
)
def test_a_broken_text_is_refused(text):  # R31, R64
    with pytest.raises(NotDecodable):
        decode(text)
