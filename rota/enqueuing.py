"""Asking for runs: `.enqueue` and what comes with it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from rota.asking import make_once
from rota.context import current_run
from rota.core.codec import ARGUMENTS_LIMIT
from rota.core.host import host_of
from rota.core.keyed import Keyed
from rota.core.model import Run, Tenant, Trigger
from rota.core.unique import Conflict, UniqueRun, arguments_key, unique_name
from rota.errors import BadArguments, ConfigurationError, NoTenant, StoreUnavailable, TenantNotFound
from rota.footing import Footing
from rota.gathering import Gatherer
from rota.handle import RunHandle
from rota.job import JobFunction
from rota.options import KeyOf, checked_key
from rota.other_drivers import as_known
from rota.ports import Joins
from rota.transactions import InThread, Transaction, Work, transaction_of

Answer = TypeVar("Answer")

Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
BY_ARGUMENTS = "args"
FEW = 20
"""Up to so many runs of one call are written together with those of other callers."""


class StoreEnqueuer:
    """Makes runs of calls, checked whole before any of them is written."""

    def __init__(self, footing: Footing) -> None:
        self.checks_tenants: bool = True
        """Off where whoever holds the store checks them: in a child process."""
        self.then: Callable[[Sequence[str]], object] | None = None
        """Called with the ids of new runs that the store has accepted: inline mode executes them."""
        self.after_commit: Callable[[Work], object] | None = None
        """Given what queues runs, to be called once the transaction around it is committed, or at once without one."""
        self.surrounding: Callable[[], Transaction | None] | None = None
        """Returns the transaction of a framework's own that is open around this code."""
        self.within: InThread | None = None
        """Where a coroutine enqueues, so that `surrounding` sees what is open around it; as it is, in any thread."""
        self._gatherer: Gatherer[Sequence[Run]] = Gatherer(self._write)
        self._store = footing.store
        self._jobs = footing.jobs
        self._directory = footing.directory
        self._list_tenants = footing.list_tenants
        self._clock = footing.clock
        self._carriers = footing.carriers

    def enqueue_calls(
        self, job: JobFunction[Any, Any, Any], calls: Iterable[Arguments], *, keyed: Keyed | None = None
    ) -> list[RunHandle]:
        """Queue one run per call, all or none, in one round trip: now, within the caller's transaction, or after its
        commit. What `.enqueue` and `.enqueue_many` do. Under a key: now, and once."""
        now, listed, options = self._clock.now(), list(calls), job.options
        encode = job.registered.signature.encode
        texts = [encode(args, kwargs) for args, kwargs in listed]
        runs = self.runs_of(job, listed, texts, carried=self._carriers.pack(), now=now)
        handles = [RunHandle(run.id, self._store, self._clock) for run in runs]
        if not runs:
            return handles
        if keyed is not None:
            return self._queue_once(job, runs, keyed)
        if options.unique is None:
            self._queue(runs, lambda: self._keep(runs), connection=options.connection, now=now)
            return handles
        by = options.unique
        wanted = [_unique(job, by, run, call, now=now) for run, call in zip(runs, listed, strict=True)]

        def keep() -> None:
            for handle, run_id in zip(handles, self._keep_unique(wanted), strict=True):
                handle.id, handle.existed = run_id, run_id != handle.id

        self._queue([], keep, connection=options.connection, now=now)
        return handles

    def _queue_once(self, job: JobFunction[Any, Any, Any], runs: Sequence[Run], keyed: Keyed) -> list[RunHandle]:
        if job.options.unique is not None:
            raise BadArguments(
                f"job {job.name!r}: its runs are unique by a key of their own: leave Idempotency-Key out"
            )
        now = self._clock.now()
        ids = _twice(lambda: make_once(self._store(), runs, keyed, now=now))
        if self.then is not None:
            made = {keyed.stamped(run.id) for run in runs}
            self.then([run_id for run_id in ids if run_id in made])
        return [RunHandle(run_id, self._store, self._clock) for run_id in ids]

    def accept(self, runs: Sequence[Run], *, connection: object | None, now: datetime) -> None:
        """Queue these runs of `runs_of`, all or none: now, within a transaction, or after its commit."""
        self._queue(runs, lambda: self._keep(runs), connection=connection, now=now)

    def _queue(self, plain: Sequence[Run], keep: Work, *, connection: object | None, now: datetime) -> None:
        """Queue runs by `keep`, at once or when a transaction is committed; or, if they are `plain`, within it."""
        if connection is not None:
            self._join(plain, keep, transaction_of(connection), now=now)
        elif self.surrounding is not None and (transaction := self.surrounding()) is not None:
            self._join(plain, keep, transaction, now=now)
        elif self.after_commit is not None:
            self.after_commit(keep)
        else:
            keep()

    def _join(self, plain: Sequence[Run], keep: Work, transaction: Transaction, *, now: datetime) -> None:
        store, driver = self._store(), as_known(transaction.driver)
        # Not those with a key of their own: a transaction may see the past only, where a name is still free.
        if plain and isinstance(store, Joins) and store.is_home_of(driver):
            store.enqueue_within(driver, plain, now=now)
            transaction.after_commit(store.rouse)
        elif transaction.is_told:
            transaction.after_commit(keep)
        else:
            why = "is not of the store's database" if plain else "cannot tell whether a key is free"
            raise ConfigurationError(
                f"connection=...: it {why}, and a driver's own connection does not tell when it commits: enqueue after "
                "its commit, or give the Connection or Session of SQLAlchemy that it belongs to"
            )

    def _keep(self, runs: Sequence[Run]) -> None:
        if len(runs) > FEW:
            # Whoever has many has a commit of their own, for which nobody else should wait.
            self._write([runs])
        elif self.then is None:
            self._gatherer.hand_in(runs)
        else:
            self._gatherer.write(runs)
        if self.then is not None:
            self.then([run.id for run in runs])

    def _write(self, parts: Sequence[Sequence[Run]]) -> None:
        runs, now = [run for part in parts for run in part], self._clock.now()
        _twice(lambda: self._store().enqueue(runs, now=now))

    def _keep_unique(self, wanted: Sequence[UniqueRun]) -> list[str]:
        now = self._clock.now()
        ids = _twice(lambda: self._store().enqueue_unique(wanted, now=now))
        if self.then is not None:
            made = {one.run.id for one in wanted}
            self.then([run_id for run_id in ids if run_id in made])
        return ids

    def runs_of(
        self,
        job: JobFunction[Any, Any, Any],
        calls: Sequence[Arguments],
        texts: Sequence[str],
        *,
        carried: str | None,
        now: datetime,
    ) -> list[Run]:
        """Return a run for each call with the text of its arguments, checked, and not queued yet."""
        # Not the policy of `job`: what `using` returned may be older than the settings.
        options, policy = job.options, self._jobs.get(job.name, job).job
        tenant = self._tenant(job, now)
        due_at, expires_at = options.due_at(now), options.expires_at(now)
        retry = options.retry or policy.retry
        parent = current_run.get()
        return [
            Run(
                id=self._clock.new_id(),
                job=policy.name,
                queue=options.queue or policy.queue,
                tenant=options.tenant,
                user_id=options.user_id,
                args=_fitting(text, carried, job=policy.name),
                carried=carried,
                parent=None if parent is None else parent.id,
                priority=policy.priority if options.priority is None else options.priority,
                due_at=due_at,
                expires_at=expires_at,
                created_at=now,
                trigger=Trigger.ENQUEUE,
                weight=tenant.weight if tenant is not None else 1.0,
                host=host_of(tenant.url) if tenant is not None else None,
                retry=options.retry,
                limit_key=None if options.key is None else _key(options.key, call, job=policy.name),
                max_attempts=retry.attempts,
            )
            for call, text in zip(calls, texts, strict=True)
        ]

    def _tenant(self, job: JobFunction[Any, Any, Any], now: datetime) -> Tenant | None:
        """Return the tenant that the runs are for, as far as it is known here."""
        name = job.options.tenant
        if name is None:
            if job.job.per_tenant:
                raise NoTenant(f"job {job.name!r} is per_tenant: say which, {job.name}.using(tenant=...).enqueue(...)")
            return None
        if not self.checks_tenants:
            return None
        tenant = self._directory.find(name, now=now)
        if tenant is None:
            raise TenantNotFound(name, known=[known.id for known in self._list_tenants()])
        return tenant


