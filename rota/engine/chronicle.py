"""Says in the log what happens to runs, rounds and schedules: one line for each event, as long as they can be read."""

import logging
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from rota.clock import Clock
from rota.core.duration import rough_duration
from rota.core.events import (
    AttemptFailed,
    AttemptsEnded,
    RoundEnded,
    RunLost,
    RunsReleased,
    RunsStarted,
    ScheduleFired,
    WorkerStarted,
    WorkerStopped,
)
from rota.core.model import Outcome, RoundState, Run, RunKind, Settlement, State
from rota.core.policy import tries
from rota.engine.bus import Bus

log: logging.Logger = logging.getLogger("rota.run")

A_SECOND: Final = 20
"""Lines of one kind about one job in a second. Of more there is a sum: nobody reads 20,000 lines a second, and to
write them would take longer than to do the runs."""
SUMS: Final = timedelta(seconds=10)
"""How often those are told."""


class Chronicle:
    """Writes the lines, of what is published on a bus, in the thread that publishes it; as a service, the sums."""

    def __init__(self, bus: Bus, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        """Guards the counts."""
        self._counts: dict[tuple[str, str], Count] = {}
        if log.isEnabledFor(logging.INFO):
            # No run pays for a line that nobody reads.
            bus.on(RunsStarted, self._started)
            bus.on(AttemptsEnded, self._ended)
        else:
            bus.on(AttemptFailed, lambda event: self._say_ended(event.settlement))
        bus.on(RunLost, self._lost)
        bus.on(RunsReleased, self._released)
        bus.on(RoundEnded, self._round_ended)
        bus.on(ScheduleFired, self._fired)
        bus.on(WorkerStarted, self._up)
        bus.on(WorkerStopped, self._down)

    def tick(self, now: datetime) -> timedelta:
        """Tell how many lines were left out since they were last told."""
        with self._lock:
            left_out = [(key, count.left_out) for key, count in self._counts.items() if count.left_out]
            for key, _ in left_out:
                self._counts[key].left_out = 0
        for (job, event), number in left_out:
            log.info("%d more: %s", number, event, extra={"event": event, "job": job, "left_out": number})
        return SUMS

    def _say(self, level: int, event: str, message: str, facts: Mapping[str, object], *args: object) -> None:
        if log.isEnabledFor(level) and self._is_due(str(facts.get("job", "")), event):
            log.log(level, message, *args, extra={"event": event, **facts})

    def _is_due(self, job: str, event: str) -> bool:
        return bool(self._due([job], event))

    def _due(self, jobs: Sequence[str], event: str) -> list[int]:
        """Return which of these, each about its job, may be said in this second. The others are counted."""
        due, counts = [], self._counts
        with self._lock:
            second = int(self._clock.monotonic())
            for at, job in enumerate(jobs):
                count = counts.get((job, event))
                if count is None:
                    count = counts[job, event] = Count()
                if count.second != second:
                    count.second, count.said = second, 0
                if count.said < A_SECOND:
                    count.said += 1
                    due.append(at)
                else:
                    count.left_out += 1
        return due

    def _started(self, event: RunsStarted) -> None:
        for at in self._due([run.job for run in event.runs], "run.started"):
            log.info("started", extra={"event": "run.started", **_facts(event.runs[at])})

    def _ended(self, event: AttemptsEnded) -> None:
        good = [one for one in event.settlements if one.outcome is Outcome.SUCCEEDED]
        for at in self._due([settlement.run.job for settlement in good], "run.succeeded"):
            facts = _facts(good[at].run) | _length(good[at])
            log.info("succeeded%s", _took(good[at], "in"), extra={"event": "run.succeeded", **facts})
        if len(good) < len(event.settlements):
            for settlement in event.settlements:
                self._say_ended(settlement)

    def _say_ended(self, settlement: Settlement) -> None:
        """Say how an attempt ended that did not succeed."""
        run = settlement.run
        match settlement.outcome:
            case Outcome.FAILED | Outcome.TIMED_OUT:
                self._say_failed(settlement)
            case Outcome.CANCELLED if settlement.state is State.SKIPPED:
                self._say(logging.INFO, "run.skipped", "skipped%s", _facts(run), _reason(settlement))
            case Outcome.CANCELLED:
                self._say(logging.INFO, "run.cancelled", "cancelled%s", _facts(run), _reason(settlement))
            case Outcome.SNOOZED:
                facts = _facts(run) | _again(settlement)
                self._say(logging.INFO, "run.snoozed", "snoozed; again in %s", facts, _wait(settlement))
            case Outcome.INTERRUPTED:
                self._say(logging.INFO, "run.released", "given back%s", _facts(run), _reason(settlement))
            case Outcome.SUCCEEDED | Outcome.LOST:
                # Of successes there are many, and they have a way of their own; a loss is published as RunLost as
                # well, whoever found it.
                return

    def _say_failed(self, settlement: Settlement) -> None:
        run, error = settlement.run, settlement.error
        is_late = settlement.outcome is Outcome.TIMED_OUT
        facts = _facts(run) | _length(settlement) | ({"error": error.type} if error is not None else {})
        what = f"{'timed out' if is_late else 'failed'}{_took(settlement)}"
        why = f": {error.first_line}" if error is not None else ""
        event = "run.timed_out" if is_late else "run.failed"
        if settlement.state is State.SCHEDULED:
            said = f"attempt {tries(run.attempt, run.max_attempts)}, again in {_wait(settlement)}"
            self._say(logging.WARNING, event, "%s, %s%s", facts | _again(settlement), what, said, why)
        else:
            self._say(logging.ERROR, event, "%s, attempt %d was the last%s", facts, what, run.attempt, why)

    def _lost(self, event: RunLost) -> None:
        settlement = event.settlement
        is_over = settlement.state is State.FAILED
        why = f": {settlement.error.first_line}" if settlement.error is not None else _reason(settlement)
        facts = _facts(settlement.run) | ({} if is_over else _again(settlement))
        what = f"lost for the {settlement.lost_count}. time, and failed" if is_over else "lost"
        self._say(logging.ERROR if is_over else logging.WARNING, "run.lost", "%s%s", facts, what, why)

    def _released(self, event: RunsReleased) -> None:
        facts: dict[str, object] = {"worker": event.worker, "number": event.number}
        self._say(logging.INFO, "run.released", "gave back %d runs: %s", facts, event.number, event.reason)

    def _round_ended(self, event: RoundEnded) -> None:
        round_ = event.round
        is_good = round_.state in (RoundState.SUCCEEDED, RoundState.SKIPPED)
        counts = ", ".join(f"{number} {state}" for state, number in sorted(round_.counts.items()))
        facts = {"round": round_.id, "job": round_.job, "schedule": round_.schedule, "state": str(round_.state)}
        level = logging.INFO if is_good else logging.WARNING
        self._say(level, "round.ended", "round %s%s", facts, round_.state, f": {counts}" if counts else "")

    def _fired(self, event: ScheduleFired) -> None:
        facts = {"schedule": event.schedule, "job": event.job, "slot": event.slot.isoformat()}
        self._say(logging.INFO, "schedule.fired", "fired the slot of %s", facts, f"{event.slot:%Y-%m-%d %H:%M:%S}Z")

    def _up(self, event: WorkerStarted) -> None:
        facts: dict[str, object] = {"worker": event.worker}
        places = (", ".join(event.queues) or "what it is sent") if event.places else "no queue"
        self._say(logging.INFO, "worker.up", "worker up, %d places for %s", facts, event.places, places)

    def _down(self, event: WorkerStopped) -> None:
        self.tick(self._clock.now())
        clean = "" if event.is_clean else ", before its runs had ended"
        self._say(logging.INFO, "worker.down", "worker down%s", {"worker": event.worker}, clean)


class Count:
    """How many lines of one kind about one job this second has, and how many were left out since it was told."""

    __slots__ = ("left_out", "said", "second")

    def __init__(self) -> None:
        self.second = 0
        self.said = 0
        self.left_out = 0


def _facts(run: Run) -> dict[str, object]:
    facts: dict[str, object] = {"run": run.id, "job": run.job, "tenant": run.tenant, "attempt": run.attempt}
    if run.round_id is not None:
        facts["round"] = run.round_id
    if run.schedule is not None:
        facts["schedule"] = run.schedule
    if run.kind is RunKind.EXPANSION:
        facts["kind"] = "expansion"
    return facts


def _length(settlement: Settlement) -> dict[str, object]:
    if settlement.started_at is None:
        return {}
    return {"duration_s": round((settlement.ended_at - settlement.started_at).total_seconds(), 3)}


def _took(settlement: Settlement, word: str = "after") -> str:
    if settlement.started_at is None:
        return ""
    return f" {word} {rough_duration((settlement.ended_at - settlement.started_at).total_seconds())}"


def _again(settlement: Settlement) -> dict[str, object]:
    return {"again_at": settlement.due_at.isoformat()}


def _wait(settlement: Settlement) -> str:
    return rough_duration(max((settlement.due_at - settlement.ended_at).total_seconds(), 0))


def _reason(settlement: Settlement) -> str:
    return f": {settlement.reason}" if settlement.reason else ""
