"""An application whose runs are kept, looked at and worked off by a test."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

from msgspec import UNSET, UnsetType

from rota.app import Rota
from rota.core.model import Run, State, Trigger
from rota.errors import ConfigurationError, RunFailed, TenantNotFound
from rota.inline import Inline
from rota.ports import Store
from rota.queries import RunQuery
from rota.rehearsal import Rehearsal
from rota.stores import open_store
from rota.testing.calls import Enqueued, Looked, Wanted, enqueued, listed
from rota.testing.clock import START, FakeClock, as_duration
from rota.testing.driving import Driver
from rota.testing.faults import Faults, Kill, Moment
from rota.testing.store import RehearsalStore, Verb

EVERYTHING = 1_000_000


class Captured:
    """What an application enqueues, kept in memory: executed only when the test says so, in the test's own thread."""

    def __init__(self, app: Rota, *, store: Store, clock: FakeClock, faults: Faults) -> None:
        self.clock: FakeClock = clock
        """The time that the application goes by."""
        self._app = app
        self._store = store
        self._faults = faults
        self.driver: Driver = Driver(app, store=store, clock=clock, faults=faults)
        self._cleared = ""

    # --- what was enqueued ---

    def enqueued(self, job: Wanted | None = None) -> list[Enqueued]:
        """Return what was enqueued, oldest first: by the application, and by its jobs; executed by now or not."""
        jobs = () if job is None else (self._known(job),)
        runs = self._store.runs(RunQuery(triggers=(Trigger.ENQUEUE,), jobs=jobs, limit=EVERYTHING))[::-1]
        return [self._call(run) for run in runs if run.id > self._cleared]

    def assert_enqueued(
        self,
        job: Wanted,
        *,
        args: Sequence[object] | None = None,
        kwargs: Mapping[str, object] | None = None,
        tenant: str | UnsetType | None = UNSET,
        queue: str | None = None,
        delay: timedelta | str | None = None,
        count: int | None = None,
    ) -> list[Enqueued]:
        """Check that such a call was enqueued, `count` times if that is said, and return those that were.

        `args` and `kwargs` together are all arguments; how they are divided among the two makes no difference.

        Raises:
            AssertionError: with what was enqueued instead.
            BadArguments: the job could not be called with these.
        """
        __tracebackhide__ = True
        looked = self._looked(job, args=args, kwargs=kwargs, tenant=tenant, queue=queue, delay=delay)
        calls = self.enqueued()
        found = [one for one in calls if looked.means(one)]
        if (count is None and found) or count == len(found):
            return found
        wanted = "was not enqueued" if count is None else f"was enqueued {len(found)} times, not {count}"
        raise AssertionError(f"{looked.told(args, kwargs)} {wanted}; {listed(calls)}")

    def assert_not_enqueued(
        self,
        job: Wanted | None = None,
        *,
        args: Sequence[object] | None = None,
        kwargs: Mapping[str, object] | None = None,
        tenant: str | UnsetType | None = UNSET,
        queue: str | None = None,
        delay: timedelta | str | None = None,
    ) -> None:
        """Check that no such call was enqueued; without a job, none at all.

        Raises:
            AssertionError: with what was enqueued.
        """
        __tracebackhide__ = True
        looked = self._looked(job, args=args, kwargs=kwargs, tenant=tenant, queue=queue, delay=delay)
        calls = self.enqueued()
        if any(looked.means(one) for one in calls):
            raise AssertionError(f"{looked.told(args, kwargs)} was enqueued; {listed(calls)}")

    def clear(self) -> None:
        """Look away from what was enqueued so far; it is still there to be executed."""
        self._cleared = self.clock.new_id()

    # --- doing the work ---

    def drain(self, *, raises: bool = False, most: int = 10_000) -> list[Run]:
        """Execute all that is due, and what that enqueues; return the runs that ended, in the order they were made.

        Time stands still: what is to be tried again, or is due later, waits for `advance`. A job that fails is
        recorded; with `raises` its exception is raised once everything has been done.

        Raises:
            NeverAtRest: after `most` claims there is still work; it names what is left.
        """
        before = {run.id for run in self.runs() if run.state.is_final}
        self.driver.settle_down(most=most)
        ended = [run for run in self.runs() if run.state.is_final and run.id not in before]
        failed = next((run for run in ended if run.state is State.FAILED), None)
        if raises and failed is not None:
            first_line = failed.error.first_line if failed.error is not None else failed.reason
            raise self._faults.raised.get(failed.id) or RunFailed(failed.id, state=failed.state, error=first_line)
        return ended

    def advance(self, by: timedelta | str, *, raises: bool = False) -> list[Run]:
        """Let time pass, `"1h"` or a timedelta, and work off what comes due on the way, each at its own time.

        Schedules fire, retries and delayed runs begin, leases end. Returns the runs that ended.

        Raises:
            NeverAtRest: there is work without end.
            ValueError: it runs backwards, or is no duration.
        """
        until = self.clock.now() + as_duration(by)
        ended = self.drain(raises=raises)
        while (at := self.driver.next_instant(until)) is not None:
            self.clock.advance(at - self.clock.now())
            ended += self.drain(raises=raises)
        return ended

    def runs(self, job: Wanted | None = None, *, state: State | None = None) -> list[Run]:
        """Return the runs there are, oldest first, with all that is known of them."""
        query = RunQuery(
            jobs=() if job is None else (self._known(job),),
            states=() if state is None else (State(state),),
            limit=EVERYTHING,
        )
        return self._store.runs(query)[::-1]

    # --- what goes wrong ---

    def kill_worker(self, *, after: Moment | str, job: Wanted | None = None) -> None:
        """Let the worker die at the next run that comes to this point: "claim", "start", "effect" or "settle".

        Nothing that it had in hand is recorded. The clock goes on until its leases have ended, and another worker
        takes over: a job that is idempotent does no harm by being begun again.
        """
        self._faults.kills.append(Kill(after=Moment(after), job=None if job is None else self._known(job)))

    def fail_tenant(self, tenant: str, error: BaseException | None = None) -> None:
        """Let nobody reach this tenant's database until `mend_tenant`; `error` is why.

        Raises:
            TenantNotFound: the source does not list it.
        """
        known = [one.id for one in self._app.list_tenants()]
        if tenant not in known:
            raise TenantNotFound(tenant, known=known)
        self._faults.unreachable[tenant] = error

    def mend_tenant(self, tenant: str) -> None:
        """Let a tenant's database be reached again."""
        self._faults.unreachable.pop(tenant, None)

    @contextmanager
    def store_away(self) -> Iterator[None]:
        """Let `.enqueue` raise StoreUnavailable within the block: what does the application do then?"""
        store = self._in_memory("store_away")
        store.is_away = True
        try:
            yield
        finally:
            store.is_away = False

    def lose_answer(self, verb: Verb | str = Verb.ENQUEUE) -> None:
        """Let the connection break when the store has done the next "enqueue" or "settle", and not yet said so."""
        self._in_memory("lose_answer").lose_answer(Verb(verb))

    def _in_memory(self, fault: str) -> RehearsalStore:
        if not isinstance(self._store, RehearsalStore):
            raise ConfigurationError(f"{fault} is for runs in memory: capture(app) without store=")
        return self._store

    def _known(self, job: Wanted) -> str:
        # A name that is misspelt was never enqueued: a test that says so must not pass.
        return self._app.find(_name(job)).name

    def _call(self, run: Run) -> Enqueued:
        known = self._app.jobs.get(run.job)
        return enqueued(run, None if known is None else known.registered.signature)

    def _looked(
        self,
        job: Wanted | None,
        *,
        args: Sequence[object] | None,
        kwargs: Mapping[str, object] | None,
        tenant: str | UnsetType | None,
        queue: str | None,
        delay: timedelta | str | None,
    ) -> Looked:
        name = None if job is None else self._known(job)
        text = None
        if args is not None or kwargs is not None:
            if name is None:
                raise ConfigurationError("which job? Its arguments are compared as its signature has them")
            text = self._app.jobs[name].registered.signature.encode(args or (), kwargs or {})
        duration = None if delay is None else as_duration(delay)
        return Looked(job=name, text=text, tenant=tenant, queue=queue, delay=duration)


