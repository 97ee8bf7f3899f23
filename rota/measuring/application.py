"""The application that is measured: jobs that do nothing, so that all that is seen is Rota."""

from collections.abc import Sequence
from itertools import count

from rota.app import Rota
from rota.clock import SystemClock
from rota.job import JobFunction
from rota.measuring.ground import Ground


class Measured:
    """An application on a ground, and what its jobs noted in this process."""

    def __init__(self, ground: Ground, *, tenants: Sequence[str] = ()) -> None:
        self.app: Rota = Rota(ground.open(), tenants=list(tenants) or None)
        self.latencies: list[float] = []
        """Seconds from each enqueue to the first line of its job: the monotonic clock is that of the whole machine."""
        self._numbers = count(1)
        self._last = 0
        clock, numbers, latencies = SystemClock(), self._numbers, self.latencies

        @self.app.job()
        def nothing() -> None:
            # The job counts itself: asking the store how many are left would take a core of its own.
            self._last = next(numbers)

        @self.app.job()
        def arrive(sent_at: float) -> None:
            latencies.append(clock.monotonic() - sent_at)

        @self.app.job(per_tenant=True)
        def spread() -> None: ...

        self.nothing: JobFunction[[], [], None] = nothing
        self.arrive: JobFunction[[float], [float], None] = arrive

    @property
    def executed(self) -> int:
        """How many runs of `nothing` began here."""
        return self._last

    def close(self) -> None:
        self.app.close()
