"""How one process works: which executors it has, and what its attempts are given."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from functools import partial

from rota.calls import Children, Executor
from rota.clock import Clock
from rota.core import dependencies
from rota.core.lifecycle import first_start
from rota.core.model import Run
from rota.engine.attempt import Bench
from rota.engine.crew import Crew
from rota.engine.expansion import Expander
from rota.engine.gatekeeper import Gatekeeper
from rota.engine.handing import Handing
from rota.engine.loop import Service
from rota.engine.plan import Plan
from rota.engine.private import is_private
from rota.engine.roster import Coroutines, Outside
from rota.engine.voice import Voice
from rota.errors import ConfigurationError
from rota.executors.call import execute
from rota.executors.fleet import FleetExecutor
from rota.executors.inline import InlineExecutor
from rota.executors.invocation import Invocation, TellProgress
from rota.executors.thread import ThreadExecutor
from rota.keepers import make_books, make_gatekeeper, make_guard, schedule_keepers
from rota.lookouts import lookouts, make_rulebook
from rota.numbers import Numbers
from rota.place import place_of, told
from rota.ports import Store
from rota.premises import Premises
from rota.settings import Settings
from rota.shape import is_fleet
from rota.signature import Registered
from rota.version import __version__


def plan_of(
    settings: Settings,
    jobs: Mapping[str, Registered],
    *,
    works: bool,
    schedules: bool,
    watches: bool,
    claims: bool = True,
    queues: Mapping[str, int] | None,
    places: int | None,
    also: Collection[str] = (),
) -> Plan:
    """Return what a process does under these settings; without queues it works all that its jobs name, and `also`."""
    worker, retention, logging = settings.worker, settings.retention, settings.logging
    named = dict.fromkeys(sorted({"default", *also, *(registered.job.queue for registered in jobs.values())}), 0)
    return Plan(
        works=works,
        schedules=schedules,
        watches=watches,
        claims=claims,
        # Of one that only has what it is given nobody is to think that it works a queue.
        queues=queues or dict(worker.queues) or named if claims else {},
        places=places or worker.concurrency,
        coroutines=worker.coroutines,
        lease=worker.lease,
        heartbeat=worker.heartbeat,
        margin=worker.margin,
        drain=worker.drain,
        grace=worker.grace,
        # A lost run must have stopped when its lease ends, whatever the settings say.
        kill_grace=min(worker.kill_grace, worker.margin),
        tick=settings.scheduler.tick,
        keep_succeeded=retention.succeeded,
        keep_failed=retention.failed,
        keep_logs=retention.logs,
        keep_audit=retention.audit,
        keep_rollups=retention.rollups,
        keep_slots=settings.scheduler.max_catch_up,
        capture=logging.capture,
        capture_level=logging.capture_level,
        capture_bytes=logging.capture_bytes,
        version=__version__,
    )


def make_crew(
    premises: Premises,
    *,
    plan: Plan,
    invocation: Callable[..., Invocation],
    slot_before: Callable[[Run], datetime | None],
    confirm: Callable[[str], None],
    app: object,
    store_url: str,
    inline: bool,
    chronicle: Service,
) -> Crew:
    """Return the services of this process, not started; `inline` executes within the tick of the worker.

    `confirm` says for the process of this id what its code declares.

    Raises:
        AppNotFound: there are process jobs, and child processes could not import `app`.
        ConfigurationError: a job names a fleet that was not joined.
        UnknownDependency, DependencyCycle: jobs wait for what never comes (R11).
    """
    dependencies.check({name: registered.job for name, registered in premises.jobs.items()})
    gatekeeper = make_gatekeeper(premises)
    books = make_books(premises)
    rulebook = make_rulebook(premises)
    voice = Voice(premises.store, clock=premises.clock, plan=plan, chronicle=chronicle)
    call = partial(invocation, numbers=books)
    bench = _bench(premises, gatekeeper, voice, invocation=call, slot_before=slot_before)
    executor: Executor = InlineExecutor() if inline else ThreadExecutor(plan.places)
    coroutines: Coroutines | None = None
    executors = {registered.job.executor for registered in premises.jobs.values()}
    if "asyncio" in executors:
        coroutines = _coroutines(bench, clock=premises.clock, inline=inline)
    if "process" in executors and not inline:
        bench.children = _children(
            premises, app, store_url=store_url, voice=voice, numbers=books, kill_grace=plan.kill_grace
        )
    # What somebody runs here by hand is executed here.
    sends = plan.works and not inline and not all(is_private(name) for name in plan.queues)
    fleets = _fleets(premises, executors) if sends else {}
    bench.fleets = frozenset(fleets)
    return Crew(
        premises.store,
        clock=premises.clock,
        bus=premises.bus,
        voice=voice,
        bench=bench,
        jobs=premises.jobs,
        executor=executor,
        coroutines=coroutines,
        fleets=fleets,
        gatekeeper=gatekeeper,
        guard=make_guard(premises, gatekeeper.standing, inline=inline),
        plan=plan,
        books=books,
        schedule_keepers=lambda worker: schedule_keepers(premises, worker=worker, confirm=confirm),
        lookouts=lambda: lookouts(premises, rulebook=rulebook),
        rulebook=rulebook,
    )


def _bench(
    premises: Premises,
    gatekeeper: Gatekeeper,
    voice: Voice,
    *,
    invocation: Callable[[TellProgress], Invocation],
    slot_before: Callable[[Run], datetime | None],
) -> Bench:
    expander = Expander(
        premises.store,
        clock=premises.clock,
        bus=premises.bus,
        directory=premises.directory,
        standing=gatekeeper.standing,
        jobs=premises.jobs,
        default_zone=premises.settings.timezone,
    )
    return Bench(
        clock=premises.clock,
        bus=premises.bus,
        directory=premises.directory,
        invocation=invocation(voice.progress),
        execute=execute,
        expand=expander.expand,
        slot_before=slot_before,
        handed=Handing(premises.store).arguments,
        first_start=partial(_first_start, premises.store),
    )


def _first_start(store: Store, run: Run) -> datetime | None:
    history = store.run(run.id)
    return None if history is None else first_start(run, history.attempts)


def _coroutines(bench: Bench, *, clock: Clock, inline: bool) -> Coroutines | None:
    # Weight by choice: a program without coroutine jobs never loads asyncio.
    from rota.executors import asyncio_

    bench.aexecute, bench.aside = asyncio_.aexecute, asyncio_.aside
    return None if inline else asyncio_.AsyncioExecutor(clock=clock)


def _fleets(premises: Premises, executors: Collection[str]) -> dict[str, Outside]:
    """Return who carries out the runs of jobs that name a fleet.

    Raises:
        ConfigurationError: a job names one that was not joined.
    """
    named = sorted(name for name in executors if is_fleet(name))
    for name in named:
        if name not in premises.fleets:
            raise ConfigurationError(
                f"there are jobs with executor={name!r}, and nobody carries them out: join a Celery application, "
                f"rota.integrations.celery.join(rota, celery, executor={name!r})"
            )
    return {
        name: Outside(executor=FleetExecutor(fleet, clock=premises.clock), places=fleet.places, patience=fleet.patience)
        for name, fleet in premises.fleets.items()
        if name in named
    }


def _children(
    premises: Premises, app: object, *, store_url: str, voice: Voice, numbers: Numbers, kill_grace: timedelta
) -> Children:
    # Weight by choice: an application without process jobs never loads this.
    from rota.executors.process import ProcessChildren
    from rota.relayed import Intake

    worker = premises.settings.worker
    return ProcessChildren(
        place=place_of(app, named=premises.settings.app),
        clock=premises.clock,
        hear_line=voice.hear_child,
        hear_progress=voice.progress,
        enqueue=Intake(premises).enqueue,
        numbers=numbers,
        settings=told(premises.settings),
        environment=worker.environment,
        withheld=(store_url,),
        preload=worker.preload,
        kill_grace=kill_grace,
        max_runs_per_child=worker.max_runs_per_child,
        max_rss=worker.max_rss,
    )
