"""Backfill campaigns as an application sees them: started, looked at, paused, resumed, cancelled, changed (R13)."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict, replace

from rota.audit import entry
from rota.core import campaign as decide
from rota.core.campaign import MOST_PARALLEL, MOST_PER_MINUTE, Campaign, CampaignState, Mode, Reach
from rota.core.controls import AuditEntry, Control, ControlKind, readable
from rota.core.gates import campaign_batch
from rota.core.keyed import Keyed
from rota.core.model import Schedule, State, Tenant
from rota.core.slot_plan import slots_and_runs
from rota.engine.campaigns import chosen
from rota.engine.planning import Planner
from rota.errors import (
    BadArguments,
    CampaignNotFound,
    ConfigurationError,
    JobNotFound,
    KeyReused,
    Refused,
    ScheduleNotFound,
    TenantNotFound,
)
from rota.footing import Footing
from rota.job import JobFunction
from rota.preview import Preview, preview_of, slots_looked_at
from rota.redaction import remark
from rota.schedules import Schedules

MOST = 1_000_000
"""Runs of a campaign that nobody is asked about."""

SHORTEST = 6
"""Digits of an id that may stand for all of it."""


class Wanted(Struct, frozen=True, kw_only=True):
    """What somebody asks for; the fields are those of a campaign."""

    since: datetime
    until: datetime
    tenants: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    mode: Mode = Mode.MISSING
    newest_first: bool = False
    as_one: bool = False
    parallel: int | None = None
    rate: float | None = None
    stop_after: int | None = None
    canary: str | None = None
    reason: str | None = None


class Backfill(Struct, frozen=True, kw_only=True):
    """What a backfill has to do, and the campaign that does it."""

    preview: Preview
    campaign: Campaign | None
    """None when it was only looked at, or when there is nothing to do."""

    @property
    def id(self) -> str | None:
        """The campaign's id."""
        return None if self.campaign is None else self.campaign.id


