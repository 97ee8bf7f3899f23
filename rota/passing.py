"""One pass: fire what is due and work it off in this process, for an outside cron to drive (R60)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from rota.clock import Clock, sleep
from rota.core.events import AttemptsEnded
from rota.core.model import Round, Settlement, State
from rota.core.pass_report import MOST_NAMES, PassReport, pass_report
from rota.engine.bus import Bus
from rota.engine.campaigns import Campaigns
from rota.engine.crew import Crew
from rota.ports import Store
from rota.queries import RoundQuery, RunQuery

LOOK = timedelta(milliseconds=50)


class TickReport(Struct, frozen=True, kw_only=True):
    """What one pass did."""

    told: PassReport
    """What it came to, per job: what it fired, and what else was queued or came to be tried again."""

    rounds: tuple[Round, ...]
    """The rounds it fired, as they are now."""
    counts: Mapping[str, Mapping[State, int]]
    """Their runs per round id and state."""
    open: int
    """Runs of these rounds that are not final: the time was up, or they wait for a retry."""

    @property
    def is_good(self) -> bool:
        """Whether everything that ran has succeeded, and nothing that it fired is left."""
        return not (self.told.failed or self.told.retrying or self.told.open)


def one_pass(
    store: Store, crew: Crew, *, works: bool, clock: Clock, bus: Bus, limit: timedelta, stop: Callable[[], bool]
) -> TickReport:
    """Fire what is due, and move campaigns; if it works, until nothing can go on at once, `limit` is over, or `stop`
    says yes.

    What is not done by then has the time of a drain, and is given back for the next pass or another worker.
    """
    ends = clock.monotonic() + limit.total_seconds()
    fired, is_over = fire(crew, clock), not works
    ended: list[Settlement] = []

    def hear(event: AttemptsEnded) -> None:
        ended.extend(event.settlements)

    if works:
        bus.on(AttemptsEnded, hear)
        crew.start()
        try:
            while not is_over and clock.monotonic() < ends and not stop():
                is_over = is_done(store, crew, clock)
                if not is_over:
                    sleep(LOOK)
        finally:
            crew.stop()
            bus.off(AttemptsEnded, hear)
    else:
        campaigns = _campaigns(crew)
        while clock.monotonic() < ends and campaigns.move(clock.now()):
            pass
    tell(crew, clock)
    return report(store, fired, ended, is_over=is_over)


def fire(crew: Crew, clock: Clock) -> list[str]:
    """Fire all that is due, by a crew that is not started, and return the ids of its rounds."""
    # What was paused or written with SQL since the last pass is to be known before anything is fired.
    # And whoever is parked is tried: there may be no process that stays.
    for service in (crew.standing, crew.schedule_keepers["rows"], crew.schedule_keepers["cron_jobs"], crew.prober):
        service.tick(clock.now())
    fired: list[str] = []
    more = True
    while more:
        firings, more = crew.scheduler.fire_due(clock.now())
        more = more and bool(firings)
        fired += [round_.id for firing in firings for round_ in firing.rounds]
    return fired


def tell(crew: Crew, clock: Clock) -> None:
    """Do at the end of a pass, by a crew that does not run, what is known and told by the next one at the latest where
    no process stays: what failed."""
    crew.schedule_keepers["onces"].tick(clock.now())
    for name, service in crew.services.items():
        if name == "alerter" or name.startswith("deliver "):
            service.tick(clock.now())


def _campaigns(crew: Crew) -> Campaigns:
    campaigns = crew.schedule_keepers["campaigns"]
    assert isinstance(campaigns, Campaigns)
    return campaigns


def is_done(store: Store, crew: Crew, clock: Clock) -> bool:
    """Whether this crew is idle, no campaign moves, and no gate opens that would give it work again."""
    if _campaigns(crew).move(clock.now()):
        return False
    if crew.prober.is_busy:
        return False
    # Asked again after the gates: another gatekeeper may have opened one in between.
    return _is_idle(store, crew, clock) and not _opens(crew, clock) and _is_idle(store, crew, clock)


def _opens(crew: Crew, clock: Clock) -> bool:
    """Whether a gate opens now, a flow moves, or a limit has a place for one that stands aside."""
    now = clock.now()
    return bool(crew.gatekeeper.open_gates(now) + crew.flows.move(now)) or crew.limiter.look(now)[0]


def _is_idle(store: Store, crew: Crew, clock: Clock) -> bool:
    """Whether nothing that this crew could do is queued or running, here or elsewhere, and every round that is over
    has been closed."""
    worker = crew.worker
    if worker.busy:
        return False
    if store.finished_rounds(limit=1):
        # Here, and not when its loop comes round: a pass with a single short run would take a second for that alone.
        crew.services["closer"].tick(clock.now())
        if store.finished_rounds(limit=1):
            return False
    standing = store.counts().by_queue
    ours = [standing.get(queue, {}) for queue in worker.queues]
    if not any(states.get(State.QUEUED) or states.get(State.RUNNING) for states in ours):
        return True
    if not worker.has_unknown:
        return False
    # What is left may all be of jobs that only another worker knows (R36): nobody here waits for those.
    query = RunQuery(jobs=worker.jobs, queues=worker.queues, states=(State.QUEUED, State.RUNNING), kind=None, limit=1)
    return not worker.jobs or not store.runs(query)


def report(store: Store, round_ids: list[str], ended: Sequence[Settlement], *, is_over: bool) -> TickReport:
    """Return what became of these rounds, and of what else has ended."""
    wanted = set(round_ids)
    rounds = [round_ for round_ in _recent(store, round_ids) if round_.id in wanted]
    counts = store.round_counts(round_ids) if round_ids else {}
    open_ = sum(n for states in counts.values() for state, n in states.items() if not state.is_final)
    skipped: dict[str, list[str]] = {}
    for round_ in rounds:
        if counts.get(round_.id, {}).get(State.SKIPPED):
            query = RunQuery(round_id=round_.id, states=(State.SKIPPED,), limit=MOST_NAMES)
            skipped[round_.id] = [run.tenant for run in store.runs(query) if run.tenant is not None]
    told = pass_report(rounds, counts, ended, skipped=skipped, is_over=is_over)
    return TickReport(told=told, rounds=tuple(rounds), counts=counts, open=open_)


def _recent(store: Store, round_ids: list[str]) -> list[Round]:
    if not round_ids:
        return []
    found: list[Round] = []
    before: str | None = None
    oldest = min(round_ids)
    while True:
        page = store.rounds(RoundQuery(before_id=before, limit=500))
        found += page
        if len(page) < 500 or page[-1].id <= oldest:
            return found
        before = page[-1].id
