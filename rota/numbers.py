"""What jobs count of their own, on its way to whoever sums it up. Nothing here ever fails a job (R53)."""

import logging
import math
import weakref
from contextvars import ContextVar
from typing import Protocol

log: logging.Logger = logging.getLogger("rota.metrics")

LONGEST_TEXT = 10_000
"""Characters of a name that are passed on from here: far more than are kept, and few enough to be no burden."""


class Numbers(Protocol):
    """Takes what jobs count, from any thread, and returns at once."""

    def count(
        self, job: str, tenant: str | None, name: str, number: float, *, times: int, least: float, most: float
    ) -> None:
        """Add to a number of a job's own: `number` in all, told `times` times."""

    def record(self, job: str, tenant: str | None, *, is_success: bool, times: int) -> None:
        """Count parts that a job has measured by itself."""


current_numbers: ContextVar[Numbers | None] = ContextVar("rota_current_numbers", default=None)
"""Where the run that this code belongs to counts."""

open_numbers: "weakref.WeakSet[Numbers]" = weakref.WeakSet()
"""Those of this process: for threads of a job's own, which have no current run."""


def here() -> Numbers | None:
    """Return where this code counts: with its run, else where everybody in this process does, if that is one place."""
    current = current_numbers.get()
    if current is not None:
        return current
    known = list(open_numbers)
    return known[0] if len(known) == 1 else None


def count(numbers: Numbers | None, job: str, tenant: str | None, name: object, number: object) -> None:
    """Count a number of a job's own. What cannot be counted is said in the log, and is no error of the job's."""
    if numbers is None:
        log.warning("job %s: %r is not counted: no worker counts here", job, name)
        return
    # True is a number to Python, and to nobody else.
    if isinstance(number, bool) or not isinstance(number, int | float):
        log.warning("job %s: %r is not counted: %s is no number", job, name, type(number).__name__)
        return
    try:
        value = float(number)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        log.warning("job %s: %r is not counted: it is not finite", job, name)
        return
    try:
        numbers.count(job, tenant, str(name)[:LONGEST_TEXT], value, times=1, least=value, most=value)
    # A metric that fails never stops a job: whatever goes wrong on the way is said, and no more.
    except Exception as error:  # noqa: BLE001
        log.warning("job %s: %r is not counted: %s: %s", job, name, type(error).__name__, error)


def record(numbers: Numbers | None, job: object, tenant: object, *, is_success: bool) -> None:
    """Count a part that a job has measured by itself. What cannot be counted is said in the log."""
    if numbers is None:
        log.warning("%s of %s is not recorded: no worker counts here", "success" if is_success else "failure", job)
        return
    try:
        numbers.record(
            str(job)[:LONGEST_TEXT],
            None if tenant is None else str(tenant)[:LONGEST_TEXT],
            is_success=is_success,
            times=1,
        )
    # As above.
    except Exception as error:  # noqa: BLE001
        log.warning("%s is not recorded: %s: %s", job, type(error).__name__, error)
