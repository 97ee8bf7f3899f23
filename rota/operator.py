"""What people on call do by hand: start a job, make up slots, set progress right."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rota.asking import make_once
from rota.audit import entry, many
from rota.core.agenda import agenda_of
from rota.core.controls import AuditEntry
from rota.core.gates import canary_run_gate, round_batch
from rota.core.keyed import Keyed
from rota.core.model import OPEN, Progress, Round, Run, Schedule, State, Trigger
from rota.core.policy import Job, Overlap
from rota.core.rounds import Expansion, expansion_run, tenant_run
from rota.engine.expansion import choose
from rota.errors import BadArguments, JobNotFound, Overlapping, ScheduleNotFound, TenantNotFound
from rota.footing import Footing
from rota.gathering import Gatherer
from rota.job import JobFunction
from rota.paging import every_run
from rota.queries import RunQuery
from rota.redaction import remark
from rota.reopening import named_runs, reopen, reopening
from rota.schedules import Schedules

LOOKED_AT = 1000
"""Runs by hand of a job among which one is looked for that was started under a key."""


class _Start(Struct, frozen=True, kw_only=True):
    """What a start writes, all of it or nothing."""

    round: Round
    run: Run
    audit: AuditEntry


class Operator:
    """Each action is checked whole before anything of it is written."""

    def __init__(self, footing: Footing, *, schedules: Schedules) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._schedules = schedules
        self._list_tenants = footing.list_tenants
        self._clock = footing.clock
        self._gatherer: Gatherer[_Start] = Gatherer(self._write)

    def find(self, name: str) -> JobFunction[Any, Any, Any]:
        """Return a job by its name.

        Raises:
            JobNotFound: none has it; close names are in the message.
        """
        if name not in self._jobs:
            raise JobNotFound(name, known=self._jobs)
        return self._jobs[name]

    def start_run(
        self,
        name: str,
        *,
        tenants: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        canary: str | None = None,
        parallel: int | None = None,
        reason: str | None = None,
        actor: str | None = None,
        queue: str | None = None,
        waits: bool = True,
        keyed: Keyed | None = None,
    ) -> Round:
        """Start a job by hand, now, for all its tenants or the ones named; return its round.

        A manual run consumes and moves no slot (R12); its window ends now (R9). `canary`: this tenant goes first, the
        others only if it succeeds (R24). `parallel`: how many of its runs are out at once. `waits`: behind an earlier
        run of its schedule and tenant that is not over, whatever the job's overlap policy says (R10). `keyed`: of the
        same question under the same key one round comes to be.

        Raises:
            JobNotFound, TenantNotFound, BadArguments: nothing was started.
            Overlapping: it does not wait, and the policy skips it for all its tenants.
            KeyReused: something else was started under the key.
        """
        function = self.find(name)
        job = replace(function.job, queue=queue) if queue else function.job
        places = job.max_parallel if parallel is None else parallel
        _check_limits(function, canary=canary, parallel=parallel)
        round_id, now = self._clock.new_id(), self._clock.now()
        expansion = Expansion(
            args=function.registered.signature.encode(args, kwargs or {}),
            tenants=tuple(tenants) if tenants is not None else None,
            exclude=tuple(exclude),
            overlap=Overlap.QUEUE_ALL if waits and job.overlap is not Overlap.ALLOW else job.overlap,
            canary=canary,
            batch=round_batch(round_id) if places is not None and job.per_tenant else None,
        )
        chosen = self._chosen(function, expansion)
        _check_canary(canary, chosen)
        if not waits and function.timing is not None:
            self._refuse_overlap(job, chosen, keyed)
        schedule = name if function.timing is not None else None
        round_ = _round_by_hand(round_id, job, schedule=schedule, places=places, actor=actor, reason=reason, now=now)
        audit = entry(
            self._clock, actor=actor, action="job.run", target=name, reason=reason, round=round_id,
            tenants=len(chosen) if job.per_tenant else None, canary=canary, parallel=parallel,
        )  # fmt: skip
        return self._start(round_, expansion, job, audit, keyed=keyed, now=now)

    def _start(
        self, round_: Round, expansion: Expansion, job: Job, audit: AuditEntry, *, keyed: Keyed | None, now: datetime
    ) -> Round:
        if job.per_tenant:
            run = expansion_run(round_, expansion, job, now=now, new_id=self._clock.new_id)
        else:
            run = tenant_run(round_, expansion, job, tenant=None, now=now, new_id=self._clock.new_id)
        run_id = run.id
        may_be_skipped = run.concurrency_key is not None and run.overlap in (Overlap.SKIP, Overlap.QUEUE_ONE)
        if keyed is not None:
            [run_id] = make_once(self._store(), [run], keyed, now=now, new=[round_], audit=audit)
        elif may_be_skipped:
            self._gatherer.write(_Start(round=round_, run=run, audit=audit))
        else:
            self._gatherer.hand_in(_Start(round=round_, run=run, audit=audit))
        is_older = keyed is not None and run_id != keyed.stamped(run.id)
        history = self._store().run(run_id) if is_older or may_be_skipped else None
        if history is None:
            return round_
        if may_be_skipped and history.run.state is State.SKIPPED:
            raise Overlapping(job.name, policy=str(job.overlap))
        return replace(round_, id=history.run.round_id, created_at=history.run.created_at) if is_older else round_

    def _write(self, starts: Sequence["_Start"]) -> None:
        self._store().add_rounds(
            [one.round for one in starts],
            [one.run for one in starts],
            now=self._clock.now(),
            audit=[one.audit for one in starts],
        )

    def _refuse_overlap(self, job: Job, chosen: Sequence[str | None], keyed: Keyed | None) -> None:
        """Raise Overlapping if an earlier run of each of them is open, and the policy skips what comes then.

        A glance: between two starts at once the store decides by the policy, and what it skips is recorded so.
        """
        if job.overlap is not Overlap.SKIP:
            return
        live = tuple(one for one in Trigger if one is not Trigger.BACKFILL)
        query = RunQuery(jobs=(job.name,), schedule=job.name, states=tuple(sorted(OPEN)), triggers=live)
        at_work = {run.tenant: run.id for run in every_run(self._store(), query)}
        if chosen and all(tenant in at_work for tenant in chosen):
            newest = RunQuery(jobs=(job.name,), triggers=(Trigger.MANUAL,), kind=None, limit=LOOKED_AT)
            if keyed is not None and any(keyed.is_on(run.id) for run in self._store().runs(newest)):
                # What is at work is what an earlier call under this key has started.
                return
            raise Overlapping(job.name, policy=str(job.overlap), run_id=at_work[chosen[0]])

    def mark_success(
        self,
        name: str,
        *,
        tenants: Sequence[str] | None = None,
        until: datetime | None = None,
        reason: str | None = None,
        actor: str | None = None,
    ) -> list[Progress]:
        """Take the newest slot not in the future, or not after `until`, as succeeded; return the progress (R14).

        Raises:
            JobNotFound, ScheduleNotFound, TenantNotFound: nothing was marked.
        """
        schedule = self._schedule_of(name)
        only = tuple(tenants) if tenants is not None else schedule.tenants
        chosen = self._chosen(self.find(schedule.job), Expansion(args="", tenants=only))
        now = self._clock.now()
        # Never a slot to come: it would look done before it was due.
        latest = min(until or now, now) + timedelta(microseconds=1)
        newest = agenda_of(schedule).slot_before(latest)
        return [
            self._mark(
                schedule.name,
                tenant or "",
                newest,
                entry(
                    self._clock, actor=actor, action="progress.mark", target=schedule.name, reason=reason,
                    tenant=tenant, slot=newest,
                ),
            )
            for tenant in chosen
        ]  # fmt: skip

    def _mark(self, schedule: str, tenant: str, slot: datetime | None, audit: AuditEntry) -> Progress:
        while True:
            known = next(iter(self._store().progress(schedule=schedule, tenants=[tenant])), None)
            marked = replace(
                known or Progress(schedule=schedule, tenant=tenant),
                last_success=slot,
                last_success_at=audit.at,
                failures=0,
            )
            if self._store().mark(marked, expected=known, audit=audit):
                return marked

    def reset(
        self,
        name: str,
        *,
        tenants: Sequence[str] | None = None,
        reason: str | None = None,
        actor: str | None = None,
    ) -> int:
        """Forget how far a schedule has come, history stays; return for how many tenants (R14).

        Raises:
            JobNotFound, ScheduleNotFound, TenantNotFound: nothing was forgotten.
        """
        schedule = self._schedule_of(name)
        if tenants is not None:
            self._chosen(self.find(schedule.job), Expansion(args="", tenants=tuple(tenants)))
        audit = entry(
            self._clock, actor=actor, action="progress.reset", target=schedule.name, reason=reason, tenants=tenants
        )
        return self._store().reset(schedule.name, tenants=tenants, audit=audit)

    def cancel(
        self, ids: Sequence[str], *, reason: str = "cancelled by an operator", actor: str | None = None
    ) -> list[str]:
        """Cancel runs that are not over: waiting ones at once, running ones are asked to stop. Return their ids."""
        audit = entry(self._clock, actor=actor, action="run.cancel", target=many(list(ids)), reason=reason)
        return self._store().cancel(ids, now=self._clock.now(), reason=remark(reason), audit=audit)

    def retry(
        self,
        ids: Sequence[str],
        *,
        canary: str | None = None,
        reason: str = "retried by an operator",
        actor: str | None = None,
    ) -> list[str]:
        """Open ended runs again, with all their attempts anew; return the ids of those that had ended.

        A run of a flow goes on when what comes before it has succeeded, and what was given up for it is opened too.
        `canary`: the run of this tenant goes first; the others only if it succeeds, else they are cancelled (R24).

        Raises:
            TenantNotFound: none of these runs is of the canary; nothing was opened.
            BadArguments: several of them are, or some are of a flow; nothing was opened.
        """
        audit = entry(
            self._clock, actor=actor, action="run.retry", target=many(list(ids)), reason=reason, canary=canary
        )  # fmt: skip
        store, now, said = self._store(), self._clock.now(), remark(reason)
        if canary is None:
            return reopen(store, ids, now=now, reason=said, audit=audit)
        if reopening(store, ids).parts:
            raise BadArguments("a canary goes first in a round: among these runs are some of a chain or batch")
        first = self._canary_of(ids, canary)
        others = [run_id for run_id in dict.fromkeys(ids) if run_id != first]
        # The canary before the others: a gatekeeper that finds them held behind one which is still the failed run of
        # before cancels them at once.
        opened = store.requeue([first], now=now, reason=said, audit=audit)
        return [*opened, *store.requeue(others, now=now, reason=said, held_by=canary_run_gate(first))]

    def _canary_of(self, ids: Sequence[str], tenant: str) -> str:
        """Return which of these runs goes first."""
        runs = named_runs(self._store(), ids)
        found = [run.id for run in runs if run.tenant == tenant and run.state.is_final]
        match found:
            case [only]:
                return only
            case []:
                known = sorted({run.tenant for run in runs if run.tenant is not None})
                raise TenantNotFound(tenant, known=known)
            case _:
                raise BadArguments(f"canary {tenant!r} has {len(found)} of these runs: which one goes first?")

    def _chosen(self, function: JobFunction[Any, Any, Any], expansion: Expansion) -> list[str | None]:
        if function.job.per_tenant:
            tenants = self._list_tenants()
            # A typing error must not run a job for the very tenant it was meant to spare. Later, when the round is
            # expanded, one that is gone by then is no error.
            choose(tenants, Expansion(args="", tenants=expansion.exclude))
            return list(choose(tenants, expansion))
        if expansion.tenants or expansion.exclude:
            raise BadArguments(f"job {function.name!r} is not per_tenant: it runs once, for nobody in particular")
        return [None]

    def _schedule_of(self, name: str) -> Schedule:
        """Return the schedule of this name; the code's own is written down first where no process has yet."""
        schedule = self._store().schedule(name)
        if schedule is None and name in self._jobs and self._jobs[name].timing is not None:
            self._schedules.sync()
            schedule = self._store().schedule(name)
        if schedule is not None:
            return schedule
        names = [known.name for known in self._schedules.list()]
        if name in self._jobs:
            raise ScheduleNotFound(name, known=names)
        raise JobNotFound(name, known=[*self._jobs, *names])


def _round_by_hand(
    round_id: str,
    job: Job,
    *,
    schedule: str | None,
    places: int | None,
    actor: str | None,
    reason: str | None,
    now: datetime,
) -> Round:
    return Round(
        id=round_id,
        job=job.name,
        schedule=schedule,
        trigger=Trigger.MANUAL,
        actor=actor,
        reason=None if reason is None else remark(reason),
        expanded=not job.per_tenant,
        places=places if job.per_tenant else None,
        created_at=now,
    )


def _check_canary(canary: str | None, chosen: Sequence[str | None]) -> None:
    if canary is not None and canary not in chosen:
        raise TenantNotFound(canary, known=[tenant for tenant in chosen if tenant is not None])


def _check_limits(function: JobFunction[Any, Any, Any], *, canary: str | None, parallel: int | None) -> None:
    if parallel is not None and parallel < 1:
        raise BadArguments(f"parallel is {parallel}: at least 1")
    if not function.job.per_tenant and (canary is not None or parallel is not None):
        raise BadArguments(f"job {function.name!r} is not per_tenant: it runs once, without a canary or places")
