"""Runs that are unique by a name: who has the name, and what becomes of another one that wants it (R32)."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct

from rota.core.model import Run, State
from rota.errors import NotUnique

LONGEST_NAME = 700
"""Characters; a name that would be longer is made of a hash."""


class Scope(StrEnum):
    """How long a run has its name."""

    WAITING = "waiting"
    """Until its first attempt begins."""
    OPEN = "open"
    """Until it is over, its retries included."""
    PERIOD = "period"
    """Until an instant, whatever becomes of the run."""


class Conflict(StrEnum):
    """What becomes of a run whose name another run has."""

    EXISTING = "existing"
    """It is not queued; the other one stands for it."""
    REPLACE = "replace"
    """It is queued; the other one is cancelled, or asked to stop if it is running."""
    RAISE = "raise"
    """It is not queued, and its enqueuer is told so by an error."""


class UniqueRun(Struct, frozen=True, kw_only=True):
    """A run that is to be queued unless another one has its name."""

    run: Run
    name: str
    scope: Scope = Scope.OPEN
    kept_until: datetime | None = None
    """For `period`: until when it has its name."""
    conflict: Conflict = Conflict.EXISTING


class Holder(Struct, frozen=True, kw_only=True):
    """The run that was given a name last, as it stands now."""

    run_id: str
    scope: Scope
    kept_until: datetime | None = None
    state: State | None
    """None when it was pruned."""
    attempt: int = 0


class Judgement(Struct, frozen=True, kw_only=True):
    """What a store does for those who want names."""

    ids: list[str]
    """For each of them the run that stands for it, in the order given."""
    accepted: list[UniqueRun]
    """Those that are queued and have their names from now on."""
    replaced: list[str]
    """The runs that are cancelled for them."""


def unique_name(job: str, tenant: str | None, key: str) -> str:
    """Return the name of a key: the same key of another job or tenant is another name."""
    # As JSON: whatever stands in the parts, different ones never look the same.
    try:
        name = msgspec.json.encode([job, tenant, key]).decode()
    except UnicodeEncodeError:
        name = ascii([job, tenant, key])
    if len(name) <= LONGEST_NAME:
        return name
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


def arguments_key(args: str) -> str:
    """Return the key of stored arguments: the same for the same ones, in whatever order they were named."""
    text = msgspec.json.encode(msgspec.json.decode(args), order="sorted")
    return "args:" + hashlib.sha256(text).hexdigest()


def is_held(holder: Holder, *, now: datetime) -> bool:
    """Whether this run still has the name that it was given."""
    match holder.scope:
        case Scope.PERIOD:
            return holder.kept_until is not None and holder.kept_until > now
        case Scope.OPEN:
            return holder.state is not None and not holder.state.is_final
        case Scope.WAITING:
            # One that waits for a retry has begun. One whose attempt was given back begins anew: it waits.
            return holder.state in (State.SCHEDULED, State.QUEUED) and holder.attempt == 0


def judge(
    wanted: Sequence[UniqueRun], holders: Mapping[str, Holder], *, known: Collection[str], now: datetime
) -> Judgement:
    """Decide for each in turn whether it is queued, another run stands for it, or it takes the place of another.

    `holders` are by name; `known` are ids of those wanted that are stored already. Of several in one call that replace
    one another only the last is queued, and stands for them all.

    Raises:
        NotUnique: one that may not conflict does. Nothing of the call is to be written.
    """
    current = dict(holders)
    accepted: dict[str, UniqueRun] = {}
    replaced: list[str] = []
    stands_for: dict[str, str] = {}
    answers: list[str] = []
    for one in wanted:
        run_id = one.run.id
        answers.append(run_id)
        if run_id in known or run_id in accepted:
            continue
        holder = current.get(one.name)
        if holder is not None and holder.run_id == run_id:
            # Accepted by an earlier call whose answer was lost.
            continue
        if holder is not None and is_held(holder, now=now):
            if one.conflict is Conflict.RAISE:
                raise NotUnique(one.run.job, name=one.name, run_id=None if holder.run_id in accepted else holder.run_id)
            if one.conflict is Conflict.EXISTING:
                answers[-1] = holder.run_id
                continue
            if accepted.pop(holder.run_id, None) is None:
                replaced.append(holder.run_id)
            else:
                stands_for[holder.run_id] = run_id
        accepted[run_id] = one
        current[one.name] = Holder(
            run_id=run_id, scope=one.scope, kept_until=one.kept_until, state=State.SCHEDULED, attempt=0
        )
    return Judgement(
        ids=[_last(run_id, stands_for) for run_id in answers], accepted=list(accepted.values()), replaced=replaced
    )


def _last(run_id: str, stands_for: Mapping[str, str]) -> str:
    while run_id in stands_for:
        run_id = stands_for[run_id]
    return run_id
