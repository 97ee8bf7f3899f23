"""The rows of a claim as runs. Those of one batch are much alike, so what they have in common is read once: a run takes
a quarter of the time."""

from collections.abc import Callable, Iterable
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from rota.clock import from_micros, to_micros
from rota.core.model import Run, State
from rota.stores.sql.rows import RUN, Row, columns, run_of

OWN = (
    "id", "tenant", "user_id", "args", "turn", "due_at", "created_at", "dedupe_key", "concurrency_key", "limit_key",
    "host", "attempt", "token",
)  # fmt: skip
"""The columns in which the runs of one batch are expected to differ."""

SHARED = (
    "schedule", "job", "queue", "kind", "state", "priority", "triggered_by", "overlap", "max_attempts", "lost_count",
    "cancel_requested", "weight",
)  # fmt: skip
"""Those that few of them differ in, and that each has; what schedule it is of stands here for whoever asks for that."""

RARE = tuple(name for name in RUN if name not in OWN + SHARED)
"""Those that most runs do not have."""


class Layout(NamedTuple):
    """How the columns of a run stand in a row."""

    own: Callable[[Row], Row]
    """Returns the columns OWN."""
    others: Callable[[Row], Row]
    whole: Callable[[Row], Row]
    """Returns the columns RUN."""
    whose: Callable[[Row], tuple[str | None, str | None]]
    """Returns schedule and tenant."""


def _widened(row: Row) -> Row:
    values = dict(zip(OWN + SHARED, row, strict=False))
    rare = row[len(OWN + SHARED)]
    if rare is not None:
        values |= zip(RARE, msgspec.json.decode(rare), strict=True)
    return tuple(values.get(name) for name in RUN)


WIDE = Layout(
    own=itemgetter(*(RUN.index(name) for name in OWN)),
    others=itemgetter(*(number for number, name in enumerate(RUN) if name not in OWN)),
    whole=itemgetter(slice(len(RUN))),
    whose=itemgetter(RUN.index("schedule"), RUN.index("tenant")),
)
"""A row that begins with the columns RUN."""

NARROW = Layout(
    own=itemgetter(slice(len(OWN))),
    others=itemgetter(slice(len(OWN), len(OWN + SHARED) + 1)),
    whole=_widened,
    whose=itemgetter(len(OWN) + SHARED.index("schedule"), OWN.index("tenant")),
)
"""A row that begins with NARROW_COLUMNS. To hand over 48 columns of a run takes the driver of SQLite 4.3 us, to hand
over these 2.7 us."""

NARROW_COLUMNS = (
    f"{columns(OWN + SHARED, 'r')}, CASE WHEN coalesce({columns(RARE, 'r')}) IS NOT NULL "
    f"THEN json_array({columns(RARE, 'r')}) END"
)


class Taken(NamedTuple):
    """What a claim made of its rows, where the engine does not tell."""

    worker: str
    lease_until: datetime
    now: datetime


def claimed_runs(rows: Iterable[Row], taken: Taken | None, *, layout: Layout = WIDE) -> list[Run]:
    """Return the runs of rows; `taken`: as they were before their claim."""
    runs: list[Run] = []
    model: Run | None = None
    shared: object = None
    own, others = layout.own, layout.others
    claimed_at = 0 if taken is None else to_micros(taken.now)
    # Mostly the same for all, too.
    instants: dict[int, datetime] = {}
    for row in rows:
        if model is None or others(row) != shared:
            shared, model = others(row), run_of(layout.whole(row))
            if taken is not None:
                model = replace(
                    model,
                    state=State.RUNNING,
                    owner=taken.worker,
                    lease_until=taken.lease_until,
                    claimed_at=taken.now,
                )
        run_id, tenant, user_id, args, turn, due_at, created_at, dedupe, concurrency, limit, host, attempt, token = own(
            row
        )
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
                attempt=attempt,
                token=token,
            )
        )
    return runs


def _instant(instants: dict[int, datetime], micros: int) -> datetime:
    return instants.setdefault(micros, from_micros(micros))
