"""Who the tenants are: listed afresh for every round, remembered in between for the runs that name one."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from rota.core.controls import TenantSetting, settled
from rota.core.model import Tenant
from rota.errors import StoreUnavailable, TenantListFailed

log: logging.Logger = logging.getLogger(__name__)

REFRESH = timedelta(seconds=60)
AGAIN = timedelta(seconds=5)
"""How long a source that failed is left alone: each question may take long, and runs of known tenants wait for it."""


class Directory:
    """Finds a tenant by its id."""

    def __init__(
        self,
        listed: Callable[[], Sequence[Tenant]],
        *,
        settings: Callable[[], Mapping[str, TenantSetting]] | None = None,
    ) -> None:
        """`settings`: what operators set for single tenants, which wins over what the source says (R24)."""
        self._listed = listed
        self._settings = settings
        self._set: Mapping[str, TenantSetting] = MappingProxyType({})
        self._known: dict[str, Tenant] = {}
        self._fresh_until: datetime | None = None
        self._one_at_a_time = threading.Lock()

    def list(self, *, now: datetime) -> Sequence[Tenant]:
        """Return all tenants, asked of the source just now.

        Raises:
            TenantListFailed: the source failed, or is empty without being allowed to.
        """
        tenants = self._as_set(self._listed())
        self._known = {tenant.id: tenant for tenant in tenants}
        self._fresh_until = now + REFRESH
        return tenants

    def find(self, tenant_id: str, *, now: datetime) -> Tenant | None:
        """Return the tenant, or None when the source does not list it any more.

        What is known is at most `REFRESH` old, so that a tenant that moved to another database is found there.

        Raises:
            TenantListFailed: the tenant is not known, and the source cannot be asked.
        """
        tenant = self._known.get(tenant_id)
        if tenant is not None and self._is_fresh(now):
            return tenant
        with self._one_at_a_time:
            if tenant_id not in self._known or not self._is_fresh(now):
                try:
                    self.list(now=now)
                except TenantListFailed:
                    # The runs of known tenants go on while the source is away.
                    if tenant is None:
                        raise
                    self._fresh_until = now + AGAIN
        return self._known.get(tenant_id)

    @property
    def known(self) -> Mapping[str, Tenant]:
        """The tenants as they were listed last, by id; another object after each listing. Asks nobody."""
        return self._known

    def forget(self) -> None:
        """Ask the source and the settings anew for the next tenant that is looked for."""
        self._fresh_until = None

    def _as_set(self, tenants: Sequence[Tenant]) -> Sequence[Tenant]:
        if self._settings is None or not tenants:
            return tenants
        try:
            self._set = self._settings()
        except StoreUnavailable as error:
            # Zones and weights are no reason to run nothing: they stay what they were.
            log.warning("settings of single tenants are not known: %s", error)
        return [settled(tenant, self._set.get(tenant.id)) for tenant in tenants] if self._set else tenants

    def _is_fresh(self, now: datetime) -> bool:
        return self._fresh_until is not None and now < self._fresh_until
