"""Every change of a run's state, as a function of values and `now`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core.exceptions import class_names
from rota.core.fingerprint import fingerprint
from rota.core.model import Attempt, ErrorReport, Outcome, Round, RoundState, Run, Settlement, State
from rota.core.policy import Retry
from rota.core.retry import is_too_late, too_late_text

MAX_LOST = 3
"""A run whose attempts were lost this often is poison and fails (R30): an out-of-memory job must not come back for
ever. Three, as Sidekiq Pro counts."""

RETRY_LATER = "rota.errors.RetryLater"
"""What a job raises that asks for another attempt."""

TIME_OUT = class_names(TimeoutError())
"""What an attempt that was over its time limit failed by, for a policy that asks."""

EXPIRED = "expired"
"""The reason of a run that is skipped because it has not begun in time (R32)."""

USED = frozenset({Outcome.FAILED, Outcome.TIMED_OUT})
"""How attempts end that are not given back."""

LOST_WAIT = timedelta(seconds=10)
"""What a run waits after its second lost attempt; the first is repeated at once."""


class Ending(Struct, frozen=True, kw_only=True, gc=False):
    """How an attempt ended, as the executor saw it."""

    outcome: Outcome
    started_at: datetime | None = None
    error: ErrorReport | None = None
    result: str | None = None
    reason: str | None = None
    retry: bool = True
    """Whether a failure may be tried again; a job can say that it is final."""
    classes: tuple[str, ...] = ()
    """The names of the classes of the exception that ended it, its own first; for a policy that asks for them."""
    delay: timedelta | None = None
    """For a snooze: how long. For a failure: the wait the job itself asked for. For an interruption: how long its code
    may still be running."""
    is_skipped: bool = False
    """For a cancellation: whether it never began, and its run is recorded as skipped."""
    expanded: int | None = None
    reached: bool | None = None
    """Whether it could reach its tenant's database: True for a success that used it, False for a failure to connect
    that ended it, None for all that says nothing of that (R25)."""


def settle(
    run: Run,
    ending: Ending,
    *,
    now: datetime,
    wait: timedelta,
    retry: Retry | None = None,
    first_at: datetime | None = None,
) -> Settlement:
    """Decide what an ended attempt makes of its run. Stores apply the answer, never choose it.

    `wait` is the pause before the next attempt, if there is one and the job asked for no other; `retry` says after
    which exceptions there is, and for how long, `None` after each. `first_at` is when the first attempt began that
    used one up; this one, if it is `None`.
    """
    match ending.outcome:
        case Outcome.SUCCEEDED:
            return _settlement(run, ending, State.SUCCEEDED, now=now)
        case Outcome.CANCELLED if ending.is_skipped:
            return _settlement(run, ending, State.SKIPPED, now=now, attempt=run.attempt - 1)
        case Outcome.CANCELLED:
            return _settlement(run, ending, State.CANCELLED, now=now)
        case Outcome.SNOOZED:
            return _settlement(
                run,
                ending,
                State.SCHEDULED,
                now=now,
                due_at=now + (wait if ending.delay is None else ending.delay),
                attempt=run.attempt - 1,
            )
        case Outcome.INTERRUPTED:
            # A deploy is not the job's fault: give the attempt back (R45).
            state = State.QUEUED if ending.delay is None else State.SCHEDULED
            due_at = now + (ending.delay or timedelta(0))
            return _settlement(run, ending, state, now=now, due_at=due_at, attempt=run.attempt - 1)
        case Outcome.LOST:
            return _lost(run, ending, now=now)
        case _ if run.cancel_requested:
            return _settlement(run, ending, State.CANCELLED, now=now)
        case _ if run.attempt < run.max_attempts and _is_retried(ending, retry):
            due_at = now + (wait if ending.delay is None else ending.delay)
            if retry is not None and is_too_late(retry, first_at=first_at or ending.started_at, at=due_at):
                ending = replace(ending, reason=f"no further attempt: {too_late_text(retry)}")
                return _settlement(run, ending, State.FAILED, now=now)
            return _settlement(run, ending, State.SCHEDULED, now=now, due_at=due_at)
        case _:
            return _settlement(run, ending, State.FAILED, now=now)


def _is_retried(ending: Ending, retry: Retry | None) -> bool:
    if not ending.retry:
        return False
    # Whatever a job raises once its time is over, for a policy it is the time-out that ended it.
    classes = TIME_OUT if ending.outcome is Outcome.TIMED_OUT else ending.classes
    # Who raises RetryLater asks for another attempt, whatever the policy says of other exceptions.
    return retry is None or RETRY_LATER in classes or retry.covers(classes)


def is_expired(run: Run, *, now: datetime) -> bool:
    """Whether a run has not begun in time. One whose attempts were all given back has not begun; one that waits for a
    retry, or runs, has."""
    is_waiting = run.state in (State.SCHEDULED, State.QUEUED)
    return run.expires_at is not None and run.expires_at <= now and is_waiting and run.attempt == 0


def expired_in_hand(run: Run, *, now: datetime) -> Ending | None:
    """Return how a claimed run ends that expired before its first attempt began; None where it may begin."""
    if run.expires_at is None or run.expires_at > now or run.attempt > 1:
        return None
    return Ending(outcome=Outcome.CANCELLED, reason=EXPIRED, is_skipped=True)


def unknown_in_hand(run: Run, *, now: datetime) -> Settlement:
    """Give back a run that was sent to a process which does not know its job: one of another version, in a deploy."""
    # Not at once: whoever sent it there would send it there again.
    error = ErrorReport(type="UnknownJob", message=f"{run.job!r} is no job where it was sent to")
    ending = Ending(outcome=Outcome.INTERRUPTED, error=error, reason=error.message, delay=LOST_WAIT)
    return settle(run, ending, now=now, wait=LOST_WAIT)


def own_attempt(run: Run) -> Attempt:
    """Return the attempt that stands on the run's own row: the one that runs or ended it."""
    return Attempt(
        run_id=run.id,
        token=run.token,
        owner=run.owner,
        claimed_at=run.claimed_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        outcome=run.outcome,
        error=run.error,
    )


