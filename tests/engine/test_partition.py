"""Whatever happens, each slot of a schedule ran, was recorded as skipped, or is still due: exactly one of them (R8)."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from rota import CatchUp
from rota.core.agenda import Agenda, agenda_of
from rota.core.model import Round, RoundState
from rota.engine.bus import Bus
from rota.engine.scheduler import Scheduler
from rota.engine.standing import Standing
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery
from tests.clocks import FakeClock
from tests.crash import Died, Mortal, Side
from tests.engine.house import an_app
from tests.values import HOUR, MINUTE

TIMINGS = [
    "every 15 minutes",
    "every hour",
    "*/7 * * * *",
    "daily at 02:30 Europe/Berlin",
    "every 2 hours at :17 America/New_York",
    "0,30 1-3 * * * Australia/Lord_Howe",
]
POLICIES = [
    CatchUp.none(),
    CatchUp.latest(),
    CatchUp.all(),
    CatchUp.all(limit=3),
    CatchUp.all(within=2 * HOUR),
    CatchUp.all(limit=5, within=HOUR),
]

durations = st.integers(min_value=1, max_value=60 * 60 * 30).map(lambda seconds: timedelta(seconds=seconds))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.timedeltas(min_value=timedelta(0), max_value=2 * MINUTE)),
        st.tuples(st.just("outage"), durations),
        st.tuples(st.just("back"), durations),
        st.tuples(st.just("edit"), st.tuples(st.sampled_from(TIMINGS), st.sampled_from(POLICIES))),
        st.tuples(st.just("death"), st.tuples(st.sampled_from(list(Side)), st.integers(1, 4))),
        st.tuples(st.just("edit while firing"), st.sampled_from(TIMINGS)),
    ),
    min_size=3,
    max_size=14,
)


class Watched:
    """One schedule and its scheduler, with what was decided under which timing."""

    def __init__(self, timing: str, policy: CatchUp, start: datetime) -> None:
        self.clock = FakeClock(start)
        self.app = an_app(clock=self.clock, tenants=[])

        @self.app.job()
        def report() -> None: ...

        self.eras: list[tuple[Agenda, datetime, datetime]] = []
        self.decided: list[tuple[Round, Agenda]] = []
        self._put(timing, policy)

    def fire(self, store: Store | None = None) -> None:
        """Let a new scheduler make passes until nothing is due. It may die in any of them."""
        jobs = {name: function.registered for name, function in self.app.jobs.items()}
        store = store or self.app.store
        scheduler = Scheduler(store, clock=self.clock, bus=Bus(), jobs=jobs, standing=Standing(store))
        try:
            while scheduler.tick(self.clock.now()) == timedelta(0):
                self._collect()
        finally:
            self._collect()

    def die(self, side: Side, call: int) -> None:
        with suppress(Died):
            self.fire(cast(Store, Mortal(self.app.store, side=side, call=call)))

    def edit(self, timing: str, policy: CatchUp | None = None) -> None:
        self._put(timing, policy or self.app.schedules.get("row").catch_up)

    def edit_while_firing(self, timing: str) -> None:
        """Edit between what a scheduler reads and what it writes."""
        self.fire(cast(Store, Interrupted(self.app.store, lambda: self.edit(timing))))

    def _put(self, timing: str, policy: CatchUp) -> None:
        known = self.app.store.schedule("row")
        stored = self.app.schedules.put("row", job="report", when=timing, catch_up=policy)
        if known is None or known.timing != stored.timing:
            if known is not None:
                self.eras.append((agenda_of(known), self.began_at, known.cursor))
            self.began_at = stored.cursor
            self.agenda = agenda_of(stored)

    def _collect(self) -> None:
        known = {round_.id for round_, _ in self.decided}
        for round_ in reversed(self.app.store.rounds(RoundQuery(limit=100_000))):
            if round_.id not in known:
                self.decided.append((round_, self.agenda))

    def check(self) -> None:
        """Assert that the slots that ran, were skipped and are due are all slots, each once."""
        stored = self.app.schedules.get("row")
        ran = [round_.slot for round_, _ in self.decided if round_.state is not RoundState.SKIPPED]
        skipped = [slot for round_, agenda in self.decided for slot in _skipped(round_, agenda)]
        now = max(self.clock.now(), stored.cursor)
        due = list(agenda_of(stored).slots(after=stored.cursor, until=now))
        every = [slot for agenda, start, end in self.eras for slot in agenda.slots(after=start, until=end)]
        every += agenda_of(stored).slots(after=self.began_at, until=now)

        assert sorted([*ran, *skipped, *due]) == sorted(every)
        # And what ran has its run: a round that stands in the place of another has none of its own.
        assert sorted(run.slot for run in self.app.store.runs(RunQuery(limit=100_000)) if run.slot) == sorted(ran)
        assert stored.next_at == agenda_of(stored).next_slot(after=stored.cursor)


class Interrupted:
    """A store on which something happens right before the first firing is written."""

    def __init__(self, store: Store, happens: object) -> None:
        self._store = store
        self._happens = happens

    def __getattr__(self, verb: str) -> object:
        if verb == "fire" and self._happens is not None:
            happens, self._happens = self._happens, None
            happens()  # type: ignore[operator]  # what the test gave
        return getattr(self._store, verb)


def _skipped(round_: Round, agenda: Agenda) -> Sequence[datetime]:
    if round_.state is not RoundState.SKIPPED:
        return []
    assert round_.skipped_from is not None and round_.slot is not None
    return list(agenda.slots(after=round_.skipped_from - timedelta.resolution, until=round_.slot))


@settings(max_examples=150, deadline=None)
@given(
    timing=st.sampled_from(TIMINGS),
    policy=st.sampled_from(POLICIES),
    # Around the changes of the clocks in Berlin and New York, and elsewhere.
    start=st.datetimes(datetime(2026, 3, 6), datetime(2026, 3, 30)).map(
        lambda naive: naive.replace(microsecond=0, tzinfo=FakeClock().now().tzinfo)
    ),
    happenings=steps,
)
def test_each_slot_ran_was_skipped_or_is_due(timing, policy, start, happenings):  # R1, R3, R5, R8, fault row E4
    watched = Watched(timing, policy, start)

    for what, how in happenings:
        match what:
            case "pass":
                watched.clock.tick(how)
                watched.fire()
            case "outage":
                watched.clock.tick(how)
            case "back":
                watched.clock.step(-how)
            case "edit":
                watched.edit(*how)
            case "death":
                watched.clock.tick(MINUTE)
                watched.die(*how)
            case "edit while firing":
                watched.edit_while_firing(how)
        watched.check()
    watched.clock.tick(HOUR)
    watched.fire()
    watched.check()
