"""Python read as text: its syntax tree, the literals in it, and what its names stand for. Nothing of it is run."""

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from math import isfinite
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from rota.core.zone import is_zone
from rota.errors import NoEqual, SourceUnreadable

LARGEST_PYTHON = 512 * 1024
"""Characters. Five megabytes of Python make a tree of 3.4 GB in 39 s (Python 3.11, a list of names)."""

DEEPEST = 40
"""How deep a literal is followed."""

_BIGGEST = 10**12
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], object]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
}
_DURATION = ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")
_MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond", "tzinfo")


class Source(Struct, frozen=True, kw_only=True):
    """A Python file: its syntax, and the full names of what it imports."""

    nodes: tuple[ast.AST, ...]
    """Every node of its tree, in the order of the text."""
    imported: Mapping[str, str]

    def called(self, node: ast.AST) -> str:
        """Return the name of what a call calls, without its package; empty when it is no call of a name."""
        return self.named(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""

    def named(self, node: ast.AST) -> str:
        """Return the dotted name that an expression is, with its imports resolved; empty for anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imported.get(node.id, node.id), *reversed(parts)])

    def assigned(self) -> Iterator[tuple[str, ast.expr]]:
        """Yield each name that something is assigned to, an attribute by its last part, and what that is."""
        for node in self.nodes:
            if isinstance(node, ast.Assign):
                targets, value = node.targets, node.value
            elif isinstance(node, ast.AnnAssign | ast.AugAssign) and node.value is not None:
                targets, value = [node.target], node.value
            else:
                continue
            for target in targets:
                if name := self.named(target).rpartition(".")[2]:
                    yield name, value


def source(text: str) -> Source:
    """Return the tree of a Python file.

    Raises:
        SourceUnreadable: it is too large, or no Python of this version.
    """
    if len(text) > LARGEST_PYTHON:
        raise SourceUnreadable(
            f"it has more than {LARGEST_PYTHON // 1024} KB of Python: give it the part with the list"
        )
    try:
        with warnings.catch_warnings():
            # The file is somebody else's: what the compiler thinks of its escapes is not for this terminal.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        raise SourceUnreadable(f"line {error.lineno or 1} is no Python: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        # Python gives up on deep nesting in one of these ways, by its version.
        raise SourceUnreadable("it is nested too deep to be read as Python") from error
    imported: dict[str, str] = {}
    nodes = tuple(_walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            imported |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            imported |= {alias.asname or alias.name: f"{node.module or ''}.{alias.name}" for alias in node.names}
    return Source(nodes=nodes, imported=imported)


def refused(node: ast.expr, what: str) -> NoEqual:
    """Return the error for an expression that would have to be run to be known."""
    return NoEqual(f"{what} is not written out (line {node.lineno}): {written(node)}")


def written(node: ast.expr) -> str:
    """Return an expression as Python text, for messages; of a long one that it is long."""
    size = (node.end_col_offset or 0) - node.col_offset
    if node.end_lineno != node.lineno or size > 300:
        return "an expression of some length"
    text = ast.unparse(node)
    return text if len(text) <= 60 else f"{text[:57]}..."


def literal(node: ast.expr, what: str, *, depth: int = 0) -> object:
    """Return the value that is written out: constants, containers of them, and arithmetic with numbers.

    Raises:
        NoEqual: a variable, a call, an f-string: it would have to be run.
    """
    if depth > DEEPEST:
        raise NoEqual(f"{what} is nested too deep (line {node.lineno})")
    match node:
        case ast.Constant(value=None | str() | int() as value):
            return value
        case ast.Constant(value=float() as value) if isfinite(value):
            return value
        case ast.List(elts=parts):
            return [literal(part, what, depth=depth + 1) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(literal(part, what, depth=depth + 1) for part in parts)
        case ast.Set(elts=parts):
            found = [literal(part, what, depth=depth + 1) for part in parts]
            if all(isinstance(part, int | str) for part in found):
                return set(found)
        case ast.Dict(keys=keys, values=values):
            named = [literal(key, what, depth=depth + 1) if key else None for key in keys]
            if all(isinstance(key, str | int) for key in named):
                found = [literal(value, what, depth=depth + 1) for value in values]
                return dict(zip(named, found, strict=True))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = literal(operand, what, depth=depth + 1)
            if is_number(number):
                return -number  # type: ignore[operator]  # it is a number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _computed(node, what, [literal(side, what, depth=depth + 1) for side in (left, right)])
    raise refused(node, what)


def is_number(value: object) -> bool:
    """Return whether the value counts something; a truth does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_in(node: ast.expr, what: str) -> str:
    """Return the text that is written out. Raises NoEqual for anything else."""
    value = literal(node, what)
    if not isinstance(value, str):
        raise NoEqual(f"{what} is no text (line {node.lineno}): {written(node)}")
    return value


def arguments(call: ast.Call, names: tuple[str, ...], what: str) -> dict[str, ast.expr]:
    """Return the arguments of a call by name, the first ones by the names of their places.

    Raises:
        NoEqual: `*` or `**` stands there, or more than there are places.
    """
    hidden = any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords)
    if hidden or len(call.args) > len(names):
        raise refused(call, f"the call of {what}")
    return dict(zip(names, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}


def duration_in(node: ast.expr, code: Source, what: str) -> timedelta:
    """Return a duration: `timedelta(...)`, or a number of seconds."""
    if code.called(node) == "timedelta":
        assert isinstance(node, ast.Call)
        parts = {name: literal(part, what) for name, part in arguments(node, _DURATION, what).items()}
        if not set(parts) <= set(_DURATION) or not all(is_number(part) for part in parts.values()):
            raise refused(node, what)
    else:
        parts = {"seconds": literal(node, what)}
        if not is_number(parts["seconds"]):
            raise refused(node, what)
    try:
        return timedelta(**parts)  # type: ignore[arg-type]  # numbers, each of them
    except (OverflowError, ValueError) as error:
        raise refused(node, what) from error


def moment_in(node: ast.expr, code: Source, what: str) -> datetime:
    """Return a time: `datetime(...)`, `date(...)`, or text in the form 2026-12-01 09:00:00."""
    try:
        if code.called(node) in ("datetime", "date"):
            assert isinstance(node, ast.Call)
            given = arguments(node, _MOMENT, what)
            zone = zone_in(given.pop("tzinfo"), code) if "tzinfo" in given else None
            parts = {name: literal(part, what) for name, part in given.items()}
            return datetime(**parts, tzinfo=ZoneInfo(zone) if zone else None)  # type: ignore[arg-type]  # refused below
        return datetime.fromisoformat(text_in(node, what))
    except (ValueError, TypeError, OverflowError) as error:
        raise refused(node, what) from error


def zone_in(node: ast.expr, code: Source) -> str:
    """Return the zone that an expression names: "Europe/Paris", ZoneInfo("Europe/Paris"), pytz.utc, timezone.utc."""
    if code.called(node) in ("ZoneInfo", "timezone", "gettz"):
        assert isinstance(node, ast.Call)
        node = node.args[0] if len(node.args) == 1 and not node.keywords else node
    if code.named(node).rpartition(".")[2].lower() == "utc":
        return "UTC"
    name = text_in(node, "the zone")
    if not is_zone(name):
        raise NoEqual(f"{name[:60]!r} is no time zone (line {node.lineno})")
    return name


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _computed(node: ast.BinOp, what: str, sides: list[object]) -> object:
    if all(is_number(side) and abs(side) < _BIGGEST for side in sides):  # type: ignore[arg-type]  # it is a number
        try:
            return _ARITHMETIC[type(node.op)](*sides)
        except (ZeroDivisionError, OverflowError) as error:
            raise refused(node, what) from error
    raise refused(node, what)
