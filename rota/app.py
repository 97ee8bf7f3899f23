"""The application: jobs, tenants and a store, wired together. The only place that knows all rooms."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rota.campaigns import Campaigns
from rota.carrying import Carriers
from rota.clock import Clock, ReplaceableClock, SystemClock
from rota.context import RunContext
from rota.core.access import Principal
from rota.core.agenda import timing_for
from rota.core.events import Event
from rota.core.model import Run, Tenant
from rota.core.timing import slot_before
from rota.credentials import Credentials
from rota.engine.bus import Bus
from rota.engine.chronicle import Chronicle
from rota.engine.crew import Crew
from rota.enqueuing import StoreEnqueuer
from rota.errors import ConfigurationError, RunNotFound
from rota.executors.invocation import Invocation, TellProgress
from rota.fleets import Fleets
from rota.flow import Flows
from rota.footing import Footing
from rota.handle import RunHandle
from rota.incidents import Incidents
from rota.inline import Inline, InlineMode
from rota.job import JobFunction, Registry
from rota.job_context import carry_job_context
from rota.keeping import Keeping
from rota.limiting import Limits
from rota.numbers import Numbers
from rota.operator import Operator
from rota.outfit import make_crew, plan_of
from rota.own_settings import OwnSettings, every_setting
from rota.passes import Passes
from rota.passing import TickReport, one_pass
from rota.pausing import Pauses
from rota.pings import Pings
from rota.place import named_object
from rota.ports import Store
from rota.premises import Premises
from rota.redaction import name_secrets
from rota.rehearsal import Rehearsal
from rota.schedules import Schedules, timing_of
from rota.seen.controls import is_limit_seen
from rota.seen.scope import Scope, SeenTenants
from rota.seen.settings import seen_settings
from rota.seen.store import SeenStore
from rota.sessions import Sessions
from rota.settings import Settings
from rota.shadows import Shadows
from rota.tenancy import Tenancy, Tenants, first_time
from rota.transactions import InThread, Transaction

if TYPE_CHECKING:
    from rota.web.authority import Authority
    from rota.web.authority.host import ResolveUser
    from rota.web.gate import Gate


log: logging.Logger = logging.getLogger(__name__)

MOST_SEEN = 256
"""Narrowed applications that are kept, each some kilobytes: one for each set of jobs and tenants that is asked with."""

Heard = TypeVar("Heard", bound=Event)


class Rota:
    """Jobs, their schedules, their tenants, and the store that remembers.

    Making one opens nothing: the store is opened by the first question to it.
    """

    def __init__(
        self,
        store: str | Store | Callable[[], str] | None = None,
        *,
        tenants: Tenants | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        inline: bool | Inline = False,
    ) -> None:
        """`store` is a store or its URL, or a function that returns the URL when it is first asked for.

        `inline`, for tests: what is enqueued is executed before `.enqueue` returns, and kept in memory whatever
        `store` names; only the black hole stays one (R33)."""
        self.settings: Settings = settings or Settings()
        self._time = ReplaceableClock(SystemClock())
        self.clock: Clock = clock or self._time
        self.bus: Bus = Bus()
        self._chronicle: Chronicle | None = None
        self._keeping = Keeping(store, settings=lambda: self.settings, clock=self.clock)
        self._tenancy = Tenancy(
            tenants,
            clock=self.clock,
            settings=lambda: self.settings,
            # Where no store is open yet nobody opens one to list tenants: zones follow within a minute.
            own=lambda: {} if self._keeping.opened is None else every_setting(self._keeping.opened),
        )
        self._arounds: list[Callable[[RunContext], AbstractContextManager[object]]] = []
        self._carriers = Carriers()
        self._served: set[str] = set()
        self._crew: Crew | None = None
        self._narrowed = lru_cache(maxsize=MOST_SEEN)(self._narrow)
        self._registry = Registry(timeout=self.settings.worker.timeout, retry=self.settings.retry.policy)
        footing = self._footing()
        self._enqueuer = StoreEnqueuer(footing)
        self._registry.attach(self._enqueuer)
        if inline:
            self._go_inline(Inline.PROPAGATE if inline is True else Inline(inline))
        self._open_rooms(footing)
        # Final, or a type checker is not sure what they are: it may only guess the type of what can be assigned again.
        self.job: Final = self._registry.job
        """Register a function as a job of this application; see `Registry.job`."""
        self.carry: Final = self._carriers.carry
        """Carry a value from wherever a run is enqueued into the run; see `Carriers.carry`."""
        self.carry_job_context: Final = partial(carry_job_context, self._carriers)
        """Carry the job context of a request along; see `rota.job_context.carry_job_context`."""
        flows, operator = Flows(footing, self._enqueuer), Operator(footing, schedules=self.schedules)
        self.chain: Final = flows.chain
        self.batch: Final = flows.batch
        self.flow: Final = flows.find
        self.limit: Final = self.limits.declare
        self.watch: Final = self.pings.watch
        self.backfill: Final = self.campaigns.backfill
        self.find: Final = operator.find
        self.start_run: Final = operator.start_run
        self.cancel: Final = operator.cancel
        self.retry: Final = operator.retry
        self.mark_success: Final = operator.mark_success
        self.reset: Final = operator.reset
        self._instrument()

    def _footing(self) -> Footing:
        return Footing(
            store=lambda: self.store,
            jobs=self._registry.functions,
            directory=self._tenancy.directory,
            list_tenants=self.list_tenants,
            clock=self.clock,
            carriers=self._carriers,
            settings=lambda: self.settings,
        )

    def _open_rooms(self, footing: Footing) -> None:
        self.schedules: Schedules = Schedules(footing)
        self.fleets: Fleets = Fleets(self._registry)
        self.pauses: Pauses = Pauses(footing)
        self.shadows: Shadows = Shadows(footing, schedules=self.schedules)
        self.limits: Limits = Limits(footing)
        self.pings: Pings = Pings(footing, bus=self.bus)
        self.incidents: Incidents = Incidents(footing)
        self.credentials: Credentials = Credentials(footing)
        self.sessions: Sessions = Sessions(footing)
        self.tenant_settings: OwnSettings = OwnSettings(footing, schedules=self.schedules)
        self.campaigns: Campaigns = Campaigns(footing, schedules=self.schedules)
        self.passes: Passes = Passes(self._pass_crew, store=lambda: self.store, clock=self.clock, bus=self.bus)

    def configure(self, settings: Settings) -> None:
        """Take settings that were read after this application was made, before it is used.

        A key that was set wins over what the code says; the defaults of settings do not.
        """
        self.settings = settings
        self._registry.set_defaults(timeout=settings.worker.timeout, retry=settings.retry.policy)
        self._instrument()
        if settings.tenants.source:
            self._tenancy.use(named_object(settings.tenants.source))

    def _instrument(self) -> None:
        if self.settings.metrics.otel:
            # Weight by choice: only who traces loads OpenTelemetry.
            from rota.metrics.otel import instrument

            instrument(self)

    # --- what is declared ---

    @property
    def jobs(self) -> Mapping[str, JobFunction[Any, Any, Any]]:
        """The registered jobs by name."""
        return self._registry.functions

    def include(self, registry: Registry) -> None:
        """Take in the jobs of a module that was written without an application.

        Raises:
            DuplicateJob: a name is taken (R16).
        """
        self._registry.include(registry)
        registry.attach(self._enqueuer)

    def run(self, run_id: str) -> RunHandle:
        """Return a run by its id, or by its first six digits or more.

        Raises:
            RunNotFound: there is no such run, or several begin so.
        """
        history = self.store.run(run_id)
        if history is None:
            raise RunNotFound(run_id)
        return RunHandle(history.run.id, lambda: self.store, self.clock)

    def after_commit(self, hook: Callable[[Callable[[], None]], object]) -> Callable[[Callable[[], None]], object]:
        """Let each enqueue that names no connection wait for the transaction around it: `hook` is given what queues its
        runs, and calls that once the transaction is committed, or at once where there is none (R34)."""
        self._enqueuer.after_commit = hook
        return hook

    def join(
        self, find: Callable[[], Transaction | None], *, within: InThread | None = None
    ) -> Callable[[], Transaction | None]:
        """Let each enqueue that names no connection join the transaction that `find` returns, where one is open around
        it: within it if it is of the store's database, else after its commit (R34). What an integration of a framework
        with connections of its own calls. `within` calls `find` for a coroutine, in the thread of its transaction."""
        self._enqueuer.surrounding, self._enqueuer.within = find, within
        return find

    def serve(self, *queues: str) -> None:
        """Have workers that are not told which queues they work also work these, which no job names."""
        self._served.update(queues)

    def around(
        self, wrapper: Callable[[RunContext], AbstractContextManager[object]]
    ) -> Callable[[RunContext], AbstractContextManager[object]]:
        """Wrap every run in a context manager; the first one given is the outermost."""
        self._arounds.append(wrapper)
        return wrapper

    def on(self, kind: type[Heard]) -> Callable[[Callable[[Heard], object]], Callable[[Heard], object]]:
        """Call a function at each event of this kind, in the thread where it happens."""

        def subscribe(subscriber: Callable[[Heard], object]) -> Callable[[Heard], object]:
            self.bus.on(kind, subscriber)
            return subscriber

        return subscribe

    # --- who asks ---

    def seen_by(self, principal: Principal) -> "Rota":
        """Return this application as a principal sees it: with the jobs, tenants and runs that there are for it, and
        no others. It does not work, and who sees everything gets this very one."""
        if principal.knows_everything:
            return self
        scope = Scope.of(principal, jobs=self.jobs, watches=self.pings.names())
        # Jobs may be registered after the first question.
        return self._narrowed(scope, len(self.jobs))

    def _narrow(self, scope: Scope, _number_of_jobs: int) -> "Rota":
        """Return an application like this one that is given no more than there is in a scope: each of its parts can
        then be used as it is, and none has to know of principals."""
        jobs = self._registry.narrowed(scope.has_job)
        seen_tenants = SeenTenants(self.list_tenants, scope)
        store = SeenStore(
            lambda: self.store,
            scope,
            tenants=seen_tenants.tenants,
            queues={function.job.queue for function in jobs.functions.values()},
            zone=lambda: self.settings.timezone,
        )
        seen = Rota(store, tenants=seen_tenants, settings=seen_settings(self.settings, scope), clock=self.clock)
        seen.include(jobs)
        seen._carriers.take(self._carriers)
        seen._enqueuer.after_commit, seen._enqueuer.then = self._enqueuer.after_commit, self._enqueuer.then
        seen.pings.take(self.pings, names=scope.watches)
        seen.limits.take(self.limits, has=lambda limit: is_limit_seen(limit.known_as, scope))
        return seen

    def asgi_app(self, *, authority: "Authority | None" = None, resolve_user: "ResolveUser | None" = None) -> "Gate":
        """Return the HTTP door as an ASGI application; see `rota.web.asgi_app`."""
        # Weight by choice, and upwards: the door is built on the application, this is only its bell.
        from rota.web import asgi_app

        return asgi_app(self, authority=authority, resolve_user=resolve_user)

    def wsgi_app(self, *, authority: "Authority | None" = None, resolve_user: "ResolveUser | None" = None) -> Any:
        """Return the HTTP door as a WSGI application; see `rota.web.wsgi_app`."""
        from rota.web import wsgi_app

        return wsgi_app(self, authority=authority, resolve_user=resolve_user)

    # --- store and tenants ---

    @property
    def store(self) -> Store:
        """The store, opened and checked at the first use.

        Raises:
            StoreUnavailable, SchemaMismatch, UnsafeStore: it cannot be worked with; the message says why.
        """
        return self._keeping.store()

    @property
    def is_inline(self) -> bool:
        """Whether this process executes what it enqueues before `.enqueue` returns."""
        return self._keeping.is_inline

    @property
    def store_url(self) -> str:
        """The URL that the store is opened with; a setting that was set wins."""
        return self._keeping.url

    def use_store(self, store: Store) -> None:
        """Take a store that is open, before the first use: in a child process, the way to its worker.

        Who holds the store behind it checks the tenants of what is enqueued: the source is not asked here.
        """
        self._keeping.opened, self._enqueuer.checks_tenants = store, False

    def open_store(self) -> Store:
        """Return the store as it is, unchecked: for `db upgrade` and `doctor`."""
        return self._keeping.open()

    def _go_inline(self, mode: Inline) -> None:
        crew = partial(self.crew, schedules=False, inline=True)
        inline = InlineMode(mode, store=lambda: self.store, clock=self.clock, crew=crew)
        self._keeping.is_inline, self._enqueuer.then = True, inline.run
        self._arounds.append(inline.around)

    @contextmanager
    def rehearsing(self, rehearsal: Rehearsal) -> Iterator[None]:
        """For the time of the block keep runs in another store and go by another clock: what `rota.testing` does.

        Raises:
            ConfigurationError: it works in the background, or was made with a clock of its own.
        """
        if self._crew is not None:
            raise ConfigurationError("this application works in the background: rota.stop() before it is rehearsed")
        if self.clock not in (self._time, rehearsal.clock):
            raise ConfigurationError("this application has a clock of its own: give that one to the rehearsal")
        before = self._arounds, self._enqueuer.then, self._time.clock, self._tenancy.reach
        with self._keeping.replaced(rehearsal.store):
            self._arounds, self._enqueuer.then = [rehearsal.outermost, *self._arounds, rehearsal.innermost], None
            if rehearsal.inline is not None:
                self._go_inline(rehearsal.inline)
            self._time.use(rehearsal.clock)
            self._tenancy.rehearse(rehearsal.reach)
            try:
                yield
            finally:
                self._arounds, self._enqueuer.then, clock, reach = before
                self._time.use(clock)
                self._tenancy.rehearse(reach)

    def list_tenants(self) -> list[Tenant]:
        """Return all tenants, asked of the source just now; an application without tenants has none.

        Raises:
            TenantListFailed: the source could not be read, or is empty without being allowed to be.
        """
        return list(self._tenancy.list())

    # --- working ---

    def crew(
        self,
        *,
        works: bool = True,
        schedules: bool = True,
        watches: bool | None = None,
        queues: Mapping[str, int] | None = None,
        places: int | None = None,
        inline: bool = False,
        claims: bool = True,
    ) -> Crew:
        """Return the services of this process, not started; who schedules also watches, where nothing is said. Without
        `claims` it only takes over what it is told to: see `Worker.take_over`."""
        if schedules:
            self.schedules.sync()
        premises = self.premises()
        if self._chronicle is None:
            # Once: the bus outlives a crew, and what is said twice is read as two runs.
            self._chronicle = Chronicle(self.bus, clock=self.clock)
        plan = plan_of(
            self.settings,
            premises.jobs,
            works=works,
            schedules=schedules,
            watches=schedules if watches is None else watches,
            claims=claims,
            queues=queues,
            places=places,
            also=self._served,
        )
        return make_crew(
            premises,
            plan=plan,
            invocation=self.invocation,
            slot_before=self._slot_before,
            confirm=self.schedules.declared.confirm,
            app=self,
            store_url=self._keeping.secret,
            inline=inline,
            chronicle=self._chronicle,
        )

    def premises(self) -> Premises:
        """Return what the services of this process share."""
        return Premises(
            store=self.store,
            clock=self.clock,
            bus=self.bus,
            directory=self._tenancy.directory,
            jobs={name: function.registered for name, function in self.jobs.items()},
            settings=self.settings,
            limits=self.limits.declared(),
            watches=self.pings.declared(),
            fleets=self.fleets.joined,
            probe=self._tenancy.probe,
        )

    def invocation(self, tell_progress: TellProgress, *, numbers: Numbers) -> Invocation:
        """Return what calls the functions of jobs in this process, with the application's `around`s."""
        name_secrets(self.settings.logging.mask)
        return Invocation(
            clock=self.clock,
            borrow=self._tenancy.borrow,
            tell_progress=tell_progress,
            first_time=first_time,
            arounds=tuple(self._arounds),
            carriers=self._carriers,
            numbers=numbers,
        )

    def _slot_before(self, run: Run) -> datetime | None:
        """Return the slot before that of a run; None without one, or when its schedule is deleted."""
        schedule = self.store.schedule(run.schedule) if run.schedule is not None else None
        if schedule is None or run.slot is None:
            return None
        tenant = self._tenancy.directory.find(run.tenant, now=self.clock.now()) if run.tenant is not None else None
        return slot_before(timing_for(timing_of(schedule), tenant, default=self.settings.timezone), run.slot)

    def start_background(self) -> None:
        """Run scheduler and worker as threads of this process: for development, the memory store and small sites.

        No signal handlers are installed; call `stop` to drain. What a test has captured is left to it.

        Raises:
            ConfigurationError: it runs already.
        """
        if self._crew is not None:
            raise ConfigurationError("this application works in the background already: rota.stop() first")
        if self._keeping.is_replaced:
            return
        crew = self.crew()
        crew.start()
        self._crew = crew

    def stop(self) -> bool:
        """Drain and stop what `start_background` and `passes` started; return whether every run had ended."""
        crew, self._crew = self._crew, None
        were_over = self.passes.stop()
        return were_over if crew is None else crew.stop() and were_over

    def tick(
        self,
        *,
        limit: timedelta = timedelta(minutes=5),
        works: bool = True,
        only: Collection[str] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> TickReport:
        """Do one scheduler pass and work it off in this process: for an outside cron, systemd or Kubernetes.

        Two at once run nothing twice. After `limit`, or when `stop` says yes, it drains, and what is not done is given
        back. Without `works` it only fires. `only`: fire and work these jobs, and leave all others to others.
        """
        crew = self._pass_crew(works=works)
        if only is not None:
            crew.scheduler.only = only
            crew.worker.leave(name for name in self.jobs if name not in only)
        return one_pass(self.store, crew, works=works, clock=self.clock, bus=self.bus, limit=limit, stop=stop)

    def _pass_crew(self, *, works: bool) -> Crew:
        self.schedules.sync()
        return self.crew(works=works, schedules=False, watches=True)

    @contextmanager
    def working(self, *, queues: Mapping[str, int] | None = None, schedules: bool = False) -> Iterator[Crew]:
        """Work in this process for as long as the block lasts, then drain."""
        crew = self.crew(schedules=schedules, queues=queues)
        crew.start()
        try:
            yield crew
        finally:
            crew.stop()

    def close(self) -> None:
        """Stop working and let go of the store. Tenants' databases are let go by each run at its end."""
        self.stop()
        if self._keeping.opened is not None:
            self._keeping.opened.close()
