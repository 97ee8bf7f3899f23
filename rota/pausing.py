"""Stopping a job, a tenant or a queue for a while, with a reason (R12)."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from rota.audit import entry
from rota.core.controls import UNREADABLE, Control, ControlKind, Pause, Paused, readable
from rota.errors import ConfigurationError, JobNotFound, Refused, TenantListFailed, TenantNotFound
from rota.footing import Footing
from rota.gathering import Shared
from rota.redaction import remark


class Pauses:
    """What is paused. Takes hold within a second in every process; what runs already goes on, and nothing fails.

    While a job is paused its schedules fire nothing, while a tenant is paused its slots are recorded as skipped, and
    neither is made up on resume: ask for it with `backfill`. Runs that are queued wait.
    """

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._jobs = footing.jobs
        self._list_tenants = footing.list_tenants
        self._clock = footing.clock
        # Each start by hand asks, of which there may be thousands a second.
        self._controls = Shared(lambda: self._store().controls(ControlKind.PAUSE))

    def list(self) -> list[Pause]:
        """Return the pauses of jobs, queues and tenants that are not over, by kind and name."""
        now = self._clock.now()
        return [pause for _, pause in readable(self._controls.get(), Pause) if not pause.is_over(now)]

    def get(self, kind: Paused | str, name: str) -> Pause | None:
        """Return the pause of one of them, or None."""
        pause = Pause.read(self._store().control(ControlKind.PAUSE, key_of(Paused(kind), name)))
        return None if pause is None or pause.is_over(self._clock.now()) else pause

    def pause(
        self,
        kind: Paused | str,
        name: str,
        *,
        reason: str,
        actor: str | None = None,
        until: datetime | UnsetType | None = UNSET,
    ) -> Pause:
        """Pause a job, a tenant or a queue until it is resumed, or until a time.

        Again: with this reason. The end that it has stays, unless another is given; None takes it away.

        Raises:
            JobNotFound, TenantNotFound: there is none of that name. While the tenants cannot be listed, any will do.
            ConfigurationError: no reason, or an end without zone or in the past.
        """
        kind = Paused(kind)
        self._check(kind, name)
        now = self._clock.now()
        if not reason.strip():
            raise ConfigurationError("a pause needs a reason: people on call will ask for it")
        reason = remark(reason)
        if isinstance(until, datetime) and (until.tzinfo is None or until <= now):
            raise ConfigurationError(f"a pause until {until} is over already, or has no zone: name a time to come")
        while True:
            known = self._store().control(ControlKind.PAUSE, key_of(kind, name))
            before = Pause.read(known)
            before = None if before is None or before.is_over(now) else before
            kept = None if before is None else before.until
            end = kept if until is UNSET else until
            audit = entry(self._clock, actor=actor, action=f"{kind}.pause", target=name, reason=reason, until=end)
            since = now if before is None else before.since
            pause = Pause(kind=kind, name=name, reason=reason, author=audit.actor, since=since, until=end)
            control = Control(
                kind=ControlKind.PAUSE,
                name=key_of(kind, name),
                body=pause.body(),
                version=1 if known is None else known.version + 1,
                changed_at=now,
            )
            if self._store().put_control(control, expected_version=known.version if known else None, audit=audit):
                return pause

    def resume(self, kind: Paused | str, name: str, *, actor: str | None = None, reason: str | None = None) -> Pause:
        """Let it go on, and return the pause that was ended.

        Raises:
            Refused: it is not paused.
        """
        kind = Paused(kind)
        audit = entry(self._clock, actor=actor, action=f"{kind}.resume", target=name, reason=reason)
        while True:
            known = self._store().control(ControlKind.PAUSE, key_of(kind, name))
            pause = Pause.read(known)
            if known is None or (pause is not None and pause.is_over(self._clock.now())):
                self._check(kind, name)
                raise Refused(f"{kind} {name!r} is not paused")
            ended = self._store().drop_control(
                ControlKind.PAUSE, known.name, expected_version=known.version, audit=audit
            )
            if ended:
                return pause or Pause(kind=kind, name=name, reason=UNREADABLE, since=known.changed_at)

    def _check(self, kind: Paused, name: str) -> None:
        """Refuse a name that nobody has. A queue may be any: it is made by the first run that names it."""
        if kind is Paused.JOB and name not in self._jobs:
            raise JobNotFound(name, known=self._jobs)
        if kind is Paused.TENANT:
            self._check_tenant(name)

    def _check_tenant(self, name: str) -> None:
        try:
            known = [tenant.id for tenant in self._list_tenants()]
        except TenantListFailed:
            # That is an hour in which somebody wants to pause a tenant: one that nobody has pauses nothing.
            return
        if name not in known:
            raise TenantNotFound(name, known=known)


def key_of(kind: Paused, name: str) -> str:
    """Return the name of the control that keeps a pause."""
    return f"{kind}/{name}"
