"""The store as it is for whoever sees only some jobs and tenants.

Every question is narrowed before it is asked, so that pages and their keys stay right, and every change is checked:
what is of another job or tenant is as if it was not there. What only workers do is refused.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NoReturn

import msgspec
from msgspec.structs import replace

from rota.core.controls import AuditEntry, Control, ControlKind, Entries
from rota.core.limits import Limit, LimitUse
from rota.core.model import (
    ErrorRecord,
    LogChunk,
    Progress,
    Round,
    Run,
    RunHistory,
    RunKind,
    Schedule,
    SlotState,
    State,
    Tenant,
    WorkerRecord,
)
from rota.core.rounds import Expansion
from rota.core.unique import UniqueRun
from rota.errors import Forbidden, RunNotFound, ScheduleNotFound
from rota.paging import every_run
from rota.ports import Store
from rota.queries import (
    EVERY_SCHEDULE,
    NO_LINES,
    AuditQuery,
    Counts,
    ErrorQuery,
    InLine,
    RoundQuery,
    RunQuery,
    ScheduleQuery,
)
from rota.seen.alerts import SeenAlerts
from rota.seen.controls import for_theirs, is_limit_seen, is_seen, may_change
from rota.seen.errors import MOST, records_of
from rota.seen.freshness import SeenFreshness
from rota.seen.rollups import SeenRollups
from rota.seen.rounds import is_of_no_run, seen_round
from rota.seen.schedules import check_put, check_theirs, seen_schedule
from rota.seen.scope import Scope, refilled

SHORTEST = 6
"""Digits of an id that may stand for all of it."""
LEAST_PAGE = 100


class SeenStore:
    """A Store over another one, for one scope."""

    def __init__(
        self,
        store: Callable[[], Store],
        scope: Scope,
        *,
        tenants: Callable[[], Sequence[Tenant]],
        queues: Collection[str],
        zone: Callable[[], str],
    ) -> None:
        """`tenants`: those of the scope that are listed now; `queues`: those that its jobs go to; `zone`: that of what
        names none."""
        self._store = store
        self._scope = scope
        self._tenants = tenants
        self._queues = frozenset(queues)
        self._zone = zone
        self.alerts: SeenAlerts = SeenAlerts(lambda: store().alerts, scope, run=self.run)
        self.freshness: SeenFreshness = SeenFreshness(lambda: store().freshness, scope, schedules=self.schedules)
        self.rollups: SeenRollups = SeenRollups(lambda: store().rollups, scope)

    # --- queue ---

    def enqueue(self, runs: Sequence[Run], *, now: datetime) -> list[str]:
        return self._store().enqueue(self._checked(runs), now=now)

    def enqueue_unique(
        self, wanted: Sequence[UniqueRun], *, now: datetime, new: Sequence[Round] = (), audit: AuditEntry | None = None
    ) -> list[str]:
        runs = self._checked([one.run for one in wanted], rounds=new)
        theirs = [replace(one, run=run) for one, run in zip(wanted, runs, strict=True)]
        return self._store().enqueue_unique(theirs, now=now, new=new, audit=audit)

    def cancel(
        self,
        ids: Sequence[str],
        *,
        now: datetime,
        reason: str,
        held_by: str | None = None,
        behind: str | None = None,
        audit: AuditEntry | None = None,
    ) -> list[str]:
        seen = self._seen(ids)
        if not seen:
            return []
        return self._store().cancel(seen, now=now, reason=reason, held_by=held_by, behind=behind, audit=audit)

    def requeue(
        self,
        ids: Sequence[str],
        *,
        now: datetime,
        reason: str,
        held_by: str | None = None,
        batch: str | None = None,
        lines: Mapping[str, InLine] = NO_LINES,
        audit: AuditEntry | None = None,
    ) -> list[str]:
        seen = self._seen(ids)
        if not seen:
            return []
        return self._store().requeue(
            seen, now=now, reason=reason, held_by=held_by, batch=batch, lines=lines, audit=audit
        )  # fmt: skip

    def limit_use(self, limits: Sequence[Limit], *, now: datetime, counts_aside: bool = False) -> list[LimitUse]:
        seen = [limit for limit in limits if is_limit_seen(limit.known_as, self._scope)]
        uses = self._store().limit_use(seen, now=now, counts_aside=counts_aside)
        return [use for use in uses if is_limit_seen(use.name, self._scope)]

    def log(self, run_id: str, *, after: tuple[int, int] | None = None, limit: int = 100) -> list[LogChunk]:
        if not self._seen([run_id]):
            raise RunNotFound(run_id)
        return self._store().log(run_id, after=after, limit=limit)

    def batch_counts(self, batch: str) -> dict[State, int]:
        return dict(Counter(run.state for run in every_run(self, RunQuery(batch=batch))))

    # --- schedules ---

    def schedules(self, query: ScheduleQuery = EVERY_SCHEDULE) -> list[Schedule]:
        narrowed = self._scope.within_jobs(query)
        if narrowed is None:
            return []
        wanted = narrowed
        if query.limit is None:
            found = map(self._schedule, self._store().schedules(wanted))
            return [schedule for schedule in found if schedule is not None]

        def after(last: Schedule | None) -> list[Schedule]:
            return self._store().schedules(wanted if last is None else replace(wanted, after=last.name))

        return list(islice(refilled(after, self._schedule, size=query.limit), query.limit))

    def schedule(self, name: str) -> Schedule | None:
        found = self._store().schedule(name)
        return None if found is None else self._schedule(found)

    def put_schedule(
        self,
        schedule: Schedule,
        *,
        expected_version: int | None,
        expected_cursor: datetime | None = None,
        audit: AuditEntry | None = None,
    ) -> bool:
        known = self._store().schedule(schedule.name)
        check_put(schedule, self._scope, is_new=expected_version is None, known=known)
        return self._store().put_schedule(
            schedule, expected_version=expected_version, expected_cursor=expected_cursor, audit=audit
        )

    def drop_schedule(self, name: str, *, expected_version: int | None = None, audit: AuditEntry | None = None) -> bool:
        known = self._store().schedule(name)
        if known is None or self._schedule(known) is None:
            return False
        check_theirs(name, self._scope)
        if not self._scope.has_all(known.tenants):
            raise Forbidden(f"schedule {name!r} is not of your tenants alone")
        return self._store().drop_schedule(name, expected_version=expected_version, audit=audit)

    # --- history ---

    def add_rounds(
        self, rounds: Sequence[Round], runs: Sequence[Run], *, now: datetime, audit: Entries = None
    ) -> list[str]:
        return self._store().add_rounds(rounds, self._checked(runs, rounds=rounds), now=now, audit=audit)

    def run(self, run_id: str) -> RunHistory | None:
        found = self.runs(RunQuery(ids=(run_id,), kind=None, limit=1)) or self._beginning(run_id)
        if len(found) > 1:
            return None
        whole = found[0].id if found else run_id
        history = self._store().run(whole)
        # Not by a beginning that only this one has of all there are: that would tell of others.
        return history if history is not None and history.run.id == whole and self._has_run(history.run) else None

    def runs(self, query: RunQuery) -> list[Run]:
        narrowed = self._scope.within(query)
        return [] if narrowed is None else self._store().runs(narrowed)

    def rounds(self, query: RoundQuery) -> list[Round]:
        narrowed = self._scope.within_jobs(query)
        if narrowed is None or self._named(query.tenants or None) == []:
            return []
        if self._scope.tenants is None:
            return self._store().rounds(narrowed)
        # The state of one is that of their runs, which the store does not know.
        theirs = tuple(self._named(query.tenants or None) or ())
        wanted = replace(narrowed, tenants=theirs, states=(), limit=max(query.limit, LEAST_PAGE))
        counts: dict[str, dict[State, int]] = {}

        def after(last: Round | None) -> list[Round]:
            page = self._store().rounds(wanted if last is None else replace(wanted, before_id=last.id))
            counts.update(self._store().round_counts([round_.id for round_ in page], tenants=theirs))
            return page

        def keep(round_: Round) -> Round | None:
            seen = self._round(round_, counts.get(round_.id))
            return seen if seen is not None and (not query.states or seen.state in query.states) else None

        return list(islice(refilled(after, keep, size=wanted.limit), query.limit))

    def round_counts(self, round_ids: Sequence[str], *, tenants: Sequence[str] = ()) -> dict[str, dict[State, int]]:
        named, theirs = self._named(tenants or None), list(round_ids)
        if named == []:
            return {}
        if self._scope.jobs is not None:
            # A round has one job: any run of it tells.
            theirs = [one for one in round_ids if self.runs(RunQuery(round_id=one, kind=None, limit=1))]
        return self._store().round_counts(theirs, tenants=named or ())

    def slot_states(self, schedule: str, *, since: datetime, until: datetime) -> list[SlotState]:
        if self.schedule(schedule) is None:
            return []
        states = self._store().slot_states(schedule, since=since, until=until)
        return [state for state in states if self._scope.has_tenant(state.tenant)]

    def counts(self, *, jobs: frozenset[str] | None = None, tenants: frozenset[str] | None = None) -> Counts:
        return self._store().counts(jobs=_both(jobs, self._scope.jobs), tenants=_both(tenants, self._scope.tenants))

    def errors(self, query: ErrorQuery) -> list[ErrorRecord]:
        narrowed = self._scope.within(query)
        if narrowed is None:
            return []
        failed = RunQuery(jobs=narrowed.jobs, tenants=narrowed.tenants, states=(State.FAILED,), kind=None)
        return records_of(islice(every_run(self, failed), MOST), narrowed)

    # --- workers ---

    def workers(self) -> list[WorkerRecord]:
        """Return them without a word of the hosts they are on, and of queues that are not those of its jobs."""
        known = self._store().workers()
        bare = [replace(one, host="", boot_id="", pid=0, pid_started="") for one in known]
        if self._scope.jobs is None:
            return bare
        theirs = [(one, self._theirs_of(one.queues)) for one in bare]
        # A worker without a name of a queue takes from all of them.
        return [replace(one, queues=queues) for one, queues in theirs if queues or not one.queues]

    # --- progress ---

    def progress(self, *, schedule: str | None = None, tenants: Sequence[str] | None = None) -> list[Progress]:
        names = {one.name for one in self.schedules()} if schedule is None else {schedule}
        if schedule is not None and self.schedule(schedule) is None:
            return []
        return [
            entry
            for entry in self._store().progress(schedule=schedule, tenants=self._named(tenants))
            if entry.schedule in names and self._scope.has_tenant(entry.tenant)
        ]

    def mark(self, progress: Progress, *, expected: Progress | None, audit: AuditEntry | None = None) -> bool:
        if self.schedule(progress.schedule) is None:
            raise ScheduleNotFound(progress.schedule)
        if not self._scope.has_tenant(progress.tenant):
            raise Forbidden(f"the progress of schedule {progress.schedule!r} is for those who may see all tenants")
        return self._store().mark(progress, expected=expected, audit=audit)

    def reset(self, schedule: str, *, tenants: Sequence[str] | None = None, audit: AuditEntry | None = None) -> int:
        if self.schedule(schedule) is None:
            return 0
        theirs = self._named(tenants)
        return 0 if theirs == [] else self._store().reset(schedule, tenants=theirs, audit=audit)

    # --- controls and audit ---

    def controls(self, kind: ControlKind | None = None) -> list[Control]:
        return [control for control in self._store().controls(kind) if self._sees(control)]

    def control(self, kind: ControlKind, name: str) -> Control | None:
        found = self._store().control(kind, name)
        return found if found is not None and self._sees(found) else None

    def put_control(self, control: Control, *, expected_version: int | None, audit: AuditEntry | None = None) -> bool:
        theirs = control if self._scope.tenants is None else for_theirs(control, self._listed())
        self._check_control(theirs)
        return self._store().put_control(theirs, expected_version=expected_version, audit=audit)

    def drop_control(
        self, kind: ControlKind, name: str, *, expected_version: int, audit: AuditEntry | None = None
    ) -> bool:
        known = self.control(kind, name)
        if known is None:
            return False
        self._check_control(known)
        return self._store().drop_control(kind, name, expected_version=expected_version, audit=audit)

    def audit(self, query: AuditQuery) -> list[AuditEntry]:
        """Return nothing: an entry tells what others did, and to whom."""
        return []

    # --- life ---

    def now(self) -> datetime:
        return self._store().now()

    def wait(self, timeout: timedelta) -> bool:
        return self._store().wait(timeout)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise Forbidden("this is for those who may see all jobs and all tenants")

    promote = expire = unblock = claim = renew = settle = release = note = _refuse
    hold = gates = held = admit = skip_held = _refuse
    due = fire = changed_rows = take_row = lost_rows = _refuse
    finished_rounds = end_round = expired = prune = _refuse
    register = deregister = signs = _refuse
    setup = check = facts = old_snapshots = signs = close = _refuse

    # --- what there is ---

    def _schedule(self, schedule: Schedule) -> Schedule | None:
        return seen_schedule(schedule, self._scope, tenants=self._tenants, zone=self._zone())

    def _round(self, round_: Round, counts: Mapping[State, int] | None) -> Round | None:
        if is_of_no_run(round_):
            return round_ if round_.schedule is not None and self.schedule(round_.schedule) is not None else None
        if counts:
            return seen_round(round_, counts)
        # It was started for theirs alone, and their runs are still to come.
        return round_ if not round_.expanded and self._is_for_theirs(round_) else None

    def _is_for_theirs(self, round_: Round) -> bool:
        expansions = self._store().runs(RunQuery(round_id=round_.id, kind=RunKind.EXPANSION, limit=1))
        return any(map(self._has_run, expansions))

    def _has_run(self, run: Run) -> bool:
        """Whether there is this run for it; one that lists tenants, where it lists none but theirs: who started it is
        told so again under the same key."""
        if run.kind is not RunKind.EXPANSION:
            return self._scope.has_run(run)
        return self._scope.has_job(run.job) and self._scope.has_all(expansion_of(run).tenants)

    def _beginning(self, run_id: str) -> list[Run]:
        """Return the runs of which this is the beginning of the id: one, or two where there are more."""
        if len(run_id) < SHORTEST:
            return []
        # After every digit that could follow: what has this beginning comes first.
        page = self.runs(RunQuery(before_id=f"{run_id}g", kind=None, limit=2))
        return [run for run in page if run.id.startswith(run_id)]

    def _seen(self, ids: Sequence[str]) -> list[str]:
        """Return those of these runs that there are, in their order."""
        seen = {run.id for run in every_run(self, RunQuery(ids=tuple(ids), kind=None))} if ids else set()
        return [run_id for run_id in ids if run_id in seen]

    def _sees(self, control: Control) -> bool:
        return is_seen(control, self._scope, queues=self._queues)

    def _check_control(self, control: Control) -> None:
        if not may_change(control, self._scope):
            raise Forbidden(f"{control.kind} {control.name!r} is not on your jobs and tenants alone")

    def _listed(self) -> list[str]:
        return [tenant.id for tenant in self._tenants()]

    def _named(self, tenants: Sequence[str] | None) -> list[str] | None:
        """Return which tenants a question is about; None is no narrowing."""
        if self._scope.tenants is None:
            return None if tenants is None else list(tenants)
        return sorted(self._scope.tenants) if tenants is None else list(self._scope.of_these(tenants))

    def _theirs_of(self, queues: Mapping[str, int]) -> Mapping[str, int]:
        return {name: places for name, places in queues.items() if name in self._queues}

    def _checked(self, runs: Sequence[Run], *, rounds: Sequence[Round] = ()) -> list[Run]:
        """Return new runs, of new rounds or of none, of which those that list tenants list none but theirs (T16)."""
        for run in runs:
            self._scope.check_run(run)
        # A round that is there already may be of others, and it would open again.
        named = {run.round_id for run in runs} - {round_.id for round_ in rounds} - {None}
        if named or not all(self._scope.has_job(round_.job) for round_ in rounds):
            raise Forbidden("rounds are made with their runs, of your jobs")
        if self._scope.tenants is None:
            return list(runs)
        return [self._narrowed(run) if run.kind is RunKind.EXPANSION else run for run in runs]

    def _narrowed(self, run: Run) -> Run:
        expansion = expansion_of(run)
        if expansion.tenants is None:
            expansion = replace(expansion, tenants=tuple(self._listed()))
        if not self._scope.has_all(expansion.tenants):
            raise Forbidden(f"a round of {run.job} is not of your tenants alone")
        return replace(run, args=msgspec.json.encode(expansion).decode())


def _both(asked: frozenset[str] | None, known: frozenset[str] | None) -> frozenset[str] | None:
    return asked if known is None else known if asked is None else asked & known


def expansion_of(run: Run) -> Expansion:
    """Return what a run lists tenants for."""
    return msgspec.json.decode(run.args, type=Expansion)
