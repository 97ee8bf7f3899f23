"""What may be a job: a function, a coroutine function, or a class with a `run` method."""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from msgspec import Struct

from rota.errors import UnsupportedJob

THREAD, PROCESS, ASYNCIO, CELERY = "thread", "process", "asyncio", "celery"


class Shape(Struct, frozen=True, kw_only=True):
    """What was decorated, and how it is called."""

    target: Callable[..., Any]
    """The function or class itself."""
    function: Callable[..., Any]
    """What a run calls: the function, or `run` of a fresh instance of the class."""
    is_coroutine: bool
    name: str
    description: str
    """The first line of the docstring: of the class, else of its `run` (R16)."""
    place: str
    """Where it is defined: file and line."""

    def executor(self, asked: str | None, *, name: str) -> str:
        """Return the executor of the job: the one asked for, or the one that suits.

        Raises:
            UnsupportedJob: it cannot run there; the message says why and what to do.
        """
        match asked:
            case None:
                return ASYNCIO if self.is_coroutine else THREAD
            case _ if self.is_coroutine and (asked in (THREAD, PROCESS) or is_fleet(asked)):
                raise UnsupportedJob(
                    f"job {name!r} is `async def`, which needs an event loop: leave executor={asked!r} out, "
                    "or make it a plain `def`"
                )
            case "asyncio" if not (self.is_coroutine or inspect.iscoroutinefunction(inspect.unwrap(self.function))):
                raise UnsupportedJob(
                    f"job {name!r} is a plain `def`, which would hold up every coroutine: make it `async def`, "
                    "or leave executor='asyncio' out"
                )
            case "process":
                self._refuse_what_a_child_cannot_import(name)
                return PROCESS
            case _ if asked in (THREAD, ASYNCIO) or is_fleet(asked):
                return asked
            case _:
                raise UnsupportedJob(
                    f"job {name!r}: no executor {asked!r} for jobs; there are 'thread', 'process', 'asyncio' and "
                    "'celery'"
                )

    def _refuse_what_a_child_cannot_import(self, name: str) -> None:
        qualified = str(getattr(self.target, "__qualname__", ""))
        way_out = "move it to the top level of a module, or use executor='thread'"
        if "<lambda>" in qualified:
            raise UnsupportedJob(f"job {name!r} is a lambda, which a child process cannot import: {way_out}")
        if "<locals>" in qualified:
            outer = qualified.partition(".<locals>")[0]
            raise UnsupportedJob(
                f"job {name!r} is defined inside {outer}(), where a child process cannot import it: {way_out}"
            )
        is_main = getattr(self.target, "__module__", None) == "__main__"
        if is_main and getattr(sys.modules.get("__main__"), "__file__", None) is None:
            raise UnsupportedJob(
                f"job {name!r} was typed in, and a child process has no file to import it from: "
                "write it in a module, or use executor='thread'"
            )


def is_fleet(executor: str) -> bool:
    """Whether an executor means processes of another system: `celery`, or one of several as `celery:reports`."""
    return executor.partition(":")[0] == CELERY


def shape_of(target: Callable[..., Any]) -> Shape:
    """Return the shape of what was decorated.

    Raises:
        UnsupportedJob: a class without `run`, or one whose constructor wants arguments; a generator.
    """
    function = _run_of(target) if inspect.isclass(target) else target
    if _is(inspect.isgeneratorfunction, function) or _is(inspect.isasyncgenfunction, function):
        raise UnsupportedJob(
            f"{_described(target)} has a `yield`: calling it would only make a generator; let it do the work and return"
        )
    return Shape(
        target=target,
        function=function,
        is_coroutine=_is(inspect.iscoroutinefunction, function),
        name=str(getattr(target, "__name__", "")),
        description=_first_line(target) or _first_line(function),
        place=_place(target, function),
    )


def _run_of(cls: type) -> Callable[..., Any]:
    """Return a function that calls `run` of a fresh instance: nothing is left over from the run before (R21)."""
    run = getattr(cls, "run", None)
    if not inspect.isroutine(run):
        raise UnsupportedJob(f"class {cls.__qualname__} has no `run` method: give it one, or decorate a function")
    if inspect.isabstract(cls):
        raise UnsupportedJob(f"class {cls.__qualname__} is abstract: decorate the class that fills it in")
    if needed := _needed(cls):
        raise UnsupportedJob(
            f"class {cls.__qualname__} cannot be made without arguments ({', '.join(needed)}): Rota makes a fresh "
            "instance for each run; let `run` take them"
        )
    made: Any = cls

    @wraps(run)
    def call(*args: Any, **kwargs: Any) -> Any:
        return made().run(*args, **kwargs)

    @wraps(run)
    async def acall(*args: Any, **kwargs: Any) -> Any:
        return await made().run(*args, **kwargs)

    function: Any = acall if inspect.iscoroutinefunction(run) else call
    signature = inspect.signature(run)
    if inspect.isfunction(inspect.getattr_static(cls, "run")):
        # A plain method, with the instance as its first parameter.
        signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    function.__signature__ = signature
    return function  # type: ignore[no-any-return]  # Any, to carry a signature of its own


def _needed(cls: type) -> list[str]:
    try:
        parameters = inspect.signature(cls).parameters.values()
    except ValueError:
        # A class of an extension that does not say: then its first run does.
        return []
    rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in parameters if one.default is one.empty and one.kind not in rest]


def _is(kind: Callable[[object], bool], function: object) -> bool:
    # An object may be callable by a method that is a coroutine function.
    return kind(function) or (not inspect.isroutine(function) and kind(getattr(function, "__call__", None)))  # noqa: B004


def _described(target: Callable[..., Any]) -> str:
    return f"{getattr(target, '__qualname__', repr(target))} at {_place(target, target)}"


def _first_line(function: Callable[..., Any]) -> str:
    # Not inspect.getdoc: of a class without a docstring it returns that of the class above.
    doc = inspect.cleandoc(getattr(function, "__doc__", None) or "")
    return doc.partition("\n")[0].strip()


def _place(target: Callable[..., Any], function: Callable[..., Any]) -> str:
    if inspect.isclass(target) and "run" not in vars(target):
        # Its `run` is that of a class above, which may have many below it.
        return f"{getattr(sys.modules.get(target.__module__), '__file__', target.__module__)}:{target.__qualname__}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(target)
