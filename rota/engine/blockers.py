"""What runs wait for whose jobs depend on others: read from the store once, asked of many runs (R11)."""

from collections.abc import Callable, Mapping
from datetime import datetime

from rota.core.dependencies import (
    WAITED_FOR,
    Blocker,
    Dependency,
    Need,
    blocker,
    is_zone_asked,
    needs,
    round_blocker,
)
from rota.core.model import Progress, RoundState, Run
from rota.ports import Store
from rota.queries import RoundQuery, ScheduleQuery
from rota.signature import Registered


class Blockers:
    """Good for one pass: what it has read once it does not read again, whatever the number of runs."""

    def __init__(self, store: Store, *, jobs: Mapping[str, Registered], zone_of: Callable[[str], str]) -> None:
        """`zone_of` gives the zone of a tenant; asked only for schedules in the zone of the tenant."""
        self._store = store
        self._jobs = jobs
        self._zone_of = zone_of
        self._dependencies: dict[str, list[Dependency]] = {}
        self._progress: dict[str, dict[str, Progress]] = {}
        self._rounds: dict[tuple[str, datetime], bool] = {}

    def of(self, run: Run) -> list[Blocker]:
        """Return what a run waits for, in the order in which its job names it; nothing when it may begin.

        Raises:
            TenantListFailed: the zone of its tenant is asked for, and cannot be told.
        """
        known = self._jobs.get(run.job)
        if known is None or not known.job.depends_on:
            return []
        dependencies = [one for name in known.job.depends_on for one in self._schedules_of(name)]
        zone = self._zone_of(run.tenant) if run.tenant is not None and is_zone_asked(dependencies) else None
        asked = (self._ask(need) for need in needs(run, dependencies, zone=zone))
        return [found for found in asked if found is not None]

    def _schedules_of(self, name: str) -> list[Dependency]:
        if name not in self._dependencies:
            known = self._jobs.get(name)
            per_tenant = known is not None and known.job.per_tenant
            schedules = self._store.schedules(ScheduleQuery(jobs=(name,), states=WAITED_FOR))
            self._dependencies[name] = [
                Dependency(schedule=schedule, per_tenant=per_tenant) for schedule in schedules
            ]  # fmt: skip
        return self._dependencies[name]

    def _ask(self, need: Need) -> Blocker | None:
        if need.of_everyone:
            return round_blocker(need, has_succeeded=self._has_succeeded(need.schedule.name, need.slot))
        return blocker(need, self._progress_of(need.schedule.name).get(need.tenant))

    def _progress_of(self, schedule: str) -> dict[str, Progress]:
        if schedule not in self._progress:
            known = self._store.progress(schedule=schedule)
            self._progress[schedule] = {progress.tenant: progress for progress in known}
        return self._progress[schedule]

    def _has_succeeded(self, schedule: str, slot: datetime) -> bool:
        # A later one will do: a slot that was skipped for it has no success of its own, ever.
        if (schedule, slot) not in self._rounds:
            query = RoundQuery(schedule=schedule, states=(RoundState.SUCCEEDED,), slot_since=slot, limit=1)
            self._rounds[schedule, slot] = bool(self._store.rounds(query))
        return self._rounds[schedule, slot]