@contextmanager
def capture(
    app: Rota,
    *,
    now: datetime | None = None,
    clock: FakeClock | None = None,
    inline: bool | Inline = False,
    store: str | None = None,
) -> Iterator[Captured]:
    """Keep what `app` enqueues within the block in memory, whatever its own store is, under a clock that stands still.

    Nothing is executed until the test says so, or with `inline` everything is at once. The application's own store is
    neither opened nor written. The time is `now`, or that of a `clock`; without a word a Monday noon.

    `store` is the URL of a database to keep it in instead, for code that has to do with Rota's tables: that writes rows
    of `cron_jobs`, or enqueues in its own transactions. It is set up, and left as it is in the end.

    Raises:
        ConfigurationError: the application works in the background, or was made with a clock of its own.
    """
    if clock is None:
        clock = app.clock if isinstance(app.clock, FakeClock) else FakeClock(now or START)
    kept: Store = RehearsalStore(clock=clock)
    if store is not None:
        kept = open_store(store)
        kept.now = clock.now  # type: ignore[method-assign]  # a database has its own time, which no test can move
    faults = Faults(kept)
    mode = Inline.PROPAGATE if inline is True else Inline(inline) if inline else None
    rehearsal = Rehearsal(
        store=kept,
        clock=clock,
        outermost=faults.outermost,
        innermost=faults.innermost,
        reach=faults.reach,
        inline=mode,
    )
    with app.rehearsing(rehearsal), closing(kept):
        kept.setup()
        captured = Captured(app, store=kept, clock=clock, faults=faults)
        before, clock.on_sleep = clock.on_sleep, captured.driver.do_what_is_waited_for
        try:
            yield captured
        finally:
            clock.on_sleep = before


def _name(job: Wanted) -> str:
    return job if isinstance(job, str) else job.name