class Campaigns:
    """Every change is a compare-and-set, repeated if somebody was faster, and leaves an entry in the audit.

    The work is done by whoever schedules: `rota start`, `rota tick`, `start_background()`.
    """

    def __init__(self, footing: Footing, *, schedules: Schedules) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._schedules = schedules
        self._list_tenants = footing.list_tenants
        self._clock = footing.clock
        self._tz = footing.zone
        self._settings = footing.settings

    # --- starting ---

    def backfill(
        self,
        name: str,
        *,
        since: datetime,
        until: datetime,
        tenants: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        mode: Mode | str = Mode.MISSING,
        newest_first: bool = False,
        as_one: bool = False,
        parallel: int | None = None,
        rate: float | None = None,
        stop_after: int | None = None,
        canary: str | None = None,
        reason: str | None = None,
        dry_run: bool = False,
        actor: str | None = None,
        most: int | None = MOST,
        keyed: Keyed | None = None,
    ) -> Backfill:
        """Make up the slots in [since, until) of a job or schedule: start a campaign that whoever schedules carries
        out, and return it with its preview; with `dry_run` only the preview (R13).

        `missing`: slots that never ran; `failed`: those that failed, and missing ones; `all`: every one again.
        `as_one`: one run per tenant for the whole range. `parallel`: how many runs are out at once; `rate`: how many
        begin per minute; `stop_after`: it stops when so many have failed; `canary`: this tenant goes first, the
        others only when its runs have succeeded (R24); `most`: a larger one is refused; `keyed`: of the same question
        under the same key one campaign comes to be.

        Raises:
            JobNotFound, ScheduleNotFound, TenantNotFound, TenantListFailed: nothing was started.
            ConfigurationError: the range is empty, ends in the future or has no zone, or a limit is below one.
            Refused: it has more than `most` runs.
        """
        wanted = Wanted(
            since=since,
            until=until,
            tenants=None if tenants is None else tuple(tenants),
            exclude=tuple(exclude),
            mode=Mode(mode),
            newest_first=newest_first,
            as_one=as_one,
            parallel=parallel,
            rate=rate,
            stop_after=stop_after,
            canary=canary,
            reason=reason,
        )
        return self.start(name, wanted, dry_run=dry_run, actor=actor, most=most, keyed=keyed)

    def start(
        self,
        name: str,
        wanted: Wanted,
        *,
        dry_run: bool = False,
        actor: str | None = None,
        most: int | None = MOST,
        keyed: Keyed | None = None,
    ) -> Backfill:
        """Start a campaign; see `backfill`."""
        now = self._clock.now()
        _check_range(wanted.since, wanted.until, now=now)
        _check_limits(wanted.parallel, wanted.rate, wanted.stop_after)
        if wanted.as_one and wanted.newest_first:
            raise ConfigurationError("backfill as_one: one run for the whole range has no order, leave newest_first")
        if wanted.reason is not None:
            wanted = replace(wanted, reason=remark(wanted.reason))
        schedule = self._schedule_of(name)
        campaign = Campaign(
            id=self._clock.new_id() if keyed is None else keyed.id,
            job=schedule.job,
            schedule=schedule.name,
            reach=self._reach(schedule, wanted.since, now) if wanted.mode is not Mode.ALL else None,
            actor=None if actor is None else actor.rpartition(":")[2],
            created_at=now,
            **asdict(wanted),
        )
        planner = self._planner(campaign, schedule)
        if wanted.canary is not None and wanted.canary not in planner.ids:
            raise TenantNotFound(wanted.canary, known=[tenant for tenant in planner.ids if tenant is not None])
        counted = max(MOST, most or 0)
        if most is not None and not dry_run:
            _check_size(name, planner, campaign, counted=counted, most=most)
        preview = preview_of(self._store(), planner, campaign, now=now, most=counted)
        if dry_run:
            return Backfill(preview=preview, campaign=None)
        if preview.is_all and not preview.total:
            # What is missing no longer may be what this very question has made up.
            return Backfill(preview=preview, campaign=self._asked_before(keyed, campaign, planner))
        if most is not None and preview.total > most:
            raise _too_many(name, f"{preview.total:,} runs are", most)
        campaign = replace(campaign, total=preview.total)
        if self._write_first(campaign, actor=actor):
            return Backfill(preview=preview, campaign=campaign)
        return Backfill(preview=preview, campaign=self._asked_before(keyed, campaign, planner))

    def _asked_before(self, keyed: Keyed | None, campaign: Campaign, planner: Planner) -> Campaign | None:
        """Return the campaign that an earlier call under this key has started; None where there is none.

        Raises:
            KeyReused: that one was asked for something else.
        """
        if keyed is None or (control := self._store().control(ControlKind.CAMPAIGN, keyed.id)) is None:
            return None
        known = Campaign.of(control)
        if campaign.tenants is None and known.tenants is not None and set(known.tenants) == set(planner.ids):
            # Asked by who sees only some tenants, it was written down for all of those.
            campaign = replace(campaign, tenants=known.tenants)
        asked = (*Wanted.__struct_fields__, "schedule")
        if any(getattr(known, name) != getattr(campaign, name) for name in asked if name != "parallel"):
            raise KeyReused(keyed.key)
        return known

    def _write_first(self, campaign: Campaign, *, actor: str | None) -> bool:
        """Write a campaign, and return whether it was not there."""
        audit = entry(
            self._clock,
            actor=actor,
            action="campaign.start",
            target=campaign.id,
            reason=campaign.reason,
            job=campaign.job,
            schedule=campaign.schedule,
            since=campaign.since,
            until=campaign.until,
            mode=str(campaign.mode),
            total=campaign.total,
            canary=campaign.canary,
        )
        control = decide.control_of(campaign, known=None, now=campaign.created_at)
        # Without a key the id is new: who has written it is an earlier try of this very call, whose answer was lost.
        return self._store().put_control(control, expected_version=None, audit=audit)

    def _planner(self, campaign: Campaign, schedule: Schedule) -> Planner:
        function = self._jobs.get(schedule.job)
        if function is None:
            raise JobNotFound(schedule.job, known=self._jobs)
        tenants = self._tenants_of(campaign, schedule, function)
        return Planner(
            self._store(), campaign, schedule, function.job, tenants=tenants, zone=self._tz(), clock=self._clock
        )  # fmt: skip

    def _tenants_of(
        self, campaign: Campaign, schedule: Schedule, function: JobFunction[Any, Any, Any]
    ) -> Sequence[Tenant]:
        if not function.job.per_tenant:
            if campaign.tenants or campaign.exclude:
                raise BadArguments(f"job {function.name!r} is not per_tenant: it runs once, for nobody in particular")
            return []
        listed = self._list_tenants()
        known = [tenant.id for tenant in listed]
        # A typing error must not run a job for the very tenant that it was meant to spare.
        for name in (*(campaign.tenants or ()), *campaign.exclude):
            if name not in known:
                raise TenantNotFound(name, known=known)
        return chosen(campaign, schedule, listed)

    def _schedule_of(self, name: str) -> Schedule:
        try:
            return self._schedules.get(name)
        except ScheduleNotFound:
            if name in self._jobs:
                raise
            known = [schedule.name for schedule in self._schedules.list()]
            raise JobNotFound(name, known=[*self._jobs, *known]) from None

    def _reach(self, schedule: Schedule, since: datetime, now: datetime) -> Reach | None:
        """Return how far history reaches back, where the range goes beyond it."""
        until = now - self._settings().retention.succeeded
        if since >= until or schedule.created_at >= until:
            return None
        # Beyond the end of what may be pruned it does not matter how far a tenant has come: most are alike then.
        reached = {
            progress.tenant: min(progress.last_success, until) if progress.last_success is not None else None
            for progress in self._store().progress(schedule=schedule.name)
        }
        usual = until if until in reached.values() else None
        others = {tenant: slot for tenant, slot in reached.items() if slot != usual}
        if usual is not None:
            listed = {tenant.id for tenant in self._list_tenants()} | {""}
            others |= dict.fromkeys(listed - reached.keys())
        return Reach(since=schedule.created_at, until=until, usual=usual, others=others)

    # --- looking ---

    def list(self) -> list[Campaign]:
        """Return the campaigns, newest first; those that are over are kept for 90 days."""
        found = [campaign for _, campaign in readable(self._store().controls(ControlKind.CAMPAIGN), Campaign)]
        return sorted(found, key=lambda campaign: campaign.id, reverse=True)

    def get(self, name: str) -> Campaign:
        """Return a campaign by its id, or by a beginning of it that no other one has, of at least six digits.

        Raises:
            CampaignNotFound: there is none.
        """
        return Campaign.of(self._control(name))

    def counts(self, name: str) -> dict[State, int]:
        """Return how many runs of a campaign stand where: now, or as they were when it was over."""
        campaign = self.get(name)
        if campaign.ended_at is not None:
            return {State(state): count for state, count in campaign.counts.items()}
        return self._store().batch_counts(campaign_batch(campaign.id))

    def _control(self, name: str) -> Control:
        known = self._store().control(ControlKind.CAMPAIGN, name)
        if known is not None:
            return known
        alike = [
            control
            for control in self._store().controls(ControlKind.CAMPAIGN)
            if len(name) >= SHORTEST and control.name.startswith(name)
        ]
        if len(alike) != 1:
            raise CampaignNotFound(name, known=[control.name for control in alike])
        return alike[0]

    # --- changing ---

    def pause(self, name: str, *, reason: str, actor: str | None = None) -> Campaign:
        """Let no more of its runs go on until it is resumed; what is out ends.

        Raises:
            CampaignNotFound: there is none.
            ConfigurationError: no reason.
            Refused: it is over, or paused already.
        """
        if not reason.strip():
            raise ConfigurationError("a pause needs a reason: people on call will ask for it")

        def change(known: Campaign, audit: AuditEntry) -> Campaign:
            if known.state not in (CampaignState.PLANNING, CampaignState.RUNNING, CampaignState.STOPPED):
                raise Refused(f"backfill {known.id} is {known.state}: it cannot be paused")
            return decide.paused(known, by=audit.actor, reason=remark(reason))

        return self._change(name, "campaign.pause", change, actor=actor, reason=reason)

    def resume(self, name: str, *, actor: str | None = None, reason: str | None = None) -> Campaign:
        """Let a paused or stopped campaign go on; the failures until now do not stop it again.

        Raises:
            CampaignNotFound: there is none.
            Refused: it is neither paused nor stopped.
        """

        def change(known: Campaign, _audit: AuditEntry) -> Campaign:
            if known.state not in (CampaignState.PAUSED, CampaignState.STOPPED):
                raise Refused(f"backfill {known.id} is {known.state}: it is neither paused nor stopped")
            counts = self._store().batch_counts(campaign_batch(known.id))
            return decide.resumed(known, counts, now=self._clock.now())

        return self._change(name, "campaign.resume", change, actor=actor, reason=reason)

    def cancel(self, name: str, *, reason: str | None = None, actor: str | None = None) -> Campaign:
        """Give it up: its open runs are cancelled, and those that run are asked to stop.

        Raises:
            CampaignNotFound: there is none.
            Refused: it is over.
        """

        def change(known: Campaign, audit: AuditEntry) -> Campaign:
            if known.state.is_over:
                raise Refused(f"backfill {known.id} is {known.state}: there is nothing to cancel")
            return decide.cancelled(known, by=audit.actor, reason=audit.reason)

        return self._change(name, "campaign.cancel", change, actor=actor, reason=reason)

    def set(
        self,
        name: str,
        *,
        parallel: int | UnsetType | None = UNSET,
        rate: float | UnsetType | None = UNSET,
        stop_after: int | UnsetType | None = UNSET,
        reason: str | None = None,
        actor: str | None = None,
    ) -> Campaign:
        """Change the limits of a campaign that is not over, within a second. None is without limit.

        Fewer in parallel are reached as runs end: none is stopped for it.

        Raises:
            CampaignNotFound: there is none.
            ConfigurationError: a limit below one, or nothing to change.
            Refused: it is over.
        """
        given = {"parallel": parallel, "rate": rate, "stop_after": stop_after}
        limits = {field: value for field, value in given.items() if value is not UNSET}
        if not limits:
            raise ConfigurationError("nothing to change: say parallel, rate or stop_after")

        def change(known: Campaign, _audit: AuditEntry) -> Campaign:
            if known.state.is_over:
                raise Refused(f"backfill {known.id} is {known.state}: there is nothing to change")
            changed = replace(known, **limits)
            _check_limits(changed.parallel, changed.rate, changed.stop_after)
            return changed

        return self._change(name, "campaign.set", change, actor=actor, reason=reason, **limits)

    def _change(
        self,
        name: str,
        action: str,
        change: Callable[[Campaign, AuditEntry], Campaign],
        *,
        actor: str | None,
        reason: str | None,
        **detail: object,
    ) -> Campaign:
        while True:
            known = self._control(name)
            audit = entry(self._clock, actor=actor, action=action, target=known.name, reason=reason, **detail)
            changed = change(Campaign.of(known), audit)
            control = decide.control_of(changed, known=known, now=self._clock.now())
            if self._store().put_control(control, expected_version=known.version, audit=audit):
                return changed


