"""What an application carries from where a run is enqueued into the run, and how it is entered there (R37)."""

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from msgspec import Struct

from rota.core.carried import pack, unpack
from rota.errors import ConfigurationError

Get = Callable[[], object]
Enter = Callable[[Any], object]


class Carrier(Struct, frozen=True, kw_only=True):
    """One value that is carried."""

    name: str
    get: Get
    enter: Enter | None


class Carriers:
    """What is carried, in the order in which it was declared: that is also the order in which it is entered."""

    def __init__(self) -> None:
        self._carriers: dict[str, Carrier] = {}

    def carry(self, name: str, *, get: Get, enter: Enter | None = None) -> None:
        """Carry a value from wherever a run is enqueued into the run (R37).

        `get()` is asked at each enqueue and returns what has a JSON form, or None for nothing. Around the run
        `enter(value)` is called, in a context of its own; what it returns is entered if it is a context manager, and
        left however the attempt ends. `ctx.carried[name]` is the value. Runs of schedules carry nothing.

        Raises:
            ConfigurationError: the name is taken, or one of the functions could never work.
        """
        if not name or name in self._carriers:
            what = "is carried already" if name else "needs a name"
            raise ConfigurationError(f"rota.carry({name!r}): it {what}")
        if _is_unfit(get):
            raise ConfigurationError(f"rota.carry({name!r}): get is to be a plain function without parameters")
        if enter is not None and _is_unfit(enter):
            raise ConfigurationError(
                f"rota.carry({name!r}): enter is to be a function of the value that returns a context manager: "
                "decorate a generator with contextlib.contextmanager"
            )
        self._carriers[name] = Carrier(name=name, get=get, enter=enter)

    def take(self, other: "Carriers") -> None:
        """Carry what another one carries, also what is declared there later."""
        self._carriers = other._carriers

    def pack(self) -> str | None:
        """Return what is carried from here, as text; None when there is nothing.

        Raises:
            ArgumentsNotJson: a value has no JSON form.
        """
        if not self._carriers:
            return None
        values: dict[str, object] = {}
        for carrier in self._carriers.values():
            try:
                value = carrier.get()
            except Exception as error:
                error.add_note(f"raised by get of rota.carry({carrier.name!r}), which is asked at each enqueue")
                raise
            if value is not None:
                values[carrier.name] = value
        return pack(values)

    def enter(self, text: str, held: ExitStack) -> None:
        """Enter what a run carries, for as long as `held` is open. What nobody here declares is left alone.

        Raises:
            CarriedUnreadable: the text is broken or of another version.
        """
        values = unpack(text)
        for name, carrier in self._carriers.items():
            if carrier.enter is not None and name in values:
                _enter(carrier.name, carrier.enter(values[name]), held)


def _enter(name: str, entered: object, held: ExitStack) -> None:
    if isinstance(entered, AbstractContextManager):
        held.enter_context(entered)
    elif inspect.isgenerator(entered) or inspect.isawaitable(entered) or hasattr(entered, "__aenter__"):
        raise ConfigurationError(
            f"rota.carry({name!r}): enter returned {type(entered).__name__}, which is no context manager"
        )


def _is_unfit(function: object) -> bool:
    """Whether it cannot be called, or calling it only makes something that nobody would run."""
    return not callable(function) or inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function)
