"""Functions as jobs: the decorator, what it makes of a function, and how a run of it is asked for."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from msgspec import Struct
from msgspec.structs import replace

from rota.context import RunContext
from rota.core.builder import When, as_timing
from rota.core.duration import parse_duration
from rota.core.kind import Timing
from rota.core.model import CatchUp, Job, Overlap, Retry
from rota.errors import ConfigurationError, DuplicateJob, UnsupportedJob
from rota.handle import RunHandle
from rota.signature import Registered, Signature

Called = ParamSpec("Called")
Asked = ParamSpec("Asked")
Returned = TypeVar("Returned", covariant=True)


class Options(Struct, frozen=True, kw_only=True):
    """What one enqueue says beyond the job's policy."""

    tenant: str | None = None
    user_id: str | None = None
    queue: str | None = None
    priority: int | None = None
    delay: timedelta | None = None
    at: datetime | None = None


class Enqueuer(Protocol):
    """Whoever accepts runs: the application."""

    def enqueue_calls(
        self, job: "JobFunction[Any, Any, Any]", calls: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]
    ) -> list[RunHandle]:
        """Queue one run per call, all in one round trip."""


class JobFunction(Generic[Called, Asked, Returned]):
    """A registered function. Calling it calls the function, here and now; `.enqueue` queues a run of it."""

    def __init__(
        self,
        registered: Registered,
        *,
        timing: Timing | None,
        registry: "Registry",
        options: Options | None = None,
    ) -> None:
        self.registered = registered
        self.timing = timing
        """When it is due by its own schedule; None without one."""
        self.options: Options = options or Options()
        self._registry = registry
        self.__name__: str = registered.job.name
        self.__doc__ = registered.function.__doc__
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
        return self._registry.enqueuer().enqueue_calls(self, [(args, {}) for args in calls])

    async def aenqueue(self, *args: Asked.args, **kwargs: Asked.kwargs) -> RunHandle:
        """`enqueue`, from a coroutine: the same call, in a thread."""
        # Weight by choice: a program without coroutines never loads asyncio.
        import asyncio

        return await asyncio.to_thread(self.enqueue, *args, **kwargs)

    def using(
        self,
        *,
        tenant: str | None = None,
        user_id: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        delay: timedelta | None = None,
        at: datetime | None = None,
    ) -> "JobFunction[Called, Asked, Returned]":
        """Return the same job with other terms for what is enqueued through it.

        `delay` counts from the enqueue; `at` is an aware instant; at most one of them.
        """
        if delay is not None and at is not None:
            raise ConfigurationError(f"job {self.name!r}: using(delay=..., at=...) takes one of the two")
        if at is not None and at.tzinfo is None:
            raise ConfigurationError(f"job {self.name!r}: using(at=...) needs an aware datetime, with its zone")
        at = None if at is None else at.astimezone(UTC)
        said = {
            name: value
            for name, value in {
                "tenant": tenant, "user_id": user_id, "queue": queue, "priority": priority, "delay": delay, "at": at
            }.items()
            if value is not None
        }  # fmt: skip
        options = replace(self.options, **said)
        return JobFunction(self.registered, timing=self.timing, registry=self._registry, options=options)


class JobDecorator(Protocol):
    """Makes a job of a function. A first parameter that is a RunContext is not asked for at enqueue."""

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
        self._unsaid: dict[str, frozenset[str]] = {}
        self._enqueuer: Enqueuer | None = None

    def set_defaults(self, *, timeout: timedelta | None, retry: Retry) -> None:
        """Give other defaults to the jobs that did not say, those registered already among them."""
        self._timeout, self._retry = timeout, retry
        for function in self.functions.values():
            self._fill_in(function)

    def _fill_in(self, function: JobFunction[Any, Any, Any]) -> None:
        unsaid = self._unsaid.get(function.name, frozenset())
        job = function.job
        job = replace(job, timeout=self._timeout) if "timeout" in unsaid else job
        job = replace(job, retry=self._retry) if "retry" in unsaid else job
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

    def _refuse_taken(self, function: JobFunction[Any, Any, Any]) -> None:
        known = self.functions.get(function.name)
        if known is not None and known.registered.function is not function.registered.function:
            raise DuplicateJob(function.name, first=known.job.place, second=function.job.place)

    def job(
        self,
        *,
        name: str | None = None,
        schedule: When | None = None,
        tz: str | None = None,
        per_tenant: bool = False,
        queue: str = "default",
        executor: str = "thread",
        priority: int = 0,
        timeout: timedelta | str | None = "default",
        retry: Retry | None = None,
        catch_up: CatchUp | None = None,
        overlap: Overlap = Overlap.SKIP,
        fresh_within: timedelta | str | None = None,
    ) -> JobDecorator:
        """Register a function as a job.

        `timeout` and `fresh_within` are timedeltas or texts such as "10m". Without a word the time limit is that of
        the settings, 15 minutes; `timeout=None` must be said to have none.

        Raises:
            BadSchedule: the schedule is not understood, or never comes.
            DuplicateJob: another function has the name.
            UnsupportedJob: the function cannot be a job as declared.
        """

        def register(function: Callable[..., Any]) -> JobFunction[Any, Any, Any]:
            job = Job(
                name=name or str(getattr(function, "__name__", "")),
                queue=queue,
                executor=executor,
                per_tenant=per_tenant,
                timeout=self._timeout if timeout == "default" else _duration(timeout, "timeout"),
                retry=retry or self._retry,
                priority=priority,
                catch_up=catch_up or CatchUp(),
                overlap=overlap,
                fresh_within=_duration(fresh_within, "fresh_within"),
                description=_first_line(function),
                place=_place(function),
            )
            _refuse_unsupported(job, function)
            made: JobFunction[Any, Any, Any] = JobFunction(
                Registered(job=job, function=function, signature=Signature(function, name=job.name)),
                timing=None if schedule is None else as_timing(schedule, tz=tz),
                registry=self,
            )
            self.add(made)
            said = {"timeout": timeout != "default", "retry": retry is not None}
            self._unsaid[job.name] = frozenset(name for name, is_said in said.items() if not is_said)
            return made

        return register


def _duration(value: timedelta | str | None, name: str) -> timedelta | None:
    parsed = parse_duration(value) if isinstance(value, str) else value
    if parsed is not None and parsed <= timedelta(0):
        raise ConfigurationError(f"{name}={value!r} must be longer than nothing; None is without limit")
    return parsed


def _refuse_unsupported(job: Job, function: Callable[..., Any]) -> None:
    if not job.name or job.name == "<lambda>":
        raise UnsupportedJob(f"the function at {job.place} has no name of its own: give the job a name=...")
    if inspect.iscoroutinefunction(function):
        raise UnsupportedJob(
            f"job {job.name!r} is `async def`, and there is no asyncio executor yet: use a plain `def`"
        )
    if job.executor != "thread":
        raise UnsupportedJob(f"job {job.name!r}: no executor {job.executor!r}; there is 'thread'")


def _first_line(function: Callable[..., Any]) -> str:
    doc = inspect.getdoc(function) or ""
    return doc.partition("\n")[0].strip()


def _place(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(function)
