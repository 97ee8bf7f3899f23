"""What a job in a child process counts, on its way to the worker."""

import threading
from collections.abc import Callable

from msgspec import Struct

from rota.clock import Clock
from rota.executors.frames import Counted, Recorded

EVERY_S = 1.0
"""How often at most what was counted is sent: a job may count each of a million rows."""


class RelayedNumbers:
    """Sums up in the child, and sends what there is once a second and when its run ends."""

    def __init__(self, say: Callable[[Struct], None], *, clock: Clock) -> None:
        self._say = say
        self._clock = clock
        # Guards all below: threads of the job may count too.
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, str | None, str], Counted] = {}
        self._recorded: dict[tuple[str, str | None, bool], int] = {}
        self._sent_at = clock.monotonic()

    def count(
        self,
        job: str,
        tenant: str | None,
        name: str,
        number: float,
        *,
        times: int,
        least: float,
        most: float,
    ) -> None:
        with self._lock:
            known = self._counted.get((job, tenant, name))
            if known is None:
                known = Counted(job=job, tenant=tenant, name=name, number=0, times=0, least=least, most=most)
            self._counted[job, tenant, name] = Counted(
                job=job,
                tenant=tenant,
                name=name,
                number=known.number + number,
                times=known.times + times,
                least=min(known.least, least),
                most=max(known.most, most),
            )
        self._send_if_due()

    def record(self, job: str, tenant: str | None, *, is_success: bool, times: int) -> None:
        with self._lock:
            key = (job, tenant, is_success)
            self._recorded[key] = self._recorded.get(key, 0) + times
        self._send_if_due()

    def send(self) -> None:
        """Send what there is."""
        with self._lock:
            counted, self._counted = self._counted, {}
            recorded, self._recorded = self._recorded, {}
            self._sent_at = self._clock.monotonic()
        for one in counted.values():
            self._say(one)
        for (job, tenant, is_success), times in recorded.items():
            self._say(Recorded(job=job, tenant=tenant, is_success=is_success, times=times))

    def _send_if_due(self) -> None:
        if self._clock.monotonic() - self._sent_at >= EVERY_S:
            self.send()
