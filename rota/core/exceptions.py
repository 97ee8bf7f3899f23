"""Classes of exceptions by their names: what crosses a process and enters a store in place of a class."""

import builtins
from collections.abc import Iterable

MOST_CLASSES = 64
"""Names kept of the classes that an exception is of; the line of a child process is not for more."""


def dotted_name(kind: type) -> str:
    """Return the name of a class with its module: `builtins.ValueError`, `app.mail.Bounced`."""
    return f"{kind.__module__}.{kind.__qualname__}"


def class_names(error: BaseException) -> tuple[str, ...]:
    """Return the names of every class that an exception is of, its own first."""
    return tuple(dotted_name(kind) for kind in type(error).__mro__[:-1][:MOST_CLASSES])


def named(given: object) -> tuple[str, ...]:
    """Return the names that a policy gives: one class or name, or several. A name without a dot is of a built-in
    class, where there is one.

    Raises:
        ValueError: something else than a class of exceptions or the name of one.
    """
    several: Iterable[object] = given if isinstance(given, tuple | list | set | frozenset) else (given,)
    return tuple(dict.fromkeys(_named(one) for one in several))


def _named(given: object) -> str:
    if isinstance(given, type) and issubclass(given, BaseException):
        return dotted_name(given)
    if not isinstance(given, str) or not given:
        raise ValueError(f"{given!r} is no class of exceptions and no name of one, such as 'app.mail.Bounced'")
    return f"builtins.{given}" if isinstance(getattr(builtins, given, None), type) else given
