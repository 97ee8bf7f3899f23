"""Moves flows on: lets a step follow the one before, and callbacks their batch, or gives them up (R32).

It decides from what the store says now, so that any number may do this, at once, and any may die anywhere. Whoever
settles a run of a flow says so, and its flow is looked at at once; what is missed by that is found in rounds through
all that is held.
"""

import threading
from collections.abc import Container, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.core.flow import LOST, MOST_STEPS, NOTHING, Moves, batch_moves, chain_moves, part_of
from rota.core.gates import FLOW, flow_batch, flow_of, follow_batch, follows
from rota.core.model import Run
from rota.core.part import Role
from rota.errors import StoreUnavailable
from rota.ports import Store
from rota.queries import RunQuery

MANY = 1000
REST_PER_MEMBER = timedelta(microseconds=5)
LONGEST_REST = timedelta(seconds=2)
"""How long a batch of many members is left alone after it was looked at: to count 100,000 takes 10 ms, and they end by
the hundred in that time."""

PER_ROUND = 50
"""Flows that one round looks at; the next one goes on from there: 50 are 10 ms or less."""

SOON = timedelta(milliseconds=50)
"""How long a round waits after one that moved something: what a crash of many left is not left for minutes."""


class Flows:
    """Looks at flows: those it is told of at once, all of them in turn."""

    def __init__(self, store: Store, *, every: timedelta = timedelta(seconds=1), page: int = 1000) -> None:
        self._store = store
        self._every = every
        self._page = page
        self._one_looks = threading.Lock()
        self._one_takes = threading.Lock()
        self._told: dict[str, Role] = {}
        self._rests: dict[str, datetime] = {}
        self._next_round_at: datetime | None = None
        self._looked_until: tuple[datetime, str] | None = None
        self.wake: threading.Event = threading.Event()
        """Set when it was told of a flow; whoever drives it waits on it."""

    def tell(self, run: Run) -> None:
        """Say that a run of a flow has ended. Safe from any thread."""
        flow = flow_of(run) or ""
        with self._one_takes:
            is_known = flow in self._told
            self._told[flow] = part_of(run).role
        if not is_known:
            self.wake.set()

    def tick(self, now: datetime) -> timedelta:
        """Look at the flows it was told of, and at the next ones of the round if it is time for that."""
        self.wake.clear()
        with self._one_looks:
            self._rests = {
                flow: until for flow, until in self._rests.items() if timedelta(0) < until - now <= LONGEST_REST
            }
            was_told = bool(self._told)
            self._look_at_told(now, but=self._rests)
            # In between it only looks at what it is told of; woken for nothing, it makes its round.
            if self._next_round_at is None or not (was_told and timedelta(0) < self._next_round_at - now):
                self._next_round_at = now + (min(SOON, self._every) if self._round(now) else self._every)
            with self._one_takes:
                resting = [self._rests[flow] for flow in self._told if flow in self._rests]
            return max(min([self._next_round_at, *resting]) - now, timedelta(0))

    def move(self, now: datetime) -> int:
        """Look at every flow there is; return how many runs moved."""
        with self._one_looks:
            self._rests.clear()
            moved = self._look_at_told(now) + self._round(now)
            while self._looked_until is not None:
                moved += self._round(now)
            return moved

    def _round(self, now: datetime) -> int:
        """Look at the next page of what is held; return how many runs moved."""
        page = self._store.held(FLOW, after=self._looked_until, limit=self._page)
        flows: dict[str, Role] = {}
        for run in page:
            if len(flows) == PER_ROUND:
                break
            if flow_of(run) not in self._rests:
                flows.setdefault(flow_of(run) or "", part_of(run).role)
            self._looked_until = (run.due_at, run.id)
        else:
            if len(page) < self._page:
                self._looked_until = None
        # Opened again by somebody, and there is nothing before them.
        moved = self._admit([run.id for run in page if not follows(run)], now)
        return moved + sum(self._look(flow, role, now) for flow, role in flows.items())

    def _look_at_told(self, now: datetime, *, but: Container[str] = ()) -> int:
        with self._one_takes:
            told = {flow: role for flow, role in self._told.items() if flow not in but}
            self._told = {flow: role for flow, role in self._told.items() if flow in but}
        moved = 0
        while told:
            flow, role = told.popitem()
            try:
                moved += self._look(flow, role, now)
            except StoreUnavailable:
                with self._one_takes:
                    self._told |= told | {flow: role}
                raise
        return moved

    def _look(self, flow: str, role: Role, now: datetime) -> int:
        """Move what can be moved of a flow; return how many runs were."""
        if role is Role.STEP:
            moves = chain_moves(self._store.runs(RunQuery(batch=flow_batch(flow), limit=MOST_STEPS)))
            return self._admit(moves.go_on, now) + self._give_up(moves, now)
        followers = self._store.runs(RunQuery(batch=follow_batch(flow)))
        if not followers:
            # Nothing comes after it, whatever becomes of its members.
            self._rests[flow] = now + LONGEST_REST
            return 0
        counts = self._store.batch_counts(flow_batch(flow))
        members = sum(counts.values())
        if members > MANY:
            self._rests[flow] = now + min(members * REST_PER_MEMBER, LONGEST_REST)
        moves = batch_moves(counts, followers)
        if moves.give_up:
            # Any one will do: as long as it stays as it is, `on_success` never comes.
            lost = self._store.runs(RunQuery(batch=flow_batch(flow), states=LOST, limit=1))
            moves = replace(moves, behind=lost[0].id) if lost else NOTHING
        return self._admit(moves.go_on, now) + self._give_up(moves, now)

    def _admit(self, ids: Sequence[str], now: datetime) -> int:
        return len(self._store.admit(FLOW, now=now, limit=len(ids), ids=ids)) if ids else 0

    def _give_up(self, moves: Moves, now: datetime) -> int:
        """Cancel what is given up: only what is held still, and while what it is given up for has not been opened again
        since it was read."""
        if not moves.give_up:
            return 0
        return len(
            self._store.cancel(moves.give_up, now=now, reason=moves.reason, held_by=FLOW, behind=moves.behind)
        )  # fmt: skip
