"""Forked children that say whether something held."""

import os
import signal
from collections.abc import Callable


def in_child(check: Callable[[], bool]) -> bool:
    """Fork, and tell whether `check` held in the child, which must end within a minute."""
    pid = os.fork()
    if pid == 0:
        held = False
        try:
            # A child that hangs is killed by its alarm.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            held = check()
        finally:
            os._exit(0 if held else 1)
    return os.waitpid(pid, 0)[1] == 0
