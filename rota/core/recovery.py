"""What becomes of the slots that were kept for a tenant while it was parked (R25, R8)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rota.core.catchup import ON_TIME
from rota.core.model import Run, Trigger
from rota.core.policy import CatchUp, CatchUpMode


def is_kept_slot(run: Run) -> bool:
    """Return whether a run that a tenant's gate held is a slot that its schedule's policy decides on.

    Not one that was begun before, nor what people asked for.
    """
    return run.trigger is Trigger.SCHEDULE and run.slot is not None and run.attempt == 0


def not_made_up(kept: Sequence[Run], policy: CatchUp, *, now: datetime) -> list[Run]:
    """Return the kept runs of one schedule and tenant that do not run any more, oldest slot first."""
    slots = sorted({run.slot for run in kept if run.slot is not None})
    made_up = frozenset(_made_up(slots, policy, now=now))
    left_out = [run for run in kept if run.slot is not None and run.slot not in made_up]
    return sorted(left_out, key=lambda run: (run.slot or now, run.id))


def _made_up(slots: Sequence[datetime], policy: CatchUp, *, now: datetime) -> Sequence[datetime]:
    match policy.mode:
        case CatchUpMode.NONE:
            return _since(slots, now, ON_TIME)
        case CatchUpMode.LATEST:
            return slots[-1:]
        case CatchUpMode.ALL:
            young = slots if policy.within is None else _since(slots, now, policy.within)
            return young if policy.limit is None else young[max(len(young) - max(policy.limit, 0), 0) :]


def _since(slots: Sequence[datetime], now: datetime, age: timedelta) -> list[datetime]:
    return [slot for slot in slots if now - slot <= age]
