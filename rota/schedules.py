"""Schedules as an application sees them: those of its code, kept as rows, and those it puts itself (R5, R6)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from rota import audit
from rota.asking import round_once
from rota.core import editing
from rota.core.agenda import agenda_of
from rota.core.builder import When, as_timing
from rota.core.catchup import resumed
from rota.core.controls import AuditEntry
from rota.core.definition import Definition
from rota.core.gates import round_batch
from rota.core.keyed import Keyed
from rota.core.kind import Timing
from rota.core.model import Origin, Round, Schedule, ScheduleState, Trigger
from rota.core.policy import CatchUp, Overlap
from rota.core.rounds import Expansion, expansion_run, overlap_of, tenant_run
from rota.core.words import parse
from rota.declared import Declared
from rota.drafts import Draft, Drafts, check_name, parsed_jitter, parsed_within
from rota.errors import (
    ConfigurationError,
    EditedMeanwhile,
    JobNotFound,
    Refused,
    ScheduleInCode,
    ScheduleNotFound,
    SlotRanAlready,
)
from rota.footing import Footing
from rota.queries import RoundQuery, ScheduleQuery
from rota.redaction import remark

AUDITED = ("job", "timing", "tenants", "exclude", "overlap", "fresh_within")
"""What the entry of an edit says of it. Not the arguments: they are the tenant's data."""


