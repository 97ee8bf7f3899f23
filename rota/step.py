"""A call of a job that is not queued yet: what chains and batches are made of (R32)."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from rota.core.model import Tenant
from rota.errors import ConfigurationError

if TYPE_CHECKING:
    from rota.job import JobFunction


class Step(Struct, frozen=True, kw_only=True):
    """A job with arguments and terms. Made by `job.step(...)`; nothing happens until the flow that it is in is
    enqueued."""

    job: "JobFunction[Any, Any, Any]"
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    takes: bool = True
    """Whether what comes before it is its first argument, where something does."""

    def __repr__(self) -> str:
        return f"<step {self.job.name}>"

    def without_result(self) -> "Step":
        """Return the same step for a place where it gets nothing of what came before: its arguments are whole."""
        return replace(self, takes=False)

    def for_tenants(self, tenants: Iterable[str | Tenant]) -> list["Step"]:
        """Return the same step for each of these tenants, to make a batch of.

        Raises:
            ConfigurationError: there are none.
        """
        if isinstance(tenants, str):
            raise ConfigurationError(f"{self.job.name}.step().for_tenants() takes a list, also of one: [{tenants!r}]")
        names = [tenant.id if isinstance(tenant, Tenant) else tenant for tenant in tenants]
        if not names:
            raise ConfigurationError(f"{self.job.name}.step().for_tenants() was given no tenants: a batch of nothing")
        return [replace(self, job=self.job.using(tenant=name)) for name in dict.fromkeys(names)]
