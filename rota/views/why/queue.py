"""Why a run that may begin has not begun: nobody takes it, or others come first (R36)."""

from collections import Counter

from rota.core.model import Run
from rota.views.why.facts import LOOKED_AT, Facts
from rota.views.why.reason import Code, Reason, named, reason


def in_queue(facts: Facts, run: Run) -> list[Reason]:
    """Return what a queued run waits for."""
    if not facts.workers:
        last = facts.last_seen
        gone = f"; the last was seen at {facts.at(last)}" if last is not None else ""
        return [reason(Code.NO_WORKER, f"no worker is alive{gone}", "rota start", last_seen=last)]
    takers = facts.takers(run.queue)
    if not takers:
        count = len(facts.workers)
        text = f"none of the processes that live ({count}) takes runs of queue {run.queue}"
        return [reason(Code.NO_WORKER_FOR_QUEUE, text, f"rota start --queues {run.queue}:8", queue=run.queue)]
    unknown = _unknown(facts, run)
    if unknown is not None:
        return [unknown]
    taken = _taken(facts, run)
    return [*([taken] if taken is not None else []), _in_line(facts, run)]


def _unknown(facts: Facts, run: Run) -> Reason | None:
    """Return that no worker knows the job (R36): such a run is claimed, and given back before anything of it begins."""
    if facts.job(run.job) is None:
        text = f"no job {run.job} is registered in this code: no worker that runs this code takes it"
        return reason(Code.UNKNOWN_JOB, text, "start workers with the code that has it", job=run.job)
    history = facts.app.store.run(run.id)
    was_begun = history is not None and bool(history.attempts)
    if not run.token or run.attempt or was_begun or run.lost_count:
        return None
    versions = ", ".join(sorted({worker.version for worker in facts.takers(run.queue)}))
    text = (
        f"a worker took it and gave it back at once: perhaps none of the workers (version {versions}) knows job "
        f"{run.job}, because they run another code than this"
    )
    return reason(Code.UNKNOWN_JOB, text, "restart the workers with the code that has it", job=run.job)


def _taken(facts: Facts, run: Run) -> Reason | None:
    """Return by what the places are taken that this queue has; None while one is free."""
    takers = {worker.id: worker for worker in facts.takers(run.queue)}
    places = sum(worker.queues.get(run.queue) or worker.places for worker in takers.values())
    here = [one for one in facts.running if one.owner in takers]
    # A worker that takes a few of this queue only may be full with others all the same.
    is_full = all(
        sum(one.owner == worker.id for one in here) >= worker.places
        or 0 < worker.queues.get(run.queue, 0) <= sum(one.owner == worker.id and one.queue == run.queue for one in here)
        for worker in takers.values()
    )
    if not is_full:
        return None
    by_job = Counter(one.job for one in here)
    begun = [since for one in here if (since := one.started_at or one.claimed_at) is not None]
    longest = f"; the longest since {facts.at(min(begun))}" if begun else ""
    what = named((f"{count} {job}" for job, count in by_job.most_common()), most=4)
    text = f"all {places} places for queue {run.queue} are taken: {what}{longest}"
    return reason(
        Code.PLACES_TAKEN, text, "rota workers", queue=run.queue, places=places, by=dict(by_job.most_common())
    )  # fmt: skip


def _in_line(facts: Facts, run: Run) -> Reason:
    line = facts.queued(run.queue)
    ids = [one.id for one in line]
    if run.id in ids and len(line) < LOOKED_AT:
        place = ids.index(run.id) + 1
        text = f"it is number {place} of {len(line)} in queue {run.queue}"
        return reason(Code.IN_LINE, text, queue=run.queue, place=place, of=len(line))
    count = facts.counts.by_queue.get(run.queue, {}).get(run.state, 0)
    text = f"it is one of {count} in queue {run.queue}"
    return reason(Code.IN_LINE, text, queue=run.queue, of=count)
