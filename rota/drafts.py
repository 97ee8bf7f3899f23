"""What somebody says of a schedule, checked whole against the jobs and tenants there are before it is written."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.core import cron_jobs, editing
from rota.core.agenda import Agenda, agenda, is_of_tenants, zones_of
from rota.core.definition import Definition
from rota.core.duration import parse_duration
from rota.core.freshness import checked_age
from rota.core.kind import Timing
from rota.core.model import Origin, Schedule
from rota.core.policy import as_catch_up, as_overlap
from rota.core.words import parse
from rota.core.zone import TENANT
from rota.errors import BadArguments, BadSchedule, SlotPassed, TenantNotFound
from rota.footing import Footing

LONGEST_NAME = 200


class Draft(Struct, frozen=True, kw_only=True):
    """A definition that was checked, with the slots that it means."""

    name: str
    definition: Definition
    zones: tuple[str, ...]
    due: Agenda

    def new(self, now: datetime) -> Schedule:
        """Return it as a schedule that was not there before."""
        bare = Schedule(
            name=self.name,
            job=self.definition.job,
            timing=self.definition.timing,
            origin=Origin.ROW,
            zones=self.zones,
            cursor=now,
            created_at=now,
        )
        return editing.placed(self.definition.given_to(bare), self.due, now=now)

    def on(self, known: Schedule, now: datetime) -> Schedule:
        """Return a stored schedule under it.

        Raises:
            BadArguments: it is one of the code, and would be of another job.
        """
        if known.origin is Origin.CODE and known.job != self.definition.job:
            raise BadArguments(f"schedule {known.name!r} is that of job {known.job!r} in the code: give another name")
        return editing.edited(known, self.definition, self.due, zones=self.zones, now=now)

    def refuse_passed(self, now: datetime) -> None:
        """Raise SlotPassed if it is for one time that is over."""
        slot = editing.passed(self.due, now=now)
        if slot is not None:
            raise SlotPassed(self.name, slot=slot.isoformat())


class Drafts:
    """Makes drafts. The source of the tenants is asked only where some are named, or their zones matter."""

    def __init__(self, footing: Footing) -> None:
        self._jobs = footing.jobs
        self._tz = footing.zone
        self._list_tenants = footing.list_tenants

    def draft(self, name: str, definition: Definition) -> Draft:
        """Return the draft of a definition, whose job may be one that only other code has.

        Raises:
            BadSchedule, BadArguments, TenantNotFound, TenantListFailed: what is wrong with it.
        """
        timing = parse(definition.timing)
        try:
            definition = replace(
                definition, catch_up=as_catch_up(definition.catch_up), overlap=as_overlap(definition.overlap)
            )
        except ValueError as error:
            raise BadArguments(f"schedule {name!r}: {error}") from None
        self._check_tenants(name, definition)
        zones = self._zones(timing, definition)
        return Draft(name=name, definition=definition, zones=zones, due=agenda(timing, zones))

    def _check_tenants(self, name: str, definition: Definition) -> None:
        named = [*(definition.tenants or ()), *definition.exclude]
        if definition.job in self._jobs and not self._jobs[definition.job].job.per_tenant:
            if named or definition.tenants is not None:
                raise BadArguments(f"schedule {name!r} names tenants, but job {definition.job!r} is not per_tenant")
            return
        known = [tenant.id for tenant in self._list_tenants()] if named else []
        for tenant in named:
            if tenant not in known:
                raise TenantNotFound(tenant, known=known)

    def _zones(self, timing: Timing, definition: Definition) -> tuple[str, ...]:
        if not is_of_tenants(timing):
            return ()
        if definition.job in self._jobs and not self._jobs[definition.job].job.per_tenant:
            reason = f"{TENANT!r} is for jobs that are per_tenant, and {definition.job!r} is not"
            raise BadSchedule(definition.timing, field="zone", reason=reason)
        return zones_of(definition, self._list_tenants(), default=self._tz())


def check_name(name: str) -> None:
    """Raise BadArguments if this is no name that a schedule can have."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise BadArguments(f"{name[:40]!r} is no name of a schedule: 1 to {LONGEST_NAME} printable characters")
    if name.startswith(cron_jobs.NAMES):
        raise BadArguments(f"{name!r}: names that begin with {cron_jobs.NAMES!r} are those of the rows of cron_jobs")


def parsed_jitter(value: timedelta | str) -> timedelta | None:
    """Return the jitter that was said; None for 0.

    Raises:
        BadArguments: it is no duration, or less than nothing.
    """
    jitter = _duration("jitter", value)
    if jitter < timedelta(0):
        raise BadArguments(f"jitter: {value} is less than nothing")
    return jitter or None


def parsed_within(value: timedelta | str) -> timedelta:
    """Return how old the slot of a last success may be, as it was said.

    Raises:
        BadArguments: it is no duration, or one that `checked_age` refuses.
    """
    within = _duration("fresh_within", value)
    try:
        return checked_age(within)
    except ValueError as error:
        raise BadArguments(f"fresh_within: {error}") from error


def _duration(name: str, value: timedelta | str) -> timedelta:
    try:
        duration = parse_duration(value) if isinstance(value, str) else value
    except ValueError as error:
        raise BadArguments(f"{name}: {error}") from error
    if not isinstance(duration, timedelta):
        raise BadArguments(f"{name}={value!r} must be a timedelta, or a text such as '10m'")
    return duration
