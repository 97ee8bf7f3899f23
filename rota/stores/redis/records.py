"""How values look in Redis: msgpack maps that the scripts read too.

A field with its default is left out, so that the run of a plain job is some 200 bytes. Instants are microseconds since
the epoch; scripts know numbers as doubles only, so one beyond the year 2255 is text. What scripts do not look into is
JSON.
"""

from msgspec import Struct

from rota.core.model import RoundState, Trigger
from rota.core.policy import Overlap

Whole = int | str
"""A whole number: as text where a double would lose some of it."""

NO_ARGS = '{"args":[],"kwargs":{}}'


class RunRecord(Struct, kw_only=True, omit_defaults=True):
    """A run. The fields of `Run`, as Redis keeps them."""

    id: str
    job: str
    queue: str
    state: str
    due_at: Whole
    created_at: Whole
    kind: str | None = None
    tenant: str | None = None
    user_id: str | None = None
    args: str = NO_ARGS
    reason: str | None = None
    priority: int = 0
    turn: float = 0.0
    expires_at: Whole | None = None
    trigger: str = Trigger.ENQUEUE.value
    actor: str | None = None
    schedule: str | None = None
    slot: Whole | None = None
    since: Whole | None = None
    round_id: str | None = None
    dedupe_key: str | None = None
    concurrency_key: str | None = None
    waits_for: str | None = None
    held_by: str | None = None
    batch: str | None = None
    part: str | None = None
    weight: float = 1.0
    overlap: str = Overlap.QUEUE_ALL.value
    retry: str | None = None
    carried: str | None = None
    parent: str | None = None
    limit_key: str | None = None
    host: str | None = None
    limited_by: str | None = None
    max_attempts: int = 3
    attempt: int = 0
    lost_count: int = 0
    token: int = 0
    owner: str | None = None
    lease_until: Whole | None = None
    cancel_requested: bool = False
    claimed_at: Whole | None = None
    started_at: Whole | None = None
    ended_at: Whole | None = None
    outcome: str | None = None
    error: str | None = None
    result: str | None = None
    done: Whole | None = None
    total: Whole | None = None
    last_success: Whole | None = None
    is_ended_from_start: bool = False
    """Whether it was accepted as final, with all that an end has."""


class AttemptRecord(Struct, kw_only=True, omit_defaults=True):
    """An attempt that did not end its run."""

    run_id: str
    token: int
    owner: str | None = None
    claimed_at: Whole | None = None
    started_at: Whole | None = None
    ended_at: Whole | None = None
    outcome: str | None = None
    error: str | None = None


class EndRecord(Struct, kw_only=True, omit_defaults=True):
    """What a settlement makes of its run: fields of `RunRecord`, which the script writes as they are."""

    state: str
    outcome: str
    due_at: Whole | None = None
    """Only where it is due again."""
    ended_at: Whole
    attempt: int
    lost_count: int = 0
    started_at: Whole | None = None
    error: str | None = None
    result: str | None = None
    reason: str | None = None


class ExpectationRecord(Struct, kw_only=True, omit_defaults=True):
    """By when a pair must succeed again: fields of `PairRecord`."""

    late_at: Whole | None = None
    stale_at: Whole | None = None
    look_at: Whole | None = None
    rule: str = ""


class SettlementRecord(Struct, kw_only=True, omit_defaults=True):
    """A settlement, as the script takes it."""

    id: str
    token: int
    state: str
    ended_at: Whole
    lease_until: Whole | None = None
    is_expanded: bool = False
    expanded: int | None = None
    met: dict[str, str] | None = None
    """The error that its attempt is counted under."""
    signal: tuple[str, str] | None = None
    """What it leaves where it ends its run as failed: an id, and JSON."""
    expected: ExpectationRecord | None = None


class MetRecord(Struct, kw_only=True, omit_defaults=True):
    """An error of a job, over all runs."""

    job: str
    fingerprint: str
    type: str
    first_at: Whole
    last_at: Whole
    number: int
    message: str = ""
    place: str = ""
    last_run_id: str = ""


class GivenRecord(Struct, kw_only=True, omit_defaults=True):
    """What a name was given to last."""

    run_id: str
    scope: str
    at: Whole
    kept_until: Whole | None = None


class RoundRecord(Struct, kw_only=True, omit_defaults=True):
    """A round."""

    id: str
    job: str
    created_at: Whole
    schedule: str | None = None
    slot: Whole | None = None
    trigger: str = Trigger.SCHEDULE.value
    actor: str | None = None
    state: str = RoundState.RUNNING.value
    reason: str | None = None
    skipped_from: Whole | None = None
    expanded: bool = False
    expected: int | None = None
    places: int | None = None
    counts: str = "{}"
    ended_at: Whole | None = None


class ProgressRecord(Struct, kw_only=True, omit_defaults=True):
    """Progress of a schedule for a tenant."""

    schedule: str
    tenant: str = ""
    last_success: Whole | None = None
    last_success_at: Whole | None = None
    last_run_id: str | None = None
    last_state: str | None = None
    last_ended_at: Whole | None = None
    failures: int = 0


class PairRecord(Struct, kw_only=True, omit_defaults=True):
    """A pair that is watched."""

    schedule: str
    tenant: str = ""
    state: str
    last_success: Whole | None = None
    late_at: Whole | None = None
    stale_at: Whole | None = None
    look_at: Whole | None = None
    flipped_at: Whole
    watched_from: Whole
    rule: str = ""


class ScheduleRecord(Struct, kw_only=True, omit_defaults=True):
    """A schedule: what scripts decide on and change, and all of it as JSON."""

    version: int
    cursor: Whole
    body: str
    is_active: bool = False
    next_at: Whole | None = None
    last_run_at: Whole | None = None


class WorkerBeat(Struct, kw_only=True, omit_defaults=True):
    """A worker: what its heartbeats change, and all of it as JSON."""

    body: str
    last_seen: Whole
    stamps: str = "{}"
    """JSON: to a script nothing in it would be a list as well as a map."""
