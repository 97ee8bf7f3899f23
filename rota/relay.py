"""The store as a process job has it: it can enqueue, through its worker, and holds no credentials."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from rota.clock import Clock
from rota.core.controls import AuditEntry
from rota.core.model import Round, Run
from rota.core.unique import UniqueRun
from rota.errors import BadArguments, ConfigurationError
from rota.executors.frames import encoded

Piece = TypeVar("Piece", Run, UniqueRun)

MOST = 1 << 20
"""Bytes of runs that are sent in one piece."""


class RelayStore:
    """A Store of which what enqueues goes to the worker; its other verbs are refused."""

    def __init__(self, ask: Callable[[Sequence[Run], Sequence[UniqueRun]], list[str]], *, clock: Clock) -> None:
        self._ask = ask
        self._clock = clock

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        """Have the worker enqueue; of more than 1 MB in pieces, each all or none.

        Raises:
            BadArguments: runs of a flow, which are enqueued all or none, are more than that.
        """
        if any(run.part is not None for run in runs) and len(list(_pieces(runs))) > 1:
            raise BadArguments(
                f"a flow of {len(runs):,} runs is more than the megabyte that a process job can send: enqueue it from "
                "one with executor='thread', or in several batches"
            )
        return [new for piece in _pieces(runs) for new in self._ask(piece, ())]

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        """Have the worker enqueue; of more than 1 MB in pieces, each all or none. Nothing starts a round from here."""
        if new or audit is not None:
            self._refuse()
        return [run_id for piece in _pieces(wanted) for run_id in self._ask((), piece)]

    @property
    def freshness(self) -> Any:
        """What it keeps for the watchdog: a process job has no way to it."""
        self._refuse()

    alerts = rollups = freshness

    def now(self) -> datetime:
        return self._clock.now()

    def close(self) -> None:
        """Nothing to let go of."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ConfigurationError("a process job asks its parent only to enqueue; use executor='thread'")

    promote = expire = unblock = claim = limit_use = renew = settle = release = cancel = requeue = note = log = _refuse
    schedules = put_schedule = drop_schedule = due = fire = _refuse
    add_rounds = schedule = run = runs = rounds = round_counts = slot_states = _refuse
    finished_rounds = end_round = expired = counts = errors = prune = _refuse
    register = deregister = workers = _refuse
    progress = mark = reset = _refuse
    hold = gates = held = admit = skip_held = batch_counts = _refuse
    changed_rows = take_row = lost_rows = _refuse
    controls = control = put_control = drop_control = audit = _refuse
    setup = check = facts = old_snapshots = signs = wait = _refuse


def _pieces(runs: Sequence[Piece]) -> Iterator[list[Piece]]:
    piece: list[Piece] = []
    size = 0
    for run in runs:
        length = len(encoded(run))
        if piece and size + length > MOST:
            yield piece
            piece, size = [], 0
        piece.append(run)
        size += length
    if piece or not runs:
        yield piece
