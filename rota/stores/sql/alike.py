"""The rows of a claim as runs. Those of one batch are much alike, so what they have in common is read once: a run takes
a quarter of the time."""

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

from msgspec.structs import replace

from rota.clock import from_micros, to_micros
from rota.core.model import Run, State
from rota.stores.sql.rows import RUN, Row, run_of

OWN = (
    "id", "tenant", "user_id", "args", "turn", "due_at", "created_at", "dedupe_key", "concurrency_key", "limit_key",
    "host", "parent", "attempt", "token",
)  # fmt: skip
"""The columns in which the runs of one batch are expected to differ."""

_own = itemgetter(*(RUN.index(name) for name in OWN))
_common = itemgetter(*(number for number, name in enumerate(RUN) if name not in OWN))


class Taken(NamedTuple):
    """What a claim made of its rows, where the engine does not tell."""

    worker: str
    lease_until: datetime
    now: datetime


def claimed_runs(rows: Iterable[Row], taken: Taken | None) -> list[Run]:
    """Return the runs of rows that begin with the columns RUN; `taken`: as they were before their claim."""
    runs: list[Run] = []
    model: Run | None = None
    common: object = None
    claimed_at = 0 if taken is None else to_micros(taken.now)
    # Mostly the same for all, too.
    instants: dict[int, datetime] = {}
    for row in rows:
        if model is None or _common(row) != common:
            common, model = _common(row), run_of(row[: len(RUN)])
            if taken is not None:
                model = replace(
                    model,
                    state=State.RUNNING,
                    owner=taken.worker,
                    lease_until=taken.lease_until,
                    claimed_at=taken.now,
                )
        (
            run_id, tenant, user_id, args, turn, due_at, created_at, dedupe, concurrency, limit, host, parent, attempt,
            token,
        ) = _own(row)  # fmt: skip
        if taken is not None:
            attempt, token = attempt + 1, max(token + 1, claimed_at)
        runs.append(
            replace(
                model,
                id=run_id,
                tenant=tenant,
                user_id=user_id,
                args=args,
                turn=turn,
                due_at=instants.get(due_at) or _instant(instants, due_at),
                created_at=instants.get(created_at) or _instant(instants, created_at),
                dedupe_key=dedupe,
                concurrency_key=concurrency,
                limit_key=limit,
                host=host,
                parent=parent,
                attempt=attempt,
                token=token,
            )
        )
    return runs


def _instant(instants: dict[int, datetime], micros: int) -> datetime:
    return instants.setdefault(micros, from_micros(micros))
