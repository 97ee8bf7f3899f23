"""Functions as jobs: the decorator, what it makes of a function, and how a run of it is asked for."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, Unpack, overload

from msgspec import Struct
from msgspec.structs import replace

from rota.context import RunContext
from rota.core.builder import When, as_timing
from rota.core.duration import parse_duration
from rota.core.keyed import Keyed
from rota.core.kind import Timing
from rota.core.model import Tenant
from rota.core.policy import CatchUp, Job, Overlap, Retry
from rota.core.size import parse_size, size_text
from rota.errors import BadArguments, ConfigurationError, DuplicateJob, UnsupportedJob
from rota.handle import RunHandle
from rota.options import JobTerms, Options, Terms, checked_policy, merged
from rota.shape import PROCESS, THREAD, Shape, shape_of
from rota.signature import Registered, Signature
from rota.transactions import InThread, in_thread

Called = ParamSpec("Called")
Asked = ParamSpec("Asked")
Rest = ParamSpec("Rest")
Returned = TypeVar("Returned", covariant=True)

TAG = re.compile(r"[^\W_](?:[\w.-]{0,62}[^\W_])?")

LEAST_MEMORY = 64 << 20
"""What a Python interpreter with an application's modules needs before a job does anything."""


class Enqueuer(Protocol):
    """Whoever accepts runs: the application."""

    within: InThread | None
    """Where a coroutine enqueues; None: in any thread."""

    def enqueue_calls(
        self,
        job: "JobFunction[Any, Any, Any]",
        calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]],
        *,
        keyed: Keyed | None = None,
    ) -> list[RunHandle]:
        """Queue one run per call, all in one round trip; under a key, once."""


class Step(Struct, frozen=True, kw_only=True):
    """A job with arguments and terms. Made by `job.step(...)`; nothing happens until the flow that it is in is
    enqueued."""

    job: "JobFunction[Any, Any, Any]"
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = {}
    takes: bool = True
    """Whether what comes before it is its first argument, where something does."""

    def __repr__(self) -> str:
        return f"<step {self.job.name}>"

    def without_result(self) -> "Step":
        """Return the same step for a place where it gets nothing of what came before: its arguments are whole."""
        return replace(self, takes=False)

    def for_tenants(self, tenants: Iterable[str | Tenant]) -> list["Step"]:
        """Return the same step for each of these tenants, to make a batch of.

        Raises:
            ConfigurationError: there are none.
        """
        if isinstance(tenants, str):
            raise ConfigurationError(f"{self.job.name}.step().for_tenants() takes a list, also of one: [{tenants!r}]")
        names = [tenant.id if isinstance(tenant, Tenant) else tenant for tenant in tenants]
        if not names:
            raise ConfigurationError(f"{self.job.name}.step().for_tenants() was given no tenants: a batch of nothing")
        return [replace(self, job=self.job.using(tenant=name)) for name in dict.fromkeys(names)]


