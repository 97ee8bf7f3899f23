"""Runs that succeeded and say nothing: most runs, so stores settle them by the shortest way there is."""

from collections.abc import Sequence
from typing import NamedTuple

from rota.clock import to_micros
from rota.core.model import Outcome, Settlement, State

SUCCESS, DONE = Outcome.SUCCEEDED, State.SUCCEEDED


class Plain(NamedTuple):
    """Settlements of which all but run, token and start is the same."""

    settlements: Sequence[Settlement]
    ids: list[str]
    tokens: list[int]
    began: list[int | None]
    ended_at: int


def plain(settlements: Sequence[Settlement]) -> Plain | None:
    """Return settlements that can go the short way: each of another run, all at one time, and nothing follows but
    progress. None where one of them cannot."""
    if not settlements:
        return None
    ended_at = settlements[0].ended_at
    ids: list[str] = []
    tokens: list[int] = []
    began: list[int | None] = []
    for one in settlements:
        run = one.run
        if (
            one.outcome is not SUCCESS
            or one.state is not DONE
            or one.result is not None
            or run.concurrency_key is not None
            or one.ended_at != ended_at
            or one.error is not None
            or one.reason
            or one.lease_until is not None
            or one.expanded is not None
            or one.attempt != run.attempt
            or one.lost_count != run.lost_count
        ):
            return None
        ids.append(run.id)
        tokens.append(run.token)
        began.append(None if one.started_at is None else to_micros(one.started_at))
    if len(set(ids)) < len(ids):
        return None
    return Plain(settlements, ids, tokens, began, to_micros(ended_at))
