"""Turn arguments and results into JSON text and back (R31).

What JSON knows is written as it is, so the text stays readable in SQL. Built-in kinds that JSON lacks are written as
an object with one tagged key, `{"$date": "2026-11-21"}`, and come back as the same kind even where nothing says
the type. Enums, dataclasses, Structs and pydantic models are written as plain values and rebuilt from the annotation
alone: text from a store or a request never names a class to build.

An aware datetime keeps its offset, not the name of its zone; a naive one loses its `fold`. A tuple comes back as a
list unless the annotation says otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec

from rota.core.plain import is_plain, kind_of, resolved, tagged
from rota.errors import ArgumentsNotJson, ArgumentsTooBig, BadArguments, NotDecodable, NotJson, ResultNotStorable

ARGUMENTS_LIMIT = 64 * 1024
RESULT_LIMIT = 64 * 1024
HARD_LIMIT = 1024 * 1024
"""In bytes; no setting goes above it."""

_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode
_MISSING = object()


class Arguments(NamedTuple):
    """What a job's function is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def encode(value: object) -> str:
    """Return the JSON text of `value`.

    Raises:
        NotJson: some part of it has no JSON form; the error says where and why, never the value.
    """
    return _encoded(value, at="").decode()


def decode(text: str | bytes, annotation: Any = Any) -> Any:
    """Return the value of a JSON text, as the type that `annotation` says.

    Plain JSON is accepted for each type that has a usual text form: `"2026-11-21"` is a date where one is expected.

    Raises:
        NotDecodable: the text is not JSON, or does not fit the annotation.
    """
    return _fit(_resolver(text)(_parsed(text)), annotation)


def encode_arguments(
    args: Sequence[object], kwargs: Mapping[str, object], *, limit: int = ARGUMENTS_LIMIT, names: Sequence[str] = ()
) -> str:
    """Return the text `{"args": [...], "kwargs": {...}}`.

    `limit` is in bytes. `names` are those of the positional parameters, for the message.

    Raises:
        ArgumentsNotJson: an argument has no JSON form; the error names its place and type, not its value.
        ArgumentsTooBig: the text is longer than `limit`, or than HARD_LIMIT.
    """
    # Nearly all arguments are plain already: looking costs a third of rebuilding them.
    is_easy = is_plain(args) and (not kwargs or is_plain(kwargs))
    encoded = _quickly({"args": args, "kwargs": kwargs}) if is_easy else None
    if encoded is None:
        try:
            # One by one, so that the place in the message reads `customer.born`, not `args[0].born`.
            positional = [tagged(value, at=_name(names, i)) for i, value in enumerate(args)]
            named = {name: tagged(value, at=name) for name, value in kwargs.items()}
        except NotJson as refusal:
            raise ArgumentsNotJson(refusal.at, refusal.reason) from None
        encoded = _encode_json({"args": positional, "kwargs": named})
    if len(encoded) > min(limit, HARD_LIMIT):
        raise ArgumentsTooBig(size=len(encoded), limit=min(limit, HARD_LIMIT))
    return encoded.decode()


def decode_arguments(text: str | bytes, parameters: Mapping[str, Any]) -> Arguments:
    """Return the arguments in `text`, each as the type that its parameter's annotation says.

    `parameters` are names and annotations, in order. The names `*` and `**` say the type of further positional
    and of further named arguments.

    Raises:
        BadArguments: an argument does not fit, or there is no parameter for it.
    """
    try:
        parsed = _parsed(text)
    except NotDecodable as error:
        raise BadArguments(f"stored arguments: {error}") from None
    if not (
        isinstance(parsed, dict) and isinstance(parsed.get("args"), list) and isinstance(parsed.get("kwargs"), dict)
    ):
        raise BadArguments('stored arguments are not {"args": [...], "kwargs": {...}}')
    names = [name for name in parameters if name not in ("*", "**")]
    resolve = _resolver(text)
    return Arguments(
        args=tuple(
            [
                _fit_argument(
                    value, resolve, _name(names, i), parameters.get(names[i] if i < len(names) else "*", _MISSING)
                )
                for i, value in enumerate(parsed["args"])
            ]
        ),
        kwargs={
            name: _fit_argument(value, resolve, name, parameters.get(name, parameters.get("**", _MISSING)))
            for name, value in parsed["kwargs"].items()
        },
    )


