"""The command line. Nothing heavy is imported before a command is chosen."""

import gc
import signal
import sys
import threading
from types import FrameType

from rota.cli.root import root
from rota.exits import Exit

COLLECT_AFTER = 10_000
"""Objects that may come before somebody looks for garbage among them; Python's own number is 700."""
SOON_S = 0.01
"""In how many seconds a signal that was lost is raised again."""


def main() -> None:
    """Run the command with the arguments of this process, and exit with its code."""
    # What is loaded by now, and what the command loads next, lives as long as this process. To look through it for
    # garbage again and again took a seventh of each start: of every command, and of every worker process.
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    # `rota start` puts its own handlers in place; everything else ends here, with clean-up.
    signal.signal(signal.SIGTERM, _terminated)
    sys.unraisablehook = _swallowed
    root.main(prog_name="rota")


def _terminated(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(Exit.TERMINATED)


def _swallowed(told: "sys.UnraisableHookArgs") -> None:
    """Raise again what a signal has raised within a finalizer, where it ends nothing: the signal would be lost."""
    lost = told.exc_value
    if (
        not isinstance(lost, SystemExit | KeyboardInterrupt)
        or threading.current_thread() is not threading.main_thread()
    ):
        sys.__unraisablehook__(told)
        return

    def again(_signal: int, _frame: FrameType | None) -> None:
        raise type(lost)(*lost.args)

    # By then the finalizer is over.
    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, SOON_S)
