"""What becomes of a run whose attempt has ended, or is given up: the circumstances that `lifecycle` decides on."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random

from msgspec.structs import replace

from rota.core import lifecycle, retry
from rota.core.freshness import Expectation
from rota.core.lifecycle import Ending
from rota.core.model import ErrorReport, Outcome, Run, RunKind, Settlement, State
from rota.core.policy import Retry
from rota.engine.attempt import LiveAttempt
from rota.signature import Registered

PARTING = timedelta(seconds=1)
"""What a run waits for its next attempt where this process ends while the code of the last one may still run."""

NOTHING = timedelta(0)
SUCCEEDED = Outcome.SUCCEEDED

ASKED = frozenset({Outcome.TIMED_OUT, Outcome.CANCELLED})
"""Why an attempt was asked to stop, where that is its outcome also if it does not."""


class Verdict:
    """Makes settlements of endings, with the pause that the job's retry policy says."""

    def __init__(
        self,
        jobs: Mapping[str, Registered],
        *,
        random: Random,
        expect: Callable[[Run], Expectation | None] | None = None,
    ) -> None:
        """`expect` tells by when the schedule of a run that succeeded has to succeed again (R51)."""
        self._jobs = jobs
        self._random = random
        self._expect = expect

    def on(self, attempt: LiveAttempt, ending: Ending, now: datetime) -> Settlement:
        """Return what becomes of a run whose attempt has ended."""
        run = attempt.run
        if ending.outcome is SUCCEEDED and run.schedule is None and not attempt.lost:
            # Most runs, of which nothing more is asked.
            return lifecycle.settle(run, ending, now=now, wait=NOTHING)
        if attempt.lost:
            # However it ended, it may have been beside its successor. If the run is another's by now, this is refused,
            # and recorded as superseded; if not, the run comes free before its lease ends (G5, G6).
            ending = Ending(outcome=Outcome.INTERRUPTED, started_at=ending.started_at, reason="its lease was lost")
        elif ending.outcome is Outcome.CANCELLED and attempt.stop_signal.is_set():
            # Whoever cancelled it wrote the reason on the run's row; ours must not replace it.
            ending = replace(ending, reason=None)
        # Most runs succeed, and then nobody asks how long they would have waited.
        wait = NOTHING if ending.outcome is SUCCEEDED else self._pause(run)
        # The list of tenants is no work of the job's: what its policy says of exceptions does not concern that.
        policy = self._policy(run) if run.kind is RunKind.JOB else None
        settlement = lifecycle.settle(run, ending, now=now, wait=wait, retry=policy, first_at=attempt.first_at)
        if run.schedule is not None and settlement.state is State.SUCCEEDED and self._expect is not None:
            return replace(settlement, expected=self._expect(run))
        return settlement

    def at_parting(self, attempt: LiveAttempt, now: datetime) -> Settlement:
        """Return what becomes of a run whose code may go on until this process is gone."""
        stop, run = attempt.stop_signal, attempt.run
        wait = max(self._pause(run), PARTING)
        if not (stop.is_set() and stop.outcome in ASKED):
            ending = Ending(
                outcome=Outcome.INTERRUPTED,
                started_at=attempt.started_at,
                reason="given back unfinished",
                delay=None if attempt.started_at is None else PARTING,
            )
            return lifecycle.settle(run, ending, now=now, wait=wait)
        error = ErrorReport(type="Stuck", message=f"{stop.reason}, and it did not stop")
        # Whoever cancelled it wrote the reason on the run's row.
        reason = None if stop.outcome is Outcome.CANCELLED else stop.reason
        ending = Ending(outcome=stop.outcome, started_at=attempt.started_at, error=error, reason=reason)
        return lifecycle.settle(
            run, ending, now=now, wait=wait, retry=self._policy(run), first_at=attempt.first_at
        )  # fmt: skip

    def _pause(self, run: Run) -> timedelta:
        return retry.wait(self._policy(run), attempt=max(run.attempt, 1), random=self._random)

    def _policy(self, run: Run) -> Retry:
        """Return how a run is retried: as its enqueuer said, else as its job says."""
        return run.retry or self._jobs[run.job].job.retry