def encode_result(value: object, limit: int = RESULT_LIMIT) -> str:
    """Return the JSON text of what a job returned; `limit` is in bytes.

    Raises:
        ResultNotStorable: it has no JSON form, or is longer than `limit`, or than HARD_LIMIT.
    """
    try:
        encoded = _encoded(value, at="result")
    except NotJson as refusal:
        raise ResultNotStorable(str(refusal)) from None
    if len(encoded) > min(limit, HARD_LIMIT):
        raise ResultNotStorable(
            f"the result is {len(encoded):,} bytes of JSON, the limit is {min(limit, HARD_LIMIT):,}: "
            "store it elsewhere and return where"
        )
    return encoded.decode()


def _name(names: Sequence[str], i: int) -> str:
    return names[i] if i < len(names) else f"argument {i + 1}"


def _encoded(value: object, *, at: str) -> bytes:
    return (_quickly(value) if is_plain(value) else None) or _encode_json(tagged(value, at=at))


def _quickly(value: object) -> bytes | None:
    try:
        return _encode_json(value)
    except ValueError:
        # A lone surrogate, an int with thousands of digits: the slow way says where.
        return None


def _parsed(text: str | bytes) -> Any:
    try:
        return _decode_json(text)
    except RecursionError:
        raise NotDecodable("nested too deep") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise NotDecodable(f"not JSON: {error}") from None


def _same(value: object) -> object:
    return value


def _resolver(text: str | bytes) -> Callable[[Any], Any]:
    # Looking for the mark of a tag costs far less than walking values that have none.
    mark = '"$' in text if isinstance(text, str) else b'"$' in text
    return resolved if mark else _same


def _fit_argument(value: object, resolve: Callable[[Any], Any], name: str, annotation: Any) -> Any:
    if annotation is _MISSING:
        raise BadArguments(f"{name}: the job takes no such argument")
    try:
        return _fit(resolve(value), annotation)
    except NotDecodable as error:
        raise BadArguments(f"{name}{error.at}: {error.reason}") from None


def _fit(value: Any, annotation: Any) -> Any:
    if annotation is Any or type(value) is annotation:
        return value
    try:
        return msgspec.convert(value, annotation, dec_hook=_rebuilt)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$")
        # msgspec quotes an unknown enum value, which is the tenant's; the place is enough.
        reason = "no member of the enum has this value" if reason.startswith("Invalid enum") else _lowered(reason)
        raise NotDecodable(reason, at=at.rstrip("`")) from None
    except TypeError as error:
        # msgspec takes at most one type with a text form in a union, such as `UUID | str`: try them in turn.
        if get_origin(annotation) in (Union, UnionType):
            return _fit_one_of(value, get_args(annotation))
        raise NotDecodable(f"annotation {annotation!r}: {error}") from None


def _fit_one_of(value: Any, kinds: Sequence[Any]) -> Any:
    if type(value) in kinds:
        return value
    for kind in kinds:
        try:
            return _fit(value, kind)
        except NotDecodable:
            continue
    raise NotDecodable(f"got {kind_of(value)}, which fits none of the types allowed")


def _lowered(reason: str) -> str:
    return reason[:1].lower() + reason[1:].replace("`", "")


def _rebuilt(kind: Any, value: Any) -> Any:
    """Build what msgspec does not know: a pydantic model. The class comes from the annotation, never from the text."""
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    validate = getattr(kind, "model_validate", None)
    if callable(validate):
        try:
            return validate(value)
        except ValueError:
            # pydantic's message quotes the values; they are the tenant's.
            raise ValueError(f"does not fit {kind.__name__}") from None
    raise TypeError(f"expected {getattr(kind, '__name__', kind)}, got {kind_of(value)}")
