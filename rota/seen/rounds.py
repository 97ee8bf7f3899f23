"""Rounds as they are for whoever sees only some tenants: their runs, and the sum of those."""

from collections.abc import Mapping

from msgspec.structs import replace

from rota.core.lifecycle import round_state
from rota.core.model import OPEN, Round, RoundState, State


def seen_round(round_: Round, counts: Mapping[State, int]) -> Round:
    """Return a round whose runs that there are stand so, as if it had no others.

    When it ended is left out: the last of its runs may be another tenant's.
    """
    is_open = any(counts.get(state) for state in OPEN)
    bare = replace(round_, expanded=True, expected=sum(counts.values()), counts={}, reason=None, ended_at=None)
    return replace(bare, state=RoundState.RUNNING if is_open else round_state(bare, counts))


def is_of_no_run(round_: Round) -> bool:
    """Whether it records slots that were not run for anybody."""
    return round_.state is RoundState.SKIPPED and round_.skipped_from is not None
