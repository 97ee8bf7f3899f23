"""The rounds of a `MemoryStore`."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.model import Round, RoundState, Run


class Rounds:
    """Rounds by id, at most one per schedule and slot. Not locked: the store is."""

    def __init__(self) -> None:
        self._by_id: dict[str, Round] = {}
        self._slots: set[tuple[str, datetime]] = set()

    def __iter__(self) -> Iterator[Round]:
        return iter(self._by_id.values())

    def add(self, round_: Round) -> bool:
        """Record a round, unless it or one of its slot is there; return whether it is new."""
        slot = _slot(round_)
        if round_.id in self._by_id or slot in self._slots:
            return False
        self._by_id[round_.id] = round_
        if slot is not None:
            self._slots.add(slot)
        return True

    def start(self, rounds: Sequence[Round], *, of: Sequence[Run]) -> None:
        """Record those rounds that some of these runs are of."""
        named = {run.round_id for run in of}
        for round_ in rounds:
            if round_.id in named:
                self.add(round_)

    def record(self, rounds: Sequence[Round]) -> list[str]:
        """Record rounds, and return the ids of those that are new; the others are as expanded as they say."""
        added = [round_.id for round_ in rounds if self.add(round_)]
        for round_ in rounds:
            if round_.expanded and round_.id not in added:
                self.expand(round_.id, round_.expected)
        return added

    def joined(self, runs: Sequence[Run], *, accepted: Sequence[str]) -> None:
        """Open the rounds again that accepted runs are of."""
        new = set(accepted)
        for run in runs:
            if run.id in new:
                self.reopen(run.round_id)

    def delete(self, round_: Round) -> None:
        """Delete a round; its slot may have another."""
        del self._by_id[round_.id]
        slot = _slot(round_)
        if slot is not None:
            self._slots.discard(slot)

    def expand(self, round_id: str | None, expected: int | None) -> None:
        """Note that the tenants were listed and their runs queued."""
        if round_id in self._by_id:
            self._by_id[round_id] = replace(self._by_id[round_id], expanded=True, expected=expected)

    def end(self, round_: Round) -> bool:
        """Write the sum of a round that has none yet; return whether it had none."""
        stored = self._by_id.get(round_.id)
        if stored is None or stored.ended_at is not None:
            return False
        self._by_id[round_.id] = replace(
            stored, state=round_.state, reason=round_.reason, counts=round_.counts, ended_at=round_.ended_at
        )
        return True

    def reopen(self, round_id: str | None) -> None:
        """Take the sum back: a run of the round is open again."""
        if round_id in self._by_id:
            self._by_id[round_id] = replace(self._by_id[round_id], state=RoundState.RUNNING, counts={}, ended_at=None)


def _slot(round_: Round) -> tuple[str, datetime] | None:
    if round_.schedule is None or round_.slot is None:
        return None
    return round_.schedule, round_.slot
