"""A process that dies at a point that a test has named: before a call to the store, inside of it, or after it.

Only applications of tests import this. The point stands in the environment as `verb:side:number`; inside means that
all statements of the transaction are done and it is not committed. A process dies there once: the next one, which finds
the file `crashed`, lives on. Calls that do nothing, such as a claim that finds nothing, are not counted.
"""

import os
import signal
import threading
from collections.abc import Callable
from typing import Any, cast

from rota import Rota
from rota.core.model import Outcome
from rota.ports import Store
from rota.stores.sql.database import Database

VARIABLE = "ROTA_TEST_CRASH"


def arm(app: Rota) -> None:
    """Let this process die where the environment says."""
    point = os.environ.get(VARIABLE)
    if point is None:
        return
    verb, side, number = point.split(":")
    crash = Crash(verb, side, int(number))
    keeping = app._keeping
    opened = keeping.open
    keeping.open = lambda: cast(Store, Mortal(opened(), crash))  # type: ignore[method-assign]
    if side == "inside":
        crash.get_inside()


class Crash:
    """Where to die, and how near it is."""

    def __init__(self, verb: str, side: str, number: int) -> None:
        self.side = side
        self._verb = verb
        self._left = number
        self._lock = threading.Lock()
        self._here = threading.local()

    def is_meant(self, verb: str, arguments: tuple[Any, ...]) -> bool:
        if verb == "settle" and arguments[0]:
            # What a rescuer settles is a point of its own.
            verb = "rescue" if arguments[0][0].outcome is Outcome.LOST else "settle"
        if verb == "renew" and not arguments[1]:
            return False
        return verb == self._verb

    def come_by(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._die()

    def _die(self) -> None:
        try:
            os.close(os.open("crashed", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def calling(self, verb: str | None) -> None:
        self._here.verb = verb

    def get_inside(self) -> None:
        """Look into everything of several statements that this process does: transactions, and heartbeats, of which
        each statement stands alone on a server."""
        write, pulse = Database.write, Database.pulse

        def watched(work: Callable[[Any], Any]) -> Callable[[Any], Any]:
            def watched_work(link: Any) -> Any:
                answer = work(link)
                if getattr(self._here, "verb", None) is not None and answer:
                    self.come_by()
                return answer

            return watched_work

        Database.write = lambda database, work: write(database, watched(work))  # type: ignore[method-assign]
        Database.pulse = lambda database, work: pulse(database, watched(work))  # type: ignore[method-assign]


class Mortal:
    """A store whose calls may be the last."""

    def __init__(self, store: Store, crash: Crash) -> None:
        self._store = store
        self._crash = crash

    # A wrapper for every verb there is and will be; a method for each would say forty times the same.
    def __getattr__(self, verb: str) -> Any:
        known = getattr(self._store, verb)
        crash = self._crash

        def call(*args: Any, **kwargs: Any) -> Any:
            if not crash.is_meant(verb, args):
                return known(*args, **kwargs)
            if crash.side == "before":
                crash.come_by()
            crash.calling(verb)
            try:
                answer = known(*args, **kwargs)
            finally:
                crash.calling(None)
            if crash.side == "after" and answer:
                crash.come_by()
            return answer

        return call
