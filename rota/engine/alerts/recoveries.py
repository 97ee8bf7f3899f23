"""What succeeded since it failed, read from what the store has: progress, and the newest runs of a job."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rota.core.incident import Incident, Member
from rota.core.model import State
from rota.ports import Store
from rota.queries import RunQuery, ScheduleQuery

NEWEST, MOST = 200, 5000
"""Runs of a job that are looked at, and twice as many as tenants that have failed, up to a limit. What is of a schedule
is found by its progress, however many ran since."""

ASKED = 20
"""Failed runs that are looked up by their ids in one pass: one that was retried is none of the newest."""


class Recoveries:
    """Knows which members of an incident of failed runs have succeeded since."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = 0

    def of(self, incident: Incident, members: Sequence[Member], *, now: datetime) -> dict[str, datetime]:
        """Return when members that have not recovered succeeded after they failed last.

        Whose failed run was forgotten has nothing left that says so: that is over now.
        """
        left = {member.name: member for member in members if member.recovered_at is None}
        if not left:
            return {}
        found: dict[str, datetime] = {}
        for name, at in [*self._by_progress(incident, left), *self._by_newest(incident, left)]:
            if at > left[name].last_at:
                found[name] = max(at, found.get(name, at))
        return found | self._by_run([member for name, member in sorted(left.items()) if name not in found], now=now)

    def _by_progress(self, incident: Incident, left: dict[str, Member]) -> Iterable[tuple[str, datetime]]:
        for schedule in self._store.schedules(ScheduleQuery(jobs=(incident.job,))):
            for progress in self._store.progress(schedule=schedule.name, tenants=list(left)):
                if progress.last_success_at is not None and progress.tenant in left:
                    yield progress.tenant, progress.last_success_at

    def _by_newest(self, incident: Incident, left: dict[str, Member]) -> Iterable[tuple[str, datetime]]:
        """Yield successes of runs that were accepted after the one that failed."""
        limit = min(max(NEWEST, 2 * len(left)), MOST)
        for run in self._store.runs(RunQuery(jobs=(incident.job,), kind=None, limit=limit)):
            member = left.get(run.tenant or "")
            if member is None or run.state is not State.SUCCEEDED or run.ended_at is None:
                continue
            if member.last_run_id is None or run.id >= member.last_run_id:
                yield member.name, run.ended_at

    def _by_run(self, members: Sequence[Member], *, now: datetime) -> dict[str, datetime]:
        """Return which failed runs were retried with success, of some members in each pass, in turn."""
        if not members:
            return {}
        first = self._turn % len(members)
        self._turn = first + ASKED
        found = {}
        for member in [*members[first:], *members[:first]][:ASKED]:
            history = None if member.last_run_id is None else self._store.run(member.last_run_id)
            if history is None:
                found[member.name] = now
            elif history.run.state is State.SUCCEEDED and history.run.ended_at is not None:
                found[member.name] = history.run.ended_at
        return found
