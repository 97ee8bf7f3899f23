"""Tries tenants' databases in threads of its own: one that hangs holds up nobody."""

import threading
from collections import deque
from collections.abc import Callable

from rota.core.model import Tenant
from rota.errors import RotaError
from rota.redaction import redacted

AT_ONCE = 4
"""Tenants that are tried at once: those of a dead host take all the time that connecting may take."""

WITHIN_S = 10.0
"""After so many seconds a tenant that has not answered counts as one that cannot be reached. Connecting has a limit of
its own, half of this; but a file on a network drive, or the look-up of a name, may hang for ever."""

MOST_HANGING = 100
"""Threads that hang. With more of them this process tries nobody until one comes back; others do."""


class Probes:
    """What is being tried in this process."""

    def __init__(
        self,
        connect: Callable[[Tenant], object],
        *,
        monotonic: Callable[[], float],
        start: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """`connect` raises TenantUnavailable when it cannot; `start` calls a function beside this thread."""
        self._connect = connect
        self._monotonic = monotonic
        self._start = start or _in_a_thread
        self._began: dict[str, float] = {}
        """Tenants that are being tried, and since when."""
        self._hanging: set[str] = set()
        """Those of them that have been given up."""
        self._answers: deque[tuple[str, str | None]] = deque()

    @property
    def is_busy(self) -> bool:
        return len(self._began) > len(self._hanging)

    def has_room(self, tenant: str) -> bool:
        if tenant in self._began or len(self._hanging) >= MOST_HANGING:
            return False
        return len(self._began) - len(self._hanging) < AT_ONCE

    def begin(self, tenant: Tenant) -> None:
        self._began[tenant.id] = self._monotonic()
        self._start(lambda: self._try(tenant))

    def answers(self) -> list[tuple[str, str | None]]:
        answers = []
        while self._answers:
            tenant, reason = self._answers.popleft()
            self._began.pop(tenant, None)
            if tenant in self._hanging:
                # Its answer was given long ago, in its place.
                self._hanging.discard(tenant)
                continue
            answers.append((tenant, reason))
        for tenant, began in self._began.items():
            if tenant not in self._hanging and self._monotonic() - began >= WITHIN_S:
                self._hanging.add(tenant)
                answers.append((tenant, f"no answer within {WITHIN_S:.0f} s"))
        return answers

    def _try(self, tenant: Tenant) -> None:
        reason: str | None = None
        try:
            self._connect(tenant)
        except RotaError as error:
            reason = str(error)
        # Whatever a driver raises is an answer: a tenant that never gets one is never tried again.
        except Exception as error:  # noqa: BLE001
            reason = redacted(f"{type(error).__name__}: {error}")
        self._answers.append((tenant.id, reason))


def _in_a_thread(function: Callable[[], None]) -> None:
    threading.Thread(target=function, name="rota-probe", daemon=True).start()
