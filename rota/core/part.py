"""What a run is within a flow: a step of a chain, a member of a batch, or what follows a batch."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """What a run does in its flow."""

    STEP = "step"
    """Of a chain: it goes on when the step before has succeeded."""
    MEMBER = "member"
    """Of a batch."""
    ON_SUCCESS = "on_success"
    """After a batch of which every member has succeeded."""
    ON_COMPLETE = "on_complete"
    """After a batch of which every member is over, however it ended."""


FOLLOWERS = frozenset({Role.ON_SUCCESS, Role.ON_COMPLETE})
"""What comes after the members of a batch."""


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The place of a run in its flow. The flow itself is the batch of the run."""

    role: Role
    number: int = 1
    """From 1: which step, or which member."""
    of: int
    """How many steps or members there are."""
    after: str | None = None
    """The run of the step before."""
    takes: bool = True
    """Whether what came before is its first argument: a result, or the summary of the batch."""