def _check_range(since: datetime, until: datetime, *, now: datetime) -> None:
    if since.tzinfo is None or until.tzinfo is None or since >= until:
        raise ConfigurationError(f"backfill from {since} to {until}: needs two aware times, the first one earlier")
    if until > now:
        raise ConfigurationError(
            f"backfill until {until}: that lies in the future; slots to come are left to their time, say now"
        )


def _check_size(name: str, planner: Planner, campaign: Campaign, *, counted: int, most: int) -> None:
    """Refuse what is too large to be looked at slot by slot, and has more slots than are let through."""
    tenants = len(planner.ids)
    slots, up_to = slots_and_runs(campaign, planner.agenda, tenants, most=counted)
    if slots > slots_looked_at(tenants) and (up_to is None or up_to > most):
        raise _too_many(name, f"{'over ' if up_to is None else ''}{slots:,} slots for each of {tenants:,} are", most)


def _too_many(name: str, what: str, most: int) -> Refused:
    return Refused(
        f"backfill of {name!r}: {what} more than {most:,}; take a shorter range, fewer tenants or one run for the "
        "range (as_one), or say that it is meant (most=None, --yes)"
    )


def _check_limits(parallel: int | None, rate: float | None, stop_after: int | None) -> None:
    if parallel is not None and not 1 <= parallel <= MOST_PARALLEL:
        raise ConfigurationError(f"backfill with parallel={parallel}: 1 to {MOST_PARALLEL}, or None")
    if rate is not None and not 0 < rate <= MOST_PER_MINUTE:
        raise ConfigurationError(f"backfill with rate={rate}: runs per minute, above 0 and at most {MOST_PER_MINUTE:g}")
    if stop_after is not None and stop_after < 1:
        raise ConfigurationError(f"backfill with stop_after={stop_after}: at least 1 failure, or None")