class Schedules:
    """Puts, pauses, resumes and lists schedules. Every change is a compare-and-set, repeated if somebody was faster,
    and leaves an entry in the audit. `actor` is who asks: a name, or `door:name`."""

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._clock = footing.clock
        self._tz = footing.zone
        self._drafts = Drafts(footing)
        self.declared: Declared = Declared(footing)

    def sync(self) -> None:
        """Make the rows say what the code says; see `Declared`."""
        self.declared.sync()

    def list(self, *, job: str | None = None, states: Sequence[ScheduleState] = ()) -> list[Schedule]:
        """Return schedules by name: all, or those of a job, or in these states."""
        return self._store().schedules(ScheduleQuery(jobs=(job,) if job else (), states=tuple(states)))

    def get(self, name: str) -> Schedule:
        """Return a schedule.

        Raises:
            ScheduleNotFound: there is none of that name; close names are in the message.
        """
        schedule = self.declared.ensure(name)
        if schedule is None:
            raise ScheduleNotFound(name, known=[known.name for known in self.list()])
        return schedule

    def put(
        self,
        name: str,
        *,
        job: str,
        when: When,
        tz: str | None = None,
        tenant: str | None = None,
        tenants: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
        user_id: str | None = None,
        catch_up: CatchUp | None = None,
        overlap: Overlap | None = None,
        jitter: timedelta | str | None = None,
        fresh_within: timedelta | str | None = None,
        keep: bool = False,
        force: bool = False,
        actor: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> Schedule:
        """Store a schedule under a name, or change the one that has it. The past is not run again.

        Of a schedule of the code it is an override, which a deploy does not undo. One that is paused stays paused.
        `keep`: a one-time schedule is kept as `done` after its run succeeded. `force`: also for a time that is over,
        which then runs now. Without `fresh_within` that of the job holds. `expected_version`: only if it still has that
        version, 0 is none of this name.

        Raises:
            BadSchedule: `when` is not understood or never comes.
            JobNotFound, TenantNotFound: no job or tenant has this name.
            BadArguments: `args` and `kwargs` do not fit the job, or the name is none.
            SlotPassed: the one time is over.
            SlotRanAlready: it is over, and the schedule has run for it; `force` does not change that.
            EditedMeanwhile: it has another version than was expected.
        """
        check_name(name)
        if job not in self._jobs:
            raise JobNotFound(job, known=self._jobs)
        function = self._jobs[job]
        chosen = (tenant,) if tenant is not None else None if tenants is None else tuple(tenants)
        definition = Definition(
            job=job,
            timing=str(as_timing(when, tz=tz or self._tz())),
            tenants=chosen,
            exclude=tuple(exclude),
            user_id=user_id,
            args=function.registered.signature.encode(args, kwargs or {}),
            catch_up=catch_up or function.job.catch_up,
            overlap=overlap or function.job.overlap,
            jitter=parsed_jitter(jitter) if jitter is not None else function.job.jitter,
            keep=keep,
            fresh_within=None if fresh_within is None else parsed_within(fresh_within),
        )
        return self._edit(name, definition, force=force, actor=actor, reason=reason, expected=expected_version)

    def override(
        self,
        name: str,
        *,
        when: When | None = None,
        tz: str | None = None,
        tenants: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        catch_up: CatchUp | None = None,
        overlap: Overlap | None = None,
        jitter: timedelta | str | None = None,
        fresh_within: timedelta | str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> Schedule:
        """Change what is given of a schedule, and leave the rest; of one of the code until `restore`.

        Raises:
            ScheduleNotFound: there is none of that name. And as `put` does.
        """
        known = Definition.of(self.get(name))
        changes = {
            "timing": None if when is None else str(as_timing(when, tz=tz or self._tz())),
            "tenants": None if tenants is None else tuple(tenants),
            "exclude": None if exclude is None else tuple(exclude),
            "catch_up": catch_up,
            "overlap": overlap,
            "jitter": None if jitter is None else parsed_jitter(jitter),
            "fresh_within": None if fresh_within is None else parsed_within(fresh_within),
        }
        said = replace(known, **{field: value for field, value in changes.items() if value is not None})
        return self._edit(name, said, force=False, actor=actor, reason=reason, expected=expected_version)

    def exclude(
        self, name: str, tenant: str, *, is_excluded: bool = True, actor: str | None = None, reason: str | None = None
    ) -> Schedule:
        """Leave one tenant out of a schedule, or take it in again; others may do so with other tenants at once.

        Raises:
            ScheduleNotFound: there is none of that name.
            TenantNotFound: one that it names is not listed any more.
        """
        while True:
            known = self.get(name)
            others = tuple(one for one in known.exclude if one != tenant)
            said = replace(Definition.of(known), exclude=(*others, tenant) if is_excluded else others)
            if said.exclude == known.exclude or (is_excluded and tenant in known.exclude):
                return known
            changed = self._drafts.draft(name, said).on(known, self._clock.now())
            verb = "put" if known.origin is Origin.ROW else "override"
            entry = self._entry(verb, name, actor, reason, exclude=said.exclude)
            version, cursor = known.version, known.cursor
            if self._store().put_schedule(changed, expected_version=version, expected_cursor=cursor, audit=entry):
                return changed

    def restore(self, name: str, *, actor: str | None = None, reason: str | None = None) -> Schedule:
        """Take an override back: the schedule is again as its code says.

        Raises:
            ScheduleNotFound: there is none of that name.
            Refused: it is not overridden.
        """

        def change(known: Schedule) -> Schedule:
            if known.declared is None:
                raise Refused(f"schedule {name!r} is not overridden: there is nothing to restore")
            draft = self._drafts.draft(name, Definition.read(known.declared))
            return replace(draft.on(known, self._clock.now()), declared=None)

        return self._change(name, change, self._entry("restore", name, actor, reason))

    def pause(
        self, name: str, *, reason: str, until: datetime | UnsetType | None = UNSET, actor: str | None = None
    ) -> Schedule:
        """Stop firing a schedule, with the reason, until resumed or until that time (R12).

        Again: with this reason. The end that it has stays, unless another is given; None takes it away.

        Raises:
            ScheduleNotFound: there is none of that name.
            Refused: it does not fire anyway; the message says why.
            ConfigurationError: `until` has no zone, or is over.
        """
        now = self._clock.now()
        if isinstance(until, datetime) and (until.tzinfo is None or until <= now):
            raise ConfigurationError(f"pause until {until}: give an aware time to come")

        def change(known: Schedule) -> Schedule:
            if known.state not in (ScheduleState.ACTIVE, ScheduleState.PAUSED):
                raise Refused(f"schedule {name!r} is {known.state} and does not fire: {known.reason or 'it is over'}")
            kept = known.paused_until if known.paused_until is not None and known.paused_until > now else None
            return replace(
                known,
                state=ScheduleState.PAUSED,
                reason=remark(reason),
                paused_by=(actor or "").rpartition(":")[2] or None,
                paused_until=kept if until is UNSET else until,
                version=known.version + 1,
            )

        end = None if until is UNSET else until
        return self._change(name, change, self._entry("pause", name, actor, reason, until=end))

    def resume(self, name: str, *, actor: str | None = None, reason: str | None = None) -> Schedule:
        """Fire again, from now on: slots that passed meanwhile are not made up.

        Raises:
            ScheduleNotFound: there is none of that name.
            Refused: it is not paused.
        """

        def change(known: Schedule) -> Schedule:
            if known.state is not ScheduleState.PAUSED:
                why = f": {known.reason}" if known.reason else ""
                raise Refused(f"schedule {name!r} is not paused, it is {known.state}{why}")
            again = resumed(known, agenda_of(known), at=self._clock.now())
            return replace(again, version=known.version + 1)

        return self._change(name, change, self._entry("resume", name, actor, reason))

    def run_now(
        self, name: str, *, actor: str | None = None, reason: str | None = None, keyed: Keyed | None = None
    ) -> Round:
        """Start its job now, with its arguments and tenants; return the round. It uses up no slot and moves none.

        `keyed`: of the same question under the same key one round comes to be.

        Raises:
            ScheduleNotFound: there is none of that name.
            JobNotFound: its job is not in this code.
            KeyReused: something else was started under the key.
        """
        known, now = self.get(name), self._clock.now()
        if known.job not in self._jobs:
            raise JobNotFound(known.job, known=self._jobs)
        job = self._jobs[known.job].job
        round_id, places = self._clock.new_id(), job.max_parallel if job.per_tenant else None
        expansion = Expansion(
            args=known.args,
            tenants=known.tenants,
            exclude=known.exclude,
            overlap=Overlap.ALLOW if overlap_of(known) is Overlap.ALLOW else Overlap.QUEUE_ALL,
            user_id=known.user_id,
            batch=round_batch(round_id) if places is not None else None,
        )
        round_ = Round(
            id=round_id,
            job=job.name,
            schedule=name,
            trigger=Trigger.MANUAL,
            actor=actor,
            expanded=not job.per_tenant,
            places=places,
            created_at=now,
        )
        make = expansion_run if job.per_tenant else _only_run
        run = make(round_, expansion, job, now=now, new_id=self._clock.new_id)
        entry = self._entry("run", name, actor, reason, round=round_.id)
        if keyed is None:
            self._store().add_rounds([round_], [run], now=now, audit=entry)
            return round_
        return round_once(self._store(), round_, run, keyed, now=now, audit=entry)

    def delete(
        self,
        name: str,
        *,
        actor: str | None = None,
        reason: str | None = None,
        expected_version: int | None = None,
    ) -> None:
        """Delete a schedule; its history and progress stay. `expected_version`: only if it still has that version.

        Raises:
            ScheduleNotFound: there is none of that name.
            ScheduleInCode: the code would bring it back.
            EditedMeanwhile: it has another version than was expected.
        """
        while True:
            known = self.get(name)
            _check_version(name, known, expected_version)
            is_orphan = known.state is ScheduleState.ORPHANED and not self.declared.has(name)
            if known.origin is Origin.CODE and not is_orphan:
                raise ScheduleInCode(name)
            entry = self._entry("delete", name, actor, reason, timing=known.timing, job=known.job)
            if self._store().drop_schedule(name, expected_version=known.version, audit=entry):
                return

    def _edit(
        self,
        name: str,
        definition: Definition,
        *,
        force: bool,
        actor: str | None,
        reason: str | None,
        expected: int | None,
    ) -> Schedule:
        draft, now = self._drafts.draft(name, definition), self._clock.now()
        said = {field: getattr(definition, field) for field in AUDITED}
        while True:
            known = self.declared.ensure(name)
            _check_version(name, known, expected)
            changed = draft.new(now) if known is None else draft.on(known, now)
            if known is None or known.timing != definition.timing:
                self._refuse_ran(draft, now) if force else draft.refuse_passed(now)
            verb = "put" if known is None or known.origin is Origin.ROW else "override"
            entry = self._entry(verb, name, actor, reason, **said)
            if self._store().put_schedule(
                changed,
                expected_version=known.version if known else None,
                expected_cursor=known.cursor if known else None,
                audit=entry,
            ):
                return changed

    def _refuse_ran(self, draft: Draft, now: datetime) -> None:
        """Raise SlotRanAlready if it is for one time that is over, and ran then under this name."""
        slot = editing.passed(draft.due, now=now)
        if slot is None:
            return
        query = RoundQuery(schedule=draft.name, slot_since=slot, slot_until=slot + timedelta.resolution, limit=1)
        for round_ in self._store().rounds(query):
            raise SlotRanAlready(draft.name, slot=slot.isoformat(), round_id=round_.id)

    def _change(self, name: str, change: Callable[[Schedule], Schedule], entry: AuditEntry) -> Schedule:
        while True:
            known = self.get(name)
            changed = change(known)
            if self._store().put_schedule(
                changed, expected_version=known.version, expected_cursor=known.cursor, audit=entry
            ):
                return changed

    def _entry(self, verb: str, name: str, actor: str | None, reason: str | None, **detail: object) -> AuditEntry:
        return audit.entry(
            self._clock, actor=actor, action=f"schedule.{verb}", target=name, reason=reason, **detail
        )  # fmt: skip


def timing_of(schedule: Schedule) -> Timing:
    """Return what the schedule's text says.

    Raises:
        BadSchedule: a row that somebody wrote by hand may say anything.
    """
    return parse(schedule.timing)


def _check_version(name: str, known: Schedule | None, expected: int | None) -> None:
    now = 0 if known is None else known.version
    if expected is not None and expected != now:
        raise EditedMeanwhile(f"schedule {name!r}", version=now, expected=expected)


_only_run = partial(tenant_run, tenant=None)