class JobFunction(Generic[Called, Asked, Returned]):
    """A registered function. Calling it calls the function, here and now; `.enqueue` queues a run of it.

    Of a class with a `run` method it is `run` of a fresh instance; of an `async def` a call returns the coroutine.
    """

    def __init__(
        self,
        registered: Registered,
        *,
        target: Callable[..., object],
        timing: Timing | None,
        registry: "Registry",
        options: Options | None = None,
    ) -> None:
        self.registered = registered
        self.target = target
        """What was decorated: the function, or a class with a `run` method."""
        self.timing = timing
        """When it is due by its own schedule; None without one."""
        self.options: Options = options or Options()
        self._registry = registry
        self.__name__: str = registered.job.name
        self.__doc__ = target.__doc__
        self.__wrapped__: Callable[..., object] = registered.function

    @property
    def job(self) -> Job:
        """The job's policy."""
        return self.registered.job

    @property
    def name(self) -> str:
        return self.registered.job.name

    def __call__(self, *args: Called.args, **kwargs: Called.kwargs) -> Returned:
        return self.registered.function(*args, **kwargs)  # type: ignore[return-value]  # the decorator tied them

    def __repr__(self) -> str:
        return f"<job {self.name} at {self.job.place}>"

    def enqueue(self, *args: Asked.args, **kwargs: Asked.kwargs) -> RunHandle:
        """Queue a run and return its handle. The arguments are checked now, against the function's signature.

        Raises:
            BadArguments: they do not fit, have no JSON form, or are too big.
            TenantNotFound: `using(tenant=...)` names one that the source does not list.
            StoreUnavailable: nothing was queued.
        """
        [handle] = self._registry.enqueuer().enqueue_calls(self, [(args, kwargs)])
        return handle

    def enqueue_many(self, calls: Iterable[tuple[Any, ...]]) -> list[RunHandle]:
        """Queue one run per tuple of arguments, in one round trip; return their handles in order."""
        return self.enqueue_calls([(self._arguments(args), {}) for args in calls])

    def _arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        # Not whatever can be counted: of a text each character would be an argument, and of a dictionary each name.
        if isinstance(args, tuple | list):
            return tuple(args)
        raise BadArguments(
            f"job {self.name!r}: enqueue_many takes a tuple of arguments for each run, [(1,), (2,)], and one of them "
            f"is {type(args).__name__}"
        )

    def enqueue_calls(
        self, calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]], *, keyed: Keyed | None = None
    ) -> list[RunHandle]:
        """Queue one run per call, which is its arguments in order and by name, as `enqueue_many` does; under a key,
        once."""
        return self._registry.enqueuer().enqueue_calls(self, calls, keyed=keyed)

    @overload
    def step(self, *args: Asked.args, **kwargs: Asked.kwargs) -> Step: ...

    @overload
    def step(
        self: "JobFunction[Any, Concatenate[Any, Rest], Any]", *args: Rest.args, **kwargs: Rest.kwargs
    ) -> Step: ...

    def step(self, *args: Any, **kwargs: Any) -> Step:
        """Return a call that is not queued yet, for `rota.chain` and `rota.batch`.

        With all its arguments; or without the first one, where that is what comes before in the flow. Which of the two
        is checked when the flow is made.
        """
        return Step(job=self, args=args, kwargs=kwargs)

    async def aenqueue(self, *args: Asked.args, **kwargs: Asked.kwargs) -> RunHandle:
        """`enqueue`, from a coroutine: the same call, in a thread. `using(connection=...)` may be an AsyncSession or
        AsyncConnection of SQLAlchemy."""
        own = self.options.connection

        def enqueue(connection: object) -> RunHandle:
            job = self if own is None else self.using(connection=connection)
            return job.enqueue(*args, **kwargs)

        return await in_thread(enqueue, connection=own, within=self._registry.enqueuer().within)

    def using(self, **terms: Unpack[Terms]) -> "JobFunction[Called, Asked, Returned]":
        """Return the same job with other terms for what is enqueued through it: see `rota.options.Terms`.

        `delay` counts from the enqueue, `at` is an aware instant: one of them. `None` says nothing.

        Raises:
            ConfigurationError: a term makes no sense.
        """
        options = merged(self.options, terms, job=self.name)
        return JobFunction(
            self.registered, target=self.target, timing=self.timing, registry=self._registry, options=options
        )

    def belonging_to(self, registry: "Registry") -> "JobFunction[Called, Asked, Returned]":
        """Return the same job as one of another registry, to whose application it then enqueues."""
        return JobFunction(
            self.registered, target=self.target, timing=self.timing, registry=registry, options=self.options
        )


class Runs(Protocol[Called, Returned]):
    """An instance of a class with a `run` method."""

    def run(self, *args: Called.args, **kwargs: Called.kwargs) -> Returned: ...


