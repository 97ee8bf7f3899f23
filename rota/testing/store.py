"""The memory store, with a connection that a test can cut."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from rota.clock import Clock
from rota.core.controls import AuditEntry
from rota.core.model import Round, Run, Settlement
from rota.core.unique import UniqueRun
from rota.errors import StoreUnavailable
from rota.queries import ClaimRequest, Settled
from rota.stores.memory import MemoryStore


class Verb(StrEnum):
    """A call whose answer can be lost."""

    ENQUEUE = "enqueue"
    SETTLE = "settle"


# By inheritance, where the house composes: three verbs of fifty differ, and the others would be fifty times the same.
class RehearsalStore(MemoryStore):
    """Keeps runs in memory, and is away when a test says so."""

    def __init__(self, *, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.is_away: bool = False
        """Whether nothing more can be enqueued."""
        self._lost: list[Verb] = []

    def lose_answer(self, verb: Verb) -> None:
        """Do what the next such call says, and then fail it: as where the connection breaks in between."""
        self._lost.append(verb)

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        self._refuse_if_away()
        answer = super().enqueue(runs, now=now)
        self._answer(Verb.ENQUEUE)
        return answer

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        self._refuse_if_away()
        answer = super().enqueue_unique(wanted, now=now, new=new, audit=audit)
        self._answer(Verb.ENQUEUE)
        return answer

    def settle(self, settlements: Sequence[Settlement], *, now: datetime, claim: ClaimRequest | None = None) -> Settled:
        answer = super().settle(settlements, now=now, claim=claim)
        if settlements:
            self._answer(Verb.SETTLE)
        return answer

    def _refuse_if_away(self) -> None:
        if self.is_away:
            raise StoreUnavailable("the store is away: this test says so")

    def _answer(self, verb: Verb) -> None:
        if verb in self._lost:
            self._lost.remove(verb)
            raise StoreUnavailable(f"the answer to {verb} was lost: this test says so")
