"""What people and guards have set while the system runs: pauses, parked tenants, settings of single tenants, keys.

Few and small. A store keeps each as a `Control`: a text under a kind and a name, replaced by compare-and-set.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Self, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.core.limits import Limit
from rota.core.model import Tenant

UNREADABLE = "what it was cannot be read"
"""The reason of what was taken away, and could not be read by this version."""


class ControlKind(StrEnum):
    PAUSE = "pause"
    CIRCUIT = "circuit"
    TENANT = "tenant"
    CAMPAIGN = "campaign"
    LIMIT = "limit"
    SHADOW = "shadow"
    API_KEY = "api_key"
    REVOCATION = "revocation"
    SESSION = "session"


class Control(Struct, frozen=True, kw_only=True):
    """One of them as a store keeps it."""

    kind: ControlKind
    name: str
    body: str
    """The value as JSON."""
    version: int = 1
    """Grows with each change; a change names the version that it was decided on."""
    changed_at: datetime


class Setting(Struct, frozen=True, kw_only=True):
    """A value that is kept as the body of a control."""

    @classmethod
    def of(cls, control: Control) -> Self:
        """Return the value of a control. Fields that this version does not know are passed over."""
        return msgspec.json.decode(control.body, type=cls)

    @classmethod
    def read(cls, control: Control | None) -> Self | None:
        """Return the value of a control; None where there is none, or none that this version can read.

        What a newer version has written, or somebody by hand, stands in the way of nothing else.
        """
        try:
            return None if control is None else cls.of(control)
        except msgspec.MsgspecError:
            return None

    def body(self) -> str:
        """Return the value as a control keeps it."""
        return msgspec.json.encode(self).decode()


Kept = TypeVar("Kept", bound=Setting)


def readable(controls: Iterable[Control], setting: type[Kept]) -> list[tuple[Control, Kept]]:
    """Return controls with their values, without those that this version cannot read."""
    read = ((control, setting.read(control)) for control in controls)
    return [(control, value) for control, value in read if value is not None]


class Paused(StrEnum):
    """What a pause stops. A paused schedule says so on its own row."""

    JOB = "job"
    TENANT = "tenant"
    QUEUE = "queue"


class Pause(Setting, frozen=True, kw_only=True):
    """Nothing of this job, tenant or queue begins (R12). What runs goes on; nothing fails for it.

    The control's name is `kind/name`: `tenant/acme`.
    """

    kind: Paused
    name: str
    reason: str
    author: str | None = None
    since: datetime
    until: datetime | None = None
    """When it ends by itself."""

    def is_over(self, now: datetime) -> bool:
        return self.until is not None and self.until <= now

    @property
    def said(self) -> str:
        """Return it for people: `paused by ana: migration`."""
        return f"paused by {self.author or 'somebody'}: {self.reason}"


class Shadow(Setting, frozen=True, kw_only=True):
    """This schedule fires its slots and starts nothing: another system still carries them out. Its name is the
    schedule's."""

    reason: str
    author: str | None = None
    since: datetime

    @property
    def said(self) -> str:
        """Return it for people: `in the shadow of another system, by ana: cron still does it`."""
        return f"in the shadow of another system, by {self.author or 'somebody'}: {self.reason}"


class Circuit(Setting, frozen=True, kw_only=True):
    """How it stands with a tenant whose database could not be reached lately (R25). Its name is the tenant's."""

    failures: int
    """In a row."""
    reason: str
    """What the last one was, its first line."""
    parked_at: datetime | None = None
    """Since when its runs are held; None while there are too few failures for that."""
    probe_at: datetime | None = None
    """When it is tried next."""
    probes: int = 0
    """How often it was tried in vain since it was parked."""

    @property
    def is_open(self) -> bool:
        """Whether the tenant is parked."""
        return self.parked_at is not None


class TenantSetting(Setting, frozen=True, kw_only=True):
    """What operators set for one tenant (R24). Its name is the tenant's."""

    tz: str | None = None
    weight: float | None = None
    """Its share of a queue beside other tenants, who have 1.0."""
    schedules: Mapping[str, str] = MappingProxyType({})
    """Schedules that it has in place of the general ones: name of the general one to name of its own."""


class LimitSetting(Setting, frozen=True, kw_only=True):
    """A limit that operators set, in place of what the code says of the same (R35).

    The control's name is the limit's own: `job:send_mail`.
    """

    limit: Limit
    reason: str
    author: str | None = None
    since: datetime


def settled(tenant: Tenant, setting: TenantSetting | None) -> Tenant:
    """Return a tenant as its source lists it, with what operators set in its place."""
    if setting is None:
        return tenant
    tz = tenant.tz if setting.tz is None else setting.tz
    weight = tenant.weight if setting.weight is None else setting.weight
    return replace(tenant, tz=tz, weight=weight)


class AuditEntry(Struct, frozen=True, kw_only=True):
    """What somebody did. Written with the change itself, in one transaction; never changed."""

    id: str
    at: datetime
    actor: str | None
    via: str = "python"
    """The door: `cli`, `python`, `http`."""
    action: str
    """A verb with its object's kind: `schedule.pause`, `run.cancel`, `campaign.start`."""
    target: str
    """The name or id of the object; of many, the first and how many more."""
    reason: str | None = None
    detail: str = "{}"
    """What changed, as JSON: no arguments, no secrets."""


Entries = AuditEntry | Sequence[AuditEntry] | None
"""What is kept of a call that may be several people's."""


def entries_of(audit: Entries) -> list[AuditEntry]:
    """Return the entries, none, one or several."""
    if audit is None:
        return []
    return [audit] if isinstance(audit, AuditEntry) else list(audit)
