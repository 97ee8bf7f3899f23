"""The zones of the tenants, for timings in the zone of the tenant (R15)."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from rota.core.agenda import is_of_tenants, zones_of
from rota.core.model import Schedule, Tenant
from rota.core.words import parse
from rota.engine.directory import Directory
from rota.errors import BadSchedule, TenantListFailed

log: logging.Logger = logging.getLogger(__name__)

REFRESH = timedelta(minutes=1)


class Zones:
    """Asks the source of the tenants once a minute at most, and only where a schedule is in their zones."""

    def __init__(self, directory: Directory, *, default: str) -> None:
        self._directory = directory
        self._default = default
        self._tenants: Sequence[Tenant] | None = None
        self._asked_at: datetime | None = None

    def of(self, schedule: Schedule, now: datetime) -> tuple[str, ...]:
        """Return the zones of the tenants of a schedule; none for one that names a zone of its own.

        While the source does not answer they stay what they are.
        """
        try:
            if not is_of_tenants(parse(schedule.timing)):
                return ()
        except BadSchedule:
            return schedule.zones
        tenants = self._listed(now)
        return schedule.zones if tenants is None else zones_of(schedule, tenants, default=self._default)

    def _listed(self, now: datetime) -> Sequence[Tenant] | None:
        if self._asked_at is None or not timedelta(0) <= now - self._asked_at < REFRESH:
            self._asked_at = now
            try:
                self._tenants = self._directory.list(now=now)
            except TenantListFailed as error:
                log.warning("zones of tenants are not known: %s", error)
        return self._tenants