class RunsWithContext(Protocol[Called, Returned]):
    """The same, where `run` first takes the context."""

    def run(self, ctx: RunContext, /, *args: Called.args, **kwargs: Called.kwargs) -> Returned: ...


class JobDecorator(Protocol):
    """Makes a job of a function, or of a class with a `run` method. A first parameter that is a RunContext is not
    asked for at enqueue."""

    @overload
    def __call__(
        self, cls: type[RunsWithContext[Asked, Returned]], /
    ) -> JobFunction[Concatenate[RunContext, Asked], Asked, Returned]: ...

    @overload
    def __call__(self, cls: type[Runs[Asked, Returned]], /) -> JobFunction[Asked, Asked, Returned]: ...

    @overload
    def __call__(
        self, function: Callable[Concatenate[RunContext, Asked], Returned], /
    ) -> JobFunction[Concatenate[RunContext, Asked], Asked, Returned]: ...

    @overload
    def __call__(self, function: Callable[Asked, Returned], /) -> JobFunction[Asked, Asked, Returned]: ...


class Registry:
    """Jobs by name. An application has one; a module without an application fills one that is included later."""

    def __init__(self, *, timeout: timedelta | None = timedelta(minutes=15), retry: Retry | None = None) -> None:
        self.functions: dict[str, JobFunction[Any, Any, Any]] = {}
        self._timeout = timeout
        self._retry = retry or Retry()
        self._executor = THREAD
        self._unsaid: dict[str, frozenset[str]] = {}
        self._enqueuer: Enqueuer | None = None

    def set_defaults(self, *, timeout: timedelta | None, retry: Retry) -> None:
        """Give other defaults to the jobs that did not say, those registered already among them."""
        self._timeout, self._retry = timeout, retry
        for function in self.functions.values():
            self._fill_in(function)

    def set_executor(self, name: str) -> None:
        """Have jobs run there that did not say where, but for coroutines; those registered already among them."""
        self._executor = name
        for function in self.functions.values():
            self._fill_in(function)

    def _fill_in(self, function: JobFunction[Any, Any, Any]) -> None:
        unsaid = self._unsaid.get(function.name, frozenset())
        job = function.job
        job = replace(job, timeout=self._timeout) if "timeout" in unsaid else job
        job = replace(job, retry=self._retry) if "retry" in unsaid else job
        if "executor" in unsaid and job.executor == THREAD:
            job = replace(job, executor=self._executor)
        function.registered = replace(function.registered, job=job)

    def enqueuer(self) -> Enqueuer:
        """Return the application that accepts runs of these jobs."""
        if self._enqueuer is None:
            raise ConfigurationError("these jobs belong to no application yet: rota.include(...) them first")
        return self._enqueuer

    def attach(self, enqueuer: Enqueuer) -> None:
        """Send what is enqueued to this application."""
        self._enqueuer = enqueuer

    def add(self, function: JobFunction[Any, Any, Any]) -> None:
        """Register a job.

        Raises:
            DuplicateJob: the name is taken by another function (R16).
        """
        self._refuse_taken(function)
        self.functions[function.name] = function

    def include(self, other: "Registry") -> None:
        """Take in the jobs of another registry: all, with the defaults of this one where they did not say, or none.

        Raises:
            DuplicateJob: a name is taken.
        """
        for function in other.functions.values():
            self._refuse_taken(function)
        for name, function in other.functions.items():
            self.functions[name] = function
            self._unsaid[name] = other._unsaid.get(name, frozenset())
            self._fill_in(function)

    def narrowed(self, has: Callable[[str], bool]) -> "Registry":
        """Return a registry of its own with those of these jobs whose names `has` says yes to."""
        other = Registry(timeout=self._timeout, retry=self._retry)
        for name, function in self.functions.items():
            if has(name):
                other.functions[name] = function.belonging_to(other)
                other._unsaid[name] = self._unsaid.get(name, frozenset())
        return other

    def _refuse_taken(self, function: JobFunction[Any, Any, Any]) -> None:
        known = self.functions.get(function.name)
        if known is not None and known.target is not function.target:
            raise DuplicateJob(function.name, first=known.job.place, second=function.job.place)

    def job(
        self,
        *,
        name: str | None = None,
        schedule: When | None = None,
        tz: str | None = None,
        per_tenant: bool = False,
        queue: str = "default",
        executor: str | None = None,
        priority: int = 0,
        timeout: timedelta | str | None = "default",
        retry: Retry | None = None,
        catch_up: CatchUp | None = None,
        overlap: Overlap = Overlap.SKIP,
        fresh_within: timedelta | str | None = None,
        depends_on: "Sequence[str | JobFunction[Any, Any, Any]]" = (),
        jitter: timedelta | str | None = None,
        max_parallel: int | None = None,
        max_memory: str | int | None = None,
        max_cpu: timedelta | str | None = None,
        tags: Sequence[str] = (),
        **terms: Unpack[JobTerms],
    ) -> JobDecorator:
        """Register a function as a job, or a class with a `run` method, of which each run gets a fresh instance.

        `executor` is "thread", "process", "asyncio" or "celery"; without a word an `async def` runs on the event loop
        and anything else in a thread. `max_memory` ("512MB") and `max_cpu` limit the child process of a process job. A
        run of a slot waits for the jobs in `depends_on`, and up to `jitter`; `max_parallel` runs of a round are out at
        once. `tags` are words that rules know it by, `terms` those of what is enqueued, see `JobTerms`. Durations are
        timedeltas or texts: "10m". Without a word the time limit is the settings' 15 minutes; `None` is without.

        Raises:
            BadSchedule: the schedule is not understood, or never comes.
            DuplicateJob: another function has the name.
            UnsupportedJob: the function cannot be a job as declared.
        """

        def register(target: Callable[..., Any]) -> JobFunction[Any, Any, Any]:
            shape = shape_of(target)
            job = Job(
                name=(called := _name(name, shape)),
                queue=queue,
                executor=shape.executor(executor, name=called),
                per_tenant=per_tenant,
                timeout=self._timeout if timeout == "default" else _duration(timeout, "timeout", job=called),
                retry=self._retry if retry is None else retry,
                priority=priority,
                catch_up=CatchUp() if catch_up is None else catch_up,
                overlap=overlap,
                fresh_within=_duration(fresh_within, "fresh_within", job=called),
                max_memory=_memory(max_memory, job=called),
                max_cpu=_duration(max_cpu, "max_cpu", job=called),
                description=shape.description,
                place=shape.place,
            )
            job = _gated(job, depends_on=depends_on, jitter=jitter, max_parallel=max_parallel, tags=tags)
            said = {"timeout": timeout != "default", "retry": retry is not None, "executor": executor is not None}
            return self._register(job, shape, schedule=schedule, tz=tz, terms=terms, said=said)

        return register

    def _register(
        self,
        job: Job,
        shape: Shape,
        *,
        schedule: When | None,
        tz: str | None,
        terms: JobTerms,
        said: Mapping[str, bool],
    ) -> JobFunction[Any, Any, Any]:
        _refuse_limits_without_a_child(job)
        timing = None if schedule is None else as_timing(schedule, tz=tz)
        options = merged(Options(), terms, job=job.name)
        job = checked_policy(job)
        registered = Registered(job=job, function=shape.function, signature=Signature(shape.function, name=job.name))
        made: JobFunction[Any, Any, Any] = JobFunction(
            registered, target=shape.target, timing=timing, registry=self, options=options
        )
        self.add(made)
        self._unsaid[job.name] = frozenset(name for name, is_said in said.items() if not is_said)
        self._fill_in(made)
        return made


