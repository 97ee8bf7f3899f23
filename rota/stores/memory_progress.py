"""How far each schedule has come for each tenant, in a `MemoryStore`."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.model import Progress, Run, RunKind, State


class ProgressBook:
    """Progress by schedule and tenant. Not locked: the store is."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], Progress] = {}

    def last_success(self, run: Run) -> datetime | None:
        """Return the newest slot that succeeded for the run's schedule and tenant."""
        progress = self._by_key.get((run.schedule or "", run.tenant or ""))
        return progress.last_success if progress else None

    def move(self, run: Run) -> None:
        """Take note of a run that ended. Only the job's own work under a schedule counts."""
        if run.schedule is None or run.kind is not RunKind.JOB:
            return
        key = (run.schedule, run.tenant or "")
        old = self._by_key.get(key, Progress(schedule=key[0], tenant=key[1]))
        new = replace(old, last_run_id=run.id, last_state=run.state, last_ended_at=run.ended_at)
        if run.state is State.SUCCEEDED:
            new = replace(new, failures=0)
            # Slots may end in any order: a late one must not take the window back (R9).
            if run.slot is not None and (old.last_success is None or run.slot > old.last_success):
                new = replace(new, last_success=run.slot, last_success_at=run.ended_at)
        elif run.state is State.FAILED:
            new = replace(new, failures=old.failures + 1)
        self._by_key[key] = new

    def entries(self, schedule: str | None, tenants: Sequence[str] | None) -> list[Progress]:
        """Return progress by schedule and tenant; `None` does not narrow."""
        return [self._by_key[key] for key in sorted(self._meant(schedule, tenants))]

    def mark(self, progress: Progress, *, expected: Progress | None) -> bool:
        """Replace progress if it still equals `expected`; return whether it did."""
        key = (progress.schedule, progress.tenant)
        if self._by_key.get(key) != expected:
            return False
        self._by_key[key] = progress
        return True

    def reset(self, schedule: str, tenants: Sequence[str] | None) -> int:
        """Forget progress; return how many entries."""
        forgotten = self._meant(schedule, tenants)
        for key in forgotten:
            del self._by_key[key]
        return len(forgotten)

    def _meant(self, schedule: str | None, tenants: Sequence[str] | None) -> list[tuple[str, str]]:
        return [
            (name, tenant)
            for name, tenant in self._by_key
            if schedule in (None, name) and (tenants is None or tenant in tenants)
        ]
