"""The worker and the scheduler of a test: driven in its thread, killed and replaced."""

from datetime import datetime, timedelta

from rota.app import Rota
from rota.by_hand import MOST_CLAIMS, ByHand, told
from rota.core.controls import Circuit, ControlKind
from rota.core.model import OPEN, State
from rota.engine import host
from rota.errors import StoreUnavailable, WaitTimedOut
from rota.ports import Store
from rota.queries import RunQuery
from rota.testing.clock import FakeClock
from rota.testing.faults import Faults, WorkerGone
from rota.version import __version__

STEP = timedelta(minutes=1)
"""How far the time moves at most while something waits for what is not known beforehand: a limit, a probe."""

MOMENT = timedelta(seconds=5)
"""What a dead worker's runs wait beyond their leases: more than the difference between clocks that stores allow for."""

MOST_DEATHS = 100


class Driver:
    """Has a worker that does what is due when it is told to, and another when that one was killed."""

    def __init__(self, app: Rota, *, store: Store, clock: FakeClock, faults: Faults) -> None:
        self._app = app
        self._store = store
        self._clock = clock
        self._faults = faults
        self._hands: ByHand | None = None
        self._jobs: frozenset[str] = frozenset()
        # Before there is one: whoever enqueues is to see that somebody works here.
        store.register(host.this_worker("test", version=__version__, queues={}, places=1, now=clock.now()))

    def settle_down(self, *, most: int = MOST_CLAIMS) -> None:
        """Do all that can be done at this instant, with as many workers as it takes.

        Raises:
            NeverAtRest: there is work without end.
        """
        for _ in range(MOST_DEATHS):
            try:
                self._worker().settle_down(most=most)
                return
            except StoreUnavailable:
                # As a worker's loop has it: the next pass asks again.
                continue
            except WorkerGone:
                self._bury()

    def do_what_is_waited_for(self) -> None:
        """Work for whoever waits for a result: nobody else does.

        Raises:
            WaitTimedOut: nothing could be done, and waiting on would not help.
        """
        before = self._ended()
        self.settle_down()
        if self._ended() == before:
            left = self._store.runs(RunQuery(states=tuple(OPEN), limit=10))
            raise WaitTimedOut(
                f"nobody but this test works here, and what is left waits: {', '.join(told(left)) or 'nothing'}. "
                "advance(...) lets time pass"
            )

    def next_instant(self, until: datetime) -> datetime | None:
        """Return when the next thing may come due, not after `until`; None when it is that time already."""
        now = self._clock.now()
        if now >= until:
            return None
        waiting = self._store.runs(RunQuery(states=(State.SCHEDULED,), kind=None, limit=100_000))
        instants = [schedule.next_at for schedule in self._store.due(now=until) if schedule.next_at is not None]
        instants += [run.due_at for run in waiting]
        controls = self._store.controls()
        circuits = {one.name: Circuit.of(one) for one in controls if one.kind is ControlKind.CIRCUIT}
        # Runs of a parked tenant wait for its next probe, and that is known.
        instants += [circuit.probe_at for circuit in circuits.values() if circuit.probe_at is not None]
        parked = {tenant for tenant, circuit in circuits.items() if circuit.is_open}
        if len(circuits) < len(controls) or any(run.due_at <= now and run.tenant not in parked for run in waiting):
            instants.append(now + STEP)
        return min((at for at in instants if now < at <= until), default=until)

    def _worker(self) -> ByHand:
        """Return the worker of this moment: a new one where there is none, or where the code has other jobs by now."""
        jobs = frozenset(self._app.jobs)
        if self._hands is None or jobs != self._jobs:
            crew = self._app.crew(inline=True)
            self._hands = ByHand(crew, store=self._store, clock=self._clock, then=self._faults.check)
            self._jobs = jobs
        return self._hands

    def _bury(self) -> None:
        """Let time pass until the leases of a dead worker have ended."""
        self._hands = None
        self._faults.revive()
        held = self._store.runs(RunQuery(states=(State.RUNNING,), kind=None, limit=100_000))
        ends = [run.lease_until for run in held if run.lease_until is not None]
        self._clock.advance(max([until - self._clock.now() + MOMENT for until in ends], default=MOMENT))

    def _ended(self) -> int:
        return len(self._store.runs(RunQuery(states=tuple(state for state in State if state.is_final), limit=100_000)))
