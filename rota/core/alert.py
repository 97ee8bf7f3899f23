"""What a channel is told: one stage of an incident, as plain data with nothing secret in it (R50, R65)."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class IncidentKind(StrEnum):
    """What went wrong."""

    FAILED = "failed"
    """Runs failed for good: an exception, or a result that says so."""
    TIMED_OUT = "timed_out"
    LOST = "lost"
    """Runs whose worker died again and again."""
    STALE = "stale"
    """A schedule has not succeeded in time."""
    PARKED = "parked"
    """A tenant's database cannot be reached."""
    BROKEN = "broken"
    """A stored schedule cannot be understood."""
    STOPPED = "stopped"
    """A loop of Rota's own has not come round."""


class Stage(StrEnum):
    """Which news of an incident this is."""

    OPENED = "opened"
    REMINDER = "reminder"
    RECOVERED = "recovered"
    TEST = "test"
    """No incident at all: somebody tries a channel."""


class Alert(Struct, frozen=True, kw_only=True):
    """One message about one incident. Every text in it has been masked, and may hold anything else."""

    id: str
    """The same with each try of its delivery: a receiver tells a repetition by it."""
    incident: str
    """Messages of one incident belong together."""
    stage: Stage
    kind: IncidentKind
    job: str
    """"" where it is about no job."""
    title: str
    """One line: what, of which job, for how many tenants."""
    error: str = ""
    """The first line of the error that was met last."""
    place: str = ""
    """Where in the application that error comes from."""
    tenants: tuple[str, ...] = ()
    """Those affected, by name, not more than the rules let through."""
    number_of_tenants: int = 0
    """How many there are in all."""
    slot: datetime | None = None
    run_id: str | None = None
    """The run that met it last."""
    number: int = 1
    """How often it was met."""
    openings: int = 1
    """How often it was opened in a row, each time before it had been closed for long."""
    first_at: datetime
    last_at: datetime
    at: datetime
    """When this message was decided on."""
    note: str = ""
    """What somebody wrote down about it."""
    advice: str = ""
    """The command that shows more, or mends it."""
    url: str = ""
    """Its page, where the address of one is configured."""
    is_kept: bool = True
    """Whether its incident stands in the store. While that is away nothing can be acknowledged, explained or run."""
