"""The seam between the engine and its executors: one attempt as data, as a call, and who executes it."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from rota.context import StopSignal
from rota.core.lifecycle import Ending
from rota.core.model import Run, Tenant
from rota.core.policy import Job


class Brief(Struct, frozen=True, kw_only=True):
    """All that a function may ask about its run, as plain data: it crosses into a child process as JSON."""

    run: Run
    """With its own window filled in."""
    tenant: Tenant | None = None
    deadline: datetime | None = None
    """When its soft time limit ends; None without one."""


class Call(Protocol):
    """One attempt, ready to be executed."""

    run: Run
    stop_signal: StopSignal

    @property
    def is_coroutine(self) -> bool:
        """Whether it is executed by `aexecute`, on an event loop."""

    def execute(self) -> Ending:
        """Call the job's function and return how it ended. Raises nothing that the job raised."""

    async def aexecute(self) -> Ending:
        """The same for a coroutine function, on the loop that awaits this. Being cancelled is how it is stopped."""


class Executor(Protocol):
    """How a function is run."""

    def submit(self, calls: Sequence[Call], done: Callable[[Run, Ending], None]) -> None:
        """Execute each call, in this order; report its ending exactly once, from any thread."""

    def waiting(self) -> int:
        """Return how many calls have not begun."""

    def withdraw(self) -> list[Call]:
        """Take back and return the calls that have not begun; they are not reported."""

    def close(self) -> None:
        """Start nothing more and let go of threads or children; what still runs is abandoned to its lease."""


class Children(Protocol):
    """Child processes that call the functions of process jobs."""

    def execute(self, job: Job, brief: Brief, *, stop: StopSignal, started_at: datetime) -> Ending:
        """Have a child call the job's function, and return how it ended; the calling thread waits.

        Once `stop` is set the child is told; after `stop.grace` its process group gets SIGTERM, after the hard grace
        SIGKILL. When this returns, no process that the attempt started is alive. A child that dies by itself is
        `lost`, with its signal or exit status in the error. Raises nothing.
        """

    def close(self) -> None:
        """End every child, whatever it is doing."""


class Fleet(Protocol):
    """Processes of another system that carry out runs: this one claims a run and sends word of it, and who gets that
    takes the run over, see `ClaimRequest.handed`. The message is a hint, and the store's word counts: one that is
    lost, late or delivered twice does no harm."""

    places: int
    """How many runs of one worker process may wait there at once."""
    patience: timedelta
    """How long a run may wait there before it is given back: its message may be lost."""

    def send(self, run: Run) -> None:
        """Send word of a claimed run, its id and token. May take some seconds.

        Raises:
            FleetUnavailable: nobody takes messages. The run is given back.
        """

    def recall(self, runs: Sequence[Run]) -> None:
        """Have what was sent of these thrown away, where that can be. A hint; raises nothing."""
