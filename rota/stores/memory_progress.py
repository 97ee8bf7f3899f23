"""How far each schedule has come for each tenant, in a `MemoryStore`."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.core.freshness import Expectation
from rota.core.model import Progress, Run, RunKind, State
from rota.core.watched import Key, Ping, PingKind, Watched, heard, marked, proved, watch_key


class ProgressBook:
    """Progress by schedule and tenant, and the pairs that are watched. Not locked: the store is."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Progress] = {}
        self.pairs: dict[Key, Watched] = {}

    def last_success(self, run: Run) -> datetime | None:
        """Return the newest slot that succeeded for the run's schedule and tenant."""
        progress = self._by_key.get((run.schedule or "", run.tenant or ""))
        return progress.last_success if progress else None

    def move(self, run: Run, expected: Expectation | None) -> None:
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
                assert run.ended_at is not None
                self._prove(key, run.slot, expected, ended_at=run.ended_at)
        elif run.state is State.FAILED:
            new = replace(new, failures=old.failures + 1)
        self._by_key[key] = new

    def hear(self, ping: Ping, *, slot: datetime | None, expected: Expectation | None) -> None:
        """Take note of what a script outside of Rota said of how it ended."""
        if ping.kind not in (PingKind.SUCCESS, PingKind.FAIL):
            return
        key = (watch_key(ping.name), "")
        old = self._by_key.get(key, Progress(schedule=key[0], tenant=key[1]))
        if ping.kind is PingKind.FAIL:
            new = replace(old, failures=old.failures + 1, last_state=State.FAILED, last_ended_at=ping.at)
        else:
            new = replace(old, failures=0, last_state=State.SUCCEEDED, last_ended_at=ping.at)
            if slot is not None and (old.last_success is None or slot > old.last_success):
                new = replace(new, last_success=slot, last_success_at=ping.at)
                self._prove(key, slot, expected, ended_at=ping.at)
        if key in self.pairs and new.last_success == old.last_success:
            self.pairs[key] = heard(self.pairs[key], at=ping.at)
        self._by_key[key] = new

    def _prove(self, key: Key, slot: datetime, expected: Expectation | None, *, ended_at: datetime) -> None:
        if key in self.pairs:
            self.pairs[key] = proved(self.pairs[key], slot, expected, ended_at=ended_at)

    def _mark(self, key: Key, last_success: datetime | None) -> None:
        if key in self.pairs:
            self.pairs[key] = marked(self.pairs[key], last_success)

    def entries(self, schedule: str | None, tenants: Sequence[str] | None) -> list[Progress]:
        """Return progress by schedule and tenant; `None` does not narrow."""
        return [self._by_key[key] for key in sorted(self._meant(schedule, tenants))]

    def mark(self, progress: Progress, *, expected: Progress | None) -> bool:
        """Replace progress if it still equals `expected`; return whether it did."""
        key = (progress.schedule, progress.tenant)
        if self._by_key.get(key) != expected:
            return False
        self._by_key[key] = progress
        self._mark(key, progress.last_success)
        return True

    def reset(self, schedule: str, tenants: Sequence[str] | None) -> int:
        """Forget progress; return how many entries."""
        forgotten = self._meant(schedule, tenants)
        for key in forgotten:
            del self._by_key[key]
        for key in self._meant_of(self.pairs, schedule, tenants):
            self._mark(key, None)
        return len(forgotten)

    def _meant(self, schedule: str | None, tenants: Sequence[str] | None) -> list[Key]:
        return self._meant_of(self._by_key, schedule, tenants)

    def _meant_of(self, keys: Iterable[Key], schedule: str | None, tenants: Sequence[str] | None) -> list[Key]:
        return [
            (name, tenant)
            for name, tenant in keys
            if schedule in (None, name) and (tenants is None or tenant in tenants)
        ]