def _name(given: str | None, shape: Shape) -> str:
    name = given or shape.name
    if not name or name == "<lambda>":
        raise UnsupportedJob(f"the function at {shape.place} has no name of its own: give the job a name=...")
    return name


def _duration(value: timedelta | str | None, name: str, *, job: str) -> timedelta | None:
    try:
        parsed = parse_duration(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ConfigurationError(f"job {job!r}: {name}: {error}") from None
    if not isinstance(parsed, timedelta | None):
        raise ConfigurationError(f"job {job!r}: {name}={value!r} must be a timedelta, or a text such as '10m'")
    if parsed is not None and parsed <= timedelta(0):
        raise ConfigurationError(
            f"job {job!r}: {name}={value!r} must be longer than nothing; {name}=None is without limit"
        )
    return parsed


def _gated(
    job: Job,
    *,
    depends_on: Sequence[str | JobFunction[Any, Any, Any]],
    jitter: timedelta | str | None,
    max_parallel: int | None,
    tags: Sequence[str],
) -> Job:
    """Return the job with what may hold its runs back though they are due, and its tags."""
    return replace(
        job,
        depends_on=_names(depends_on, job=job.name),
        jitter=_duration(jitter, "jitter", job=job.name),
        max_parallel=_places(max_parallel, job=job.name, per_tenant=job.per_tenant),
        tags=_tags(tags, job=job.name),
    )


def _names(depends_on: Sequence[str | JobFunction[Any, Any, Any]], *, job: str) -> tuple[str, ...]:
    if isinstance(depends_on, str | JobFunction):
        raise ConfigurationError(f"job {job!r}: depends_on takes a list, also of one: depends_on=[...]")
    for one in depends_on:
        if not isinstance(one, str | JobFunction):
            raise ConfigurationError(f"job {job!r}: depends_on={one!r} is neither a job nor the name of one")
    return tuple(dict.fromkeys(one if isinstance(one, str) else one.name for one in depends_on))


def _tags(tags: Sequence[object], *, job: str) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise ConfigurationError(f"job {job!r}: tags takes a list, also of one: tags=[{tags!r}]")
    for tag in tags:
        if not isinstance(tag, str) or not TAG.fullmatch(tag):
            raise ConfigurationError(
                f"job {job!r}: tag {tag!r} is no word: letters, digits, and . _ - between them, at most 64 characters"
            )
    return tuple(dict.fromkeys(str(tag) for tag in tags))


def _places(value: object, *, job: str, per_tenant: bool) -> int | None:
    if value is None:
        return None
    if not per_tenant:
        raise UnsupportedJob(
            f"job {job!r}: max_parallel limits the runs of one round, and this job has one: make it per_tenant=True, "
            "or leave max_parallel out"
        )
    if not isinstance(value, int) or value < 1:
        raise ConfigurationError(
            f"job {job!r}: max_parallel={value!r} must be a number from 1 on; max_parallel=None is without limit"
        )
    return value


def _memory(value: str | int | None, *, job: str) -> int | None:
    try:
        parsed = parse_size(value) if isinstance(value, str) else value
    except ValueError as error:
        raise ConfigurationError(f"job {job!r}: max_memory: {error}") from None
    if parsed is not None and parsed < LEAST_MEMORY:
        raise ConfigurationError(
            f"job {job!r}: max_memory={value!r} is less than Python itself needs: at least {size_text(LEAST_MEMORY)}, "
            "and max_memory=None is without limit"
        )
    # A plain number: a Size has no place in what is sent to a child process.
    return None if parsed is None else int(parsed)


def _refuse_limits_without_a_child(job: Job) -> None:
    for name, value in (("max_memory", job.max_memory), ("max_cpu", job.max_cpu)):
        if value is not None and job.executor != PROCESS:
            raise UnsupportedJob(
                f"job {job.name!r}: {name} limits a child process, and this job runs by {job.executor!r}: "
                f"add executor='process', or leave {name} out"
            )
