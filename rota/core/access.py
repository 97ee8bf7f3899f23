"""Who may do what, to which jobs and tenants (R62)."""

from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct


class Capability(StrEnum):
    """What a principal may do; `admin` is all of them."""

    READ = "read"
    TRIGGER = "trigger"
    """Start runs and passes."""
    MANAGE = "manage"
    """Retry, cancel, pause, backfill, acknowledge."""
    ADMIN = "admin"
    """Schedules, tokens, limits, and what deletes."""


class Principal(Struct, frozen=True, kw_only=True):
    """Whoever asks, and what he is allowed. Nothing by default."""

    subject: str
    """Goes into the audit as it is."""
    capabilities: frozenset[Capability] = frozenset()
    jobs: tuple[str, ...] = ()
    """Patterns of the names of jobs that there are for it: `*` stands for anything, `?` for a character."""
    tenants: frozenset[str] | None = frozenset()
    """The tenants that there are for it; None is all of them, and what is of no tenant."""
    token_id: str = ""

    def may(self, capability: Capability) -> bool:
        """Return whether it may do this to what there is for it."""
        return not self.capabilities.isdisjoint({capability, Capability.ADMIN})

    @property
    def knows_everything(self) -> bool:
        """Return whether there is every job and every tenant for it."""
        return self.tenants is None and "*" in self.jobs

    def knows_job(self, name: str) -> bool:
        """Return whether there is this job for it; another one is to it as one that does not exist."""
        return any(fnmatchcase(name, pattern) for pattern in self.jobs)

    def knows_tenant(self, tenant: str | None) -> bool:
        """Return whether there is this tenant for it; None is what is of no tenant."""
        return self.tenants is None or (tenant is not None and tenant in self.tenants)


LOCAL = Principal(subject="local", capabilities=frozenset({Capability.ADMIN}), jobs=("*",), tenants=None)
"""Whoever asks while authentication is off (R62)."""