def _fitting(args: str, carried: str | None, *, job: str) -> str:
    """Return the arguments, once it is sure that there is room for them beside what is carried (R37)."""
    if carried is None:
        return args
    sizes = len(args.encode()), len(carried.encode())
    if sum(sizes) > ARGUMENTS_LIMIT:
        raise BadArguments(
            f"job {job!r}: its arguments are {sizes[0]:,} bytes of JSON and what is carried {sizes[1]:,}, the limit "
            f"for both is {ARGUMENTS_LIMIT:,}: carry an id, not what it stands for"
        )
    return args


def _unique(job: JobFunction[Any, Any, Any], by: str | KeyOf, run: Run, call: Arguments, *, now: datetime) -> UniqueRun:
    options = job.options
    key = arguments_key(run.args) if by == BY_ARGUMENTS else "key:" + _key(by, call, job=job.name)
    return UniqueRun(
        run=run,
        name=unique_name(run.job, run.tenant, key),
        scope=options.scope,
        kept_until=options.kept_until(now),
        conflict=options.on_conflict or Conflict.EXISTING,
    )


def _key(by: str | KeyOf, call: Arguments, *, job: str) -> str:
    """Return the key of a call: as it was said, or made of its arguments."""
    if isinstance(by, str):
        return by
    args, kwargs = call
    key = by(*args, **kwargs)
    if not isinstance(key, str):
        raise BadArguments(
            f"job {job!r}: its key must be a text, and is {type(key).__name__}: make it one with str(...)"
        )
    return checked_key(key, job=job)


def _twice(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except StoreUnavailable:
        # Perhaps only the answer was lost: the ids make a second try safe, and the caller could not make it (A2).
        return work()
