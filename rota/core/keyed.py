"""Requests under an idempotency key: asked again because the answer was lost, they are done once (T17, I3).

The key becomes a name that one run has for a day, so it is the store that decides, in the transaction that makes the
run. What was asked becomes part of the run's id: a later one under the same key is the same question if its run would
have the same mark, and nothing besides has to be kept.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.core.model import Run
from rota.core.unique import Conflict, Scope, UniqueRun

KEPT = timedelta(hours=24)
LONGEST_KEY = 255
MARK = 15
"""Hexadecimal digits at the end of an id: all that is random in it but for four bits."""


class Keyed(Struct, frozen=True, kw_only=True):
    """A question with the key that it was asked under."""

    key: str
    """As it was given, for messages."""
    name: str
    """The key and whose it is: that of another one is another name."""
    mark: str
    """The question."""

    @property
    def id(self) -> str:
        """Return an id that all questions under this key share, for what is found by its id alone."""
        return blake2b(self.name.encode(), digest_size=16).hexdigest()

    def stamped(self, run_id: str) -> str:
        """Return the id with the mark on it; it sorts as before."""
        return run_id[:-MARK] + self.mark

    def is_on(self, run_id: str) -> bool:
        """Whether a run was made for the same question."""
        return run_id.endswith(self.mark)


def keyed(key: str, *, subject: str, question: object) -> Keyed:
    """Return a question of somebody with the key that it was asked under; `question` is what has a JSON form.

    Raises:
        ValueError: it is no key.
    """
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValueError(f"a key has 1 to {LONGEST_KEY} printable characters")
    asked = msgspec.json.encode([subject, key, question], order="sorted")
    return Keyed(
        key=key,
        name="asked:" + blake2b(msgspec.json.encode([subject, key]), digest_size=24).hexdigest(),
        mark=blake2b(asked, digest_size=16).hexdigest()[:MARK],
    )


def wanted(runs: Sequence[Run], keyed: Keyed, *, now: datetime) -> list[UniqueRun]:
    """Return runs that are to be made once for a question, each under a name of its own; the first may not conflict."""
    return [
        UniqueRun(
            run=replace(run, id=keyed.stamped(run.id)),
            name=f"{keyed.name}/{number}",
            scope=Scope.PERIOD,
            kept_until=now + KEPT,
            conflict=Conflict.EXISTING if number else Conflict.RAISE,
        )
        for number, run in enumerate(runs)
    ]


def standing(asked: Sequence[UniqueRun]) -> list[UniqueRun]:
    """Return the same, to be told who stands for each, once it is known that they were made before."""
    return [replace(one, conflict=Conflict.EXISTING) for one in asked]
