"""What a job's function asks for: arguments of its own, and what Rota gives it by annotation or by name."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct

from rota.context import BoundTenant, RunContext, StopSignal
from rota.core.codec import ARGUMENTS_LIMIT, Arguments, decode_arguments, encode_arguments
from rota.core.masking import is_secret, texts_in
from rota.core.model import Tenant
from rota.core.policy import Job
from rota.errors import BadArguments, UnsupportedJob
from rota.redaction import named_secrets, pass_secret

_ALIKE = frozenset({str, int, bool})
"""Kinds of which a value that is annotated so, and that JSON has taken, comes back equal."""

_EXACT = 2**53

NO_ARGUMENTS = '{"args":[],"kwargs":{}}'


class Gift(StrEnum):
    """What Rota fills in by itself."""

    CONTEXT = "context"
    TENANT = "tenant"
    BOUND_TENANT = "bound tenant"
    STOP = "stop signal"
    ENGINE = "engine"
    CONNECTION = "connection"
    DATABASE_NAME = "database name"


BY_TYPE: Mapping[object, Gift] = {
    RunContext: Gift.CONTEXT,
    Tenant: Gift.TENANT,
    BoundTenant: Gift.BOUND_TENANT,
    StopSignal: Gift.STOP,
}

# SQLAlchemy's classes are known by name: a job may be declared without it being imported.
BY_TYPE_NAME: Mapping[tuple[str, str], Gift] = {
    ("sqlalchemy", "Engine"): Gift.ENGINE,
    ("sqlalchemy", "Connection"): Gift.CONNECTION,
}

# The functions of the systems that Rota replaces take these, mostly without an annotation that says it.
BY_NAME: Mapping[str, Gift] = {"stop_event": Gift.STOP, "db_name": Gift.DATABASE_NAME, "engine": Gift.ENGINE}


class Signature:
    """The parameters of one job: its own, checked and decoded by annotation, and those that Rota fills in."""

    def __init__(self, function: Callable[..., object], *, name: str) -> None:
        parameters = inspect.signature(function).parameters.values()
        hints = _hints(function)
        self.name = name
        self.gifts: dict[str, Gift] = {p.name: gift for p in parameters if (gift := _gift(p, hints.get(p.name)))}
        own = [p for p in parameters if p.name not in self.gifts]
        _refuse_what_cannot_be_filled(name, list(parameters), self.gifts)
        self._own = inspect.Signature(own)
        self._annotations = {_key(p): hints.get(p.name, Any) for p in own}
        self._takes_none = not own
        self._names = [p.name for p in own]
        self._by_name = all(p.kind is p.POSITIONAL_OR_KEYWORD for p in own)
        self._required = sum(p.default is p.empty for p in own)
        self.secrets: frozenset[str] = _secrets(function)
        """Names of parameters whose values are never shown."""
        self.returns: Any = hints.get("return", Any)
        """The annotation of what it returns."""
        self.first: inspect.Parameter | None = own[0] if own else None
        """The first of its own parameters: what takes the result of the step before in a chain."""

    def __str__(self) -> str:
        return f"{self.name}{self._own}"

    def encode(self, args: Sequence[object], kwargs: Mapping[str, object], *, limit: int = ARGUMENTS_LIMIT) -> str:
        """Return the stored text of these arguments, after a full round trip through it (R31).

        Raises:
            BadArguments: they do not fit; names the signature and the argument, not its value.
            ArgumentsNotJson: one has no JSON form.
            ArgumentsTooBig: the text is over `limit` bytes.
        """
        if self._takes_none and not args and not kwargs:
            return NO_ARGUMENTS
        positional, named = self._bound(args, kwargs)
        text = encode_arguments(positional, named, limit=limit, names=self._names)
        if positional or not self._comes_back(named):
            self.decode(text)
        return text

    def _bound(self, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[list[object], dict[str, object]]:
        """Return what must be passed by position and what can be passed by name."""
        if self._by_name and not kwargs and self._required <= len(args) <= len(self._names):
            # Nearly all calls, and a fifth of the time.
            return [], dict(zip(self._names, args, strict=False))
        try:
            bound = self._own.bind(*args, **kwargs)
        except TypeError as error:
            raise BadArguments(f"{self}: {error}") from None
        return _split(bound)

    def _comes_back(self, named: Mapping[str, object]) -> bool:
        """Whether these are sure to come back from their text as they are: then nobody has to look."""
        for name, value in named.items():
            kind = type(value)
            if kind is not self._annotations.get(name) or kind not in _ALIKE:
                return False
            if kind is int and not -_EXACT < value < _EXACT:  # type: ignore[operator]  # an int, by its kind
                return False
        return True

    def decode(self, text: str) -> Arguments:
        """Return the arguments of a stored text, each as its annotation says.

        Raises:
            BadArguments: they do not fit this signature (any more).
        """
        if text == NO_ARGUMENTS:
            return _NONE
        try:
            return decode_arguments(text, self._annotations)
        except BadArguments as error:
            raise BadArguments(f"{self}: {error}") from None

    def hide(self, text: str) -> None:
        """Have what is secret in the arguments of a stored text hidden wherever it turns up from now on (R65)."""
        if text == NO_ARGUMENTS:
            return
        stored = msgspec.json.decode(text, type=_Named)
        for name, value in [*zip(self._own.parameters, stored.args, strict=False), *stored.kwargs.items()]:
            if name in self.secrets:
                pass_secret(*texts_in(value))
            else:
                pass_secret(*named_secrets({name: value}))

    @property
    def takes_first(self) -> Any:
        """The annotation of its first own parameter."""
        return Any if self.first is None else self._annotations[_key(self.first)]

    def encode_rest(self, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        """Return the stored text of all arguments but the first, which is known only when the run begins: see
        `with_first`.

        Raises:
            BadArguments: with one in front they do not fit.
            ArgumentsNotJson, ArgumentsTooBig: as from `encode`.
        """
        try:
            bound = self._own.bind(_LATER, *args, **kwargs)
        except TypeError as error:
            raise BadArguments(f"{self}, with what comes before as its first argument: {error}") from None
        positional, named = _split(bound)
        positional = [value for value in positional if value is not _LATER]
        named = {name: value for name, value in named.items() if value is not _LATER}
        later = [p for p in self._own.parameters.values() if p is not self.first or p.kind is p.VAR_POSITIONAL]
        text = encode_arguments(positional, named, names=[p.name for p in later])
        try:
            decode_arguments(text, {_key(p): self._annotations[_key(p)] for p in later})
        except BadArguments as error:
            raise BadArguments(f"{self}: {error}") from None
        return text

    def with_first(self, text: str, first: str) -> str:
        """Return the stored text of all arguments, of that of the others and the JSON text of the first.

        Raises:
            BadArguments: they do not fit this signature (any more).
        """
        if self.first is None:
            raise BadArguments(f"{self} takes no argument")
        stored = msgspec.json.decode(text, type=_Stored)
        if stored.args or self.first.kind is not self.first.POSITIONAL_OR_KEYWORD:
            stored.args.insert(0, msgspec.Raw(first.encode()))
        else:
            stored.kwargs[self.first.name] = msgspec.Raw(first.encode())
        whole = msgspec.json.encode(stored).decode()
        self.decode(whole)
        return whole


_NONE = Arguments((), {})
_LATER = object()


class _Stored(Struct):
    args: list[msgspec.Raw]
    kwargs: dict[str, msgspec.Raw]


class _Named(Struct):
    args: list[Any]
    kwargs: dict[str, Any]


class Registered(Struct, frozen=True, kw_only=True):
    """A job as the engine knows it: its policy, and its function in this process."""

    job: Job
    function: Callable[..., object]
    signature: Signature


def _hints(function: Callable[..., object]) -> dict[str, Any]:
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        return get_type_hints(target)
    except (NameError, AttributeError):
        names: dict[str, Any] = getattr(inspect.unwrap(target), "__globals__", {})
        annotations = inspect.get_annotations(target).items()
        return {name: hint for name, text in annotations if (hint := _hint(text, names)) is not None}


def _secrets(function: Callable[..., object]) -> frozenset[str]:
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        hints = get_type_hints(target, include_extras=True)
    except (NameError, AttributeError):
        # Some cannot be resolved at run time; those that need not be still say what they are.
        hints = inspect.get_annotations(inspect.unwrap(target))
    return frozenset(name for name, hint in hints.items() if is_secret(hint))


def _hint(annotation: object, names: dict[str, Any]) -> Any:
    """Return one annotation, or None for what cannot be resolved at run time: imports under TYPE_CHECKING.

    Such a parameter is taken as it comes; the others keep their meaning, a RunContext before all.
    """
    try:
        return get_type_hints(SimpleNamespace(__annotations__={"it": annotation}), names)["it"]
    except (NameError, AttributeError):
        return None


def _gift(parameter: inspect.Parameter, annotation: object) -> Gift | None:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return None
    if parameter.name in BY_NAME:
        return BY_NAME[parameter.name]
    if not isinstance(annotation, type):
        return None
    by_name = BY_TYPE_NAME.get((annotation.__module__.partition(".")[0], annotation.__name__))
    return BY_TYPE.get(annotation) or by_name


def _refuse_what_cannot_be_filled(
    name: str, parameters: Sequence[inspect.Parameter], gifts: Mapping[str, Gift]
) -> None:
    has_rest = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for parameter in parameters:
        if parameter.name not in gifts:
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise UnsupportedJob(f"job {name!r}: {parameter.name!r} is given by Rota and must not be positional-only")
        if has_rest and parameter.kind is not parameter.KEYWORD_ONLY:
            raise UnsupportedJob(f"job {name!r}: with *args, {parameter.name!r} must be keyword-only (after *args)")


def _key(parameter: inspect.Parameter) -> str:
    match parameter.kind:
        case parameter.VAR_POSITIONAL:
            return "*"
        case parameter.VAR_KEYWORD:
            return "**"
        case _:
            return parameter.name


def _split(bound: inspect.BoundArguments) -> tuple[list[object], dict[str, object]]:
    """Return what must be passed by position and what can be passed by name.

    By name wherever possible: a parameter that Rota fills in may stand in front.
    """
    parameters = bound.signature.parameters.values()
    has_rest = any(p.kind is p.VAR_POSITIONAL and bound.arguments.get(p.name) for p in parameters)
    args: list[object] = []
    kwargs: dict[str, object] = {}
    for parameter in parameters:
        if parameter.name not in bound.arguments:
            continue
        value = bound.arguments[parameter.name]
        match parameter.kind:
            case parameter.VAR_POSITIONAL:
                args.extend(value)
            case parameter.VAR_KEYWORD:
                kwargs.update(value)
            case parameter.POSITIONAL_ONLY:
                args.append(value)
            case parameter.POSITIONAL_OR_KEYWORD if has_rest:
                args.append(value)
            case _:
                kwargs[parameter.name] = value
    return args, kwargs
