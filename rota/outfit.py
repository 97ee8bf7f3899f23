"""How one process works: which executors it has, and what its attempts are given."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from rota.clock import Clock
from rota.core.model import Run
from rota.engine.attempt import Bench
from rota.engine.bus import Bus
from rota.engine.crew import Crew
from rota.engine.directory import Directory
from rota.engine.expansion import Expander
from rota.engine.plan import Plan
from rota.engine.roster import Coroutines
from rota.engine.voice import Voice
from rota.errors import TenantNotFound
from rota.executors.call import execute
from rota.executors.inline import InlineExecutor
from rota.executors.invocation import Invocation, TellProgress
from rota.executors.thread import ThreadExecutor
from rota.place import place_of, told
from rota.ports import Children, Executor, Store
from rota.settings import Settings
from rota.signature import Registered
from rota.version import __version__


def plan_of(
    settings: Settings,
    jobs: Mapping[str, Registered],
    *,
    works: bool,
    schedules: bool,
    queues: Mapping[str, int] | None,
    places: int | None,
) -> Plan:
    """Return what a process does under these settings; without queues it works all that its jobs name."""
    worker, retention, logging = settings.worker, settings.retention, settings.logging
    named = dict.fromkeys(sorted({"default", *(registered.job.queue for registered in jobs.values())}), 0)
    return Plan(
        works=works,
        schedules=schedules,
        queues=queues or dict(worker.queues) or named,
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
        keep_slots=settings.scheduler.max_catch_up,
        capture=logging.capture,
        capture_level=logging.capture_level,
        capture_bytes=logging.capture_bytes,
        version=__version__,
    )


def make_crew(
    store: Store,
    *,
    clock: Clock,
    bus: Bus,
    directory: Directory,
    jobs: Mapping[str, Registered],
    plan: Plan,
    invocation: Callable[[TellProgress], Invocation],
    slot_before: Callable[[Run], datetime | None],
    settings: Settings,
    app: object,
    store_url: str,
    inline: bool,
) -> Crew:
    """Return the services of this process, not started; `inline` executes within the tick of the worker.

    Raises:
        AppNotFound: there are process jobs, and child processes could not import `app`.
    """
    voice = Voice(store, clock=clock, plan=plan)
    expander = Expander(store, clock=clock, bus=bus, directory=directory, jobs=jobs)
    bench = Bench(
        clock=clock,
        bus=bus,
        directory=directory,
        invocation=invocation(voice.progress),
        execute=execute,
        expand=expander.expand,
        slot_before=slot_before,
    )
    executor: Executor = InlineExecutor() if inline else ThreadExecutor(plan.places)
    coroutines: Coroutines | None = None
    if any(registered.job.executor == "asyncio" for registered in jobs.values()):
        coroutines = _coroutines(bench, clock=clock, inline=inline)
    if not inline and any(registered.job.executor == "process" for registered in jobs.values()):
        bench.children = _children(
            settings,
            app,
            store_url=store_url,
            store=store,
            clock=clock,
            directory=directory,
            voice=voice,
            kill_grace=plan.kill_grace,
        )
    return Crew(
        store,
        clock=clock,
        bus=bus,
        voice=voice,
        bench=bench,
        jobs=jobs,
        executor=executor,
        coroutines=coroutines,
        plan=plan,
    )


def _coroutines(bench: Bench, *, clock: Clock, inline: bool) -> Coroutines | None:
    # Weight by choice: a program without coroutine jobs never loads asyncio.
    from rota.executors import asyncio_

    bench.aexecute, bench.aside = asyncio_.aexecute, asyncio_.aside
    return None if inline else asyncio_.AsyncioExecutor(clock=clock)


def _children(
    settings: Settings,
    app: object,
    *,
    store_url: str,
    store: Store,
    clock: Clock,
    directory: Directory,
    voice: Voice,
    kill_grace: timedelta,
) -> Children:
    # Weight by choice: an application without process jobs never loads this.
    from rota.executors.process import ProcessChildren

    def enqueue(runs: Sequence[Run]) -> list[str]:
        # The child knows no tenant but its own: what it names is looked up here.
        for tenant in {run.tenant for run in runs if run.tenant is not None}:
            if directory.find(tenant, now=clock.now()) is None:
                raise TenantNotFound(tenant, known=())
        return store.enqueue(runs, now=clock.now())

    worker = settings.worker
    return ProcessChildren(
        place=place_of(app, named=settings.app),
        clock=clock,
        hear_line=voice.hear_child,
        hear_progress=voice.progress,
        enqueue=enqueue,
        settings=told(settings),
        environment=worker.environment,
        withheld=(store_url,),
        preload=worker.preload,
        kill_grace=kill_grace,
        max_runs_per_child=worker.max_runs_per_child,
        max_rss=worker.max_rss,
    )
