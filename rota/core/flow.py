"""What a flow does next: who goes on, who is given up, and what a callback is told. Values in, values out (R32)."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rota.core.gates import FLOW
from rota.core.model import OPEN, Run, State
from rota.core.part import FOLLOWERS, Part, Role

GIVEN_UP = "flow stopped: "
"""How the reason begins of what is cancelled since something before it failed: opened again with that, see `reopened`.
"""

LOST = (State.FAILED, State.CANCELLED, State.SKIPPED)
"""Where a run stands that is over and has not succeeded."""

MOST_STEPS = 1000
"""Steps of one chain: what reads a chain reads all of it."""

MOST_NAMED = 100
"""Failed members that a summary names; the others are counted."""


class BatchSummary(Struct, frozen=True, kw_only=True):
    """How a batch ended. The first argument of what follows it."""

    flow: str
    total: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0
    failed_ids: tuple[str, ...] = ()
    """Runs that failed, newest first, a hundred at most."""

    @property
    def is_success(self) -> bool:
        """Whether every member succeeded."""
        return self.failed + self.cancelled + self.skipped == 0


class Moves(Struct, frozen=True, kw_only=True):
    """What becomes of held runs, by their ids."""

    go_on: tuple[str, ...] = ()
    give_up: tuple[str, ...] = ()
    reason: str = ""
    """Why they are given up."""
    behind: str | None = None
    """The step that they are given up for; None where it was pruned, and of a batch."""


NOTHING = Moves()


def chain_moves(steps: Sequence[Run]) -> Moves:
    """Return what becomes of the steps of a chain that are held; `steps` are all of its runs.

    One goes on when the step before has succeeded. The first that is over and has not succeeded ends the chain: all
    after it is given up. Where the one before was pruned its result is gone, and the chain ends as well.
    """
    known = {run.id: run for run in steps}
    waiting = [run for run in in_order(steps) if waits(run)]
    go_on: list[str] = []
    for place, run in enumerate(waiting):
        after = part_of(run).after
        before = known.get(after or "")
        if after is None or (before is not None and before.state is State.SUCCEEDED):
            go_on.append(run.id)
        elif before is None or before.state.is_final:
            later = tuple(run.id for run in waiting[place:])
            behind = None if before is None else before.id
            return Moves(go_on=tuple(go_on), give_up=later, reason=GIVEN_UP + _why(run, before), behind=behind)
    return Moves(go_on=tuple(go_on))


def _why(run: Run, before: Run | None) -> str:
    if before is None:
        part = part_of(run)
        return f"step {part.number - 1} of {part.of} was pruned, and its result with it"
    why = before.error.first_line if before.state is State.FAILED and before.error is not None else before.reason
    how = str(before.state) if before.state is State.FAILED else f"was {before.state}"
    return f"{named(before)} {how}" + (f": {why}" if why else "")


def batch_moves(counts: Mapping[State, int], followers: Sequence[Run]) -> Moves:
    """Return what becomes of what follows a batch whose members stand as counted.

    `on_complete` goes on when every member is over; `on_success` too if all of them have succeeded, or is given up.
    """
    waiting = [run for run in followers if waits(run)]
    if not waiting or any(counts.get(state) for state in OPEN):
        return NOTHING
    ids = tuple(run.id for run in waiting)
    lost = {state: counts[state] for state in LOST if counts.get(state)}
    if not lost:
        return Moves(go_on=ids)
    on_success = tuple(run.id for run in waiting if part_of(run).role is Role.ON_SUCCESS)
    said = ", ".join(f"{number} {state}" for state, number in lost.items())
    reason = f"{GIVEN_UP}of {part_of(waiting[0]).of} members {said}"
    return Moves(go_on=tuple(one for one in ids if one not in on_success), give_up=on_success, reason=reason)


def summary(flow: str, *, total: int, counts: Mapping[State, int], failed_ids: Sequence[str]) -> BatchSummary:
    """Return what is told of a batch whose members stand as counted."""
    return BatchSummary(
        flow=flow,
        total=total,
        succeeded=counts.get(State.SUCCEEDED, 0),
        failed=counts.get(State.FAILED, 0),
        cancelled=counts.get(State.CANCELLED, 0),
        skipped=counts.get(State.SKIPPED, 0),
        failed_ids=tuple(failed_ids[:MOST_NAMED]),
    )


def reopened(chosen: Run, others: Sequence[Run]) -> list[str]:
    """Return the ids of what is opened again with a run of a flow: what was given up since it had not succeeded.

    `others` are the steps of its chain, or what follows its batch.
    """
    part = part_of(chosen)
    given_up = [run for run in in_order(others) if is_given_up(run)]
    return [run.id for run in given_up if part.role is not Role.STEP or part_of(run).number > part.number]


def is_given_up(run: Run) -> bool:
    """Whether a run was cancelled for what came before it in its flow, and not by somebody."""
    return run.state is State.CANCELLED and (run.reason or "").startswith(GIVEN_UP)


def waits(run: Run) -> bool:
    """Whether a run waits for what comes before it in its flow, or will when it is due."""
    return run.state is State.SCHEDULED and run.held_by == FLOW


def in_order(runs: Sequence[Run]) -> list[Run]:
    """Return the runs of a flow as they were declared."""
    return sorted(runs, key=lambda run: (part_of(run).number, run.id))


def part_of(run: Run) -> Part:
    """Return the part of a run of a flow."""
    assert run.part is not None, "asked of runs of flows only"
    return run.part


def named(run: Run) -> str:
    """Return which one of its flow it is, for people: `step 2 of 4 (charge)`."""
    part = part_of(run)
    what = f"{part.role} of {part.of}" if part.role in FOLLOWERS else f"{part.role} {part.number} of {part.of}"
    return f"{what} ({run.job})"
