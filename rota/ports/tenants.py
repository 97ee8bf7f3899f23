"""What a source of tenants must do."""

from collections.abc import Sequence
from typing import Protocol

from rota.core.model import Tenant


class TenantSource(Protocol):
    """Where tenants come from. Listed afresh for every round."""

    allow_empty: bool

    def tenants(self) -> Sequence[Tenant]:
        """Return every tenant there is now.

        Raises:
            TenantListFailed: the source could not be read.
        """