def first_start(run: Run, attempts: Sequence[Attempt]) -> datetime | None:
    """Return when the first attempt of a claimed run began, of those that used one up since it was opened last; None
    before there is one. `attempts` are all of its own, oldest first."""
    used = [attempt for attempt in attempts if attempt.outcome in USED][-max(run.attempt - 1, 0) :]
    return used[0].started_at or used[0].claimed_at if used and run.attempt > 1 else None


def too_late_in_hand(run: Run, retry: Retry, *, first_at: datetime | None, now: datetime) -> Ending | None:
    """Return how a claimed run ends whose next attempt came too late to begin, because of a pause, a limit or a long
    queue; None where it may begin."""
    if run.attempt < 2 or not is_too_late(retry, first_at=first_at, at=now):
        return None
    error = ErrorReport(type="TooLate", message=f"attempt {run.attempt} did not begin: {too_late_text(retry)}")
    return Ending(outcome=Outcome.FAILED, error=error, retry=False)


def rescue(run: Run, *, now: datetime, reason: str | None = None) -> Settlement:
    """Decide what becomes of a run whose lease has ended, or whose worker died; then `reason` says how.

    Void if a heartbeat moves the lease in between.
    """
    if reason is None:
        error = ErrorReport(type="LeaseLost", message=f"worker {run.owner} stopped renewing its lease")
    else:
        error = ErrorReport(type="WorkerDied", message=reason)
    settlement = settle(run, Ending(outcome=Outcome.LOST, error=error), now=now, wait=LOST_WAIT)
    return replace(settlement, lease_until=run.lease_until)


def _lost(run: Run, ending: Ending, *, now: datetime) -> Settlement:
    lost_count = run.lost_count + 1
    if run.cancel_requested:
        return _settlement(run, ending, State.CANCELLED, now=now, attempt=run.attempt - 1, lost_count=lost_count)
    if lost_count >= MAX_LOST:
        return _settlement(run, ending, State.FAILED, now=now, attempt=run.attempt - 1, lost_count=lost_count)
    if lost_count == 1:
        return _settlement(run, ending, State.QUEUED, now=now, attempt=run.attempt - 1, lost_count=lost_count)
    due_at = now + LOST_WAIT
    return _settlement(
        run, ending, State.SCHEDULED, now=now, due_at=due_at, attempt=run.attempt - 1, lost_count=lost_count
    )


def _settlement(
    run: Run,
    ending: Ending,
    state: State,
    *,
    now: datetime,
    due_at: datetime | None = None,
    attempt: int | None = None,
    lost_count: int | None = None,
) -> Settlement:
    return Settlement(
        run=run,
        outcome=ending.outcome,
        state=state,
        due_at=now if due_at is None else due_at,
        attempt=run.attempt if attempt is None else attempt,
        lost_count=run.lost_count if lost_count is None else lost_count,
        started_at=ending.started_at,
        ended_at=now,
        error=_known(ending.error, run),
        result=ending.result,
        reason=ending.reason,
        expanded=ending.expanded,
    )


def _known(error: ErrorReport | None, run: Run) -> ErrorReport | None:
    """Return an error with its fingerprint, wherever it was made."""
    if error is None or error.fingerprint:
        return error
    named = fingerprint(error.type, error.message, error.place, tenant=run.tenant or "")
    return replace(error, fingerprint=named)


def round_state(round_: Round, counts: Mapping[State, int]) -> RoundState:
    """Return the sum of a round whose runs are all final: `succeeded` only if every tenant has a run and each of
    them succeeded (R23)."""
    if not round_.expanded:
        return RoundState.FAILED
    good = counts.get(State.SUCCEEDED, 0)
    everyone = sum(counts.values())
    missing = max((round_.expected or 0) - everyone, 0)
    if good == everyone and not missing:
        return RoundState.SUCCEEDED
    if good:
        return RoundState.PARTIAL
    return RoundState.SKIPPED if everyone and counts.get(State.SKIPPED, 0) == everyone else RoundState.FAILED
