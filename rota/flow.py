"""Chains and batches: calls that belong together, checked whole and enqueued in one piece (R32)."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, get_args

from msgspec.structs import replace

from rota.core.accepts import can_take
from rota.core.flow import MOST_STEPS, BatchSummary
from rota.core.gates import FLOW, flow_batch, follow_batch
from rota.core.model import Run
from rota.core.part import Part, Role
from rota.enqueuing import StoreEnqueuer
from rota.errors import BadArguments, ConfigurationError, JobNotFound
from rota.flow_handle import FlowHandle
from rota.footing import Footing
from rota.job import JobFunction, Step
from rota.transactions import in_thread

MOST_MEMBERS = 100_000


class Flows:
    """Makes chains and batches of the jobs of one application."""

    def __init__(self, footing: Footing, enqueuer: StoreEnqueuer) -> None:
        self._footing = footing
        self._enqueuer = enqueuer

    def chain(self, *steps: Step) -> "Flow":
        """Return calls that follow one another, each with the result of the one before as its first argument (R32).

        `rota.chain(fetch.step(7), parse.step(), store.step()).enqueue()`. When one fails for good the later ones are
        cancelled, and opened again with it when it is retried.

        Raises:
            ConfigurationError, JobNotFound: it is empty, or one is no step of a job of this application.
            BadArguments: arguments do not fit, or a step cannot take what the one before returns.
        """
        if not steps:
            raise ConfigurationError("rota.chain() of nothing: it takes steps, rota.chain(fetch.step(1), store.step())")
        if len(steps) > MOST_STEPS:
            raise ConfigurationError(f"a chain of {len(steps):,} steps: at most {MOST_STEPS:,}")
        for number, step in enumerate(steps, start=1):
            self._check(step, where=f"step {number} of the chain")
        followed = enumerate(pairwise(steps), start=2)
        texts = [_whole(steps[0]), *(_after_step(before, step, number=number) for number, (before, step) in followed)]
        of = len(steps)
        parts = [Part(role=Role.STEP, number=at, of=of, takes=step.takes) for at, step in enumerate(steps, start=1)]
        return Flow(self._footing, self._enqueuer, steps, texts, parts)

    def batch(
        self, members: Iterable[Step], *, on_success: Step | None = None, on_complete: Step | None = None
    ) -> "Flow":
        """Return calls that run side by side, and what follows once all are over, given a `BatchSummary` (R32).

        `on_success` only if all of them succeeded, else it is cancelled; `on_complete` however they ended.

        Raises:
            ConfigurationError, JobNotFound, BadArguments: as from `chain`.
        """
        if isinstance(members, Step):
            raise ConfigurationError("rota.batch() takes a list of steps, also of one: rota.batch([...])")
        listed = list(members)
        if not listed:
            raise ConfigurationError("rota.batch() of nothing: without members nothing would ever call it complete")
        if len(listed) > MOST_MEMBERS:
            raise ConfigurationError(f"a batch of {len(listed):,} members: at most {MOST_MEMBERS:,}")
        said = ((Role.ON_SUCCESS, on_success), (Role.ON_COMPLETE, on_complete))
        followers = [(role, step) for role, step in said if step is not None]
        for number, step in enumerate(listed, start=1):
            self._check(step, where=f"member {number} of the batch")
        for role, step in followers:
            self._check(step, where=role)
        of = len(listed)
        texts = [*map(_whole, listed), *(_after_batch(role, step) for role, step in followers)]
        parts = [Part(role=Role.MEMBER, number=number, of=of) for number in range(1, of + 1)]
        parts += [Part(role=role, of=of, takes=step.takes) for role, step in followers]
        return Flow(self._footing, self._enqueuer, [*listed, *(step for _, step in followers)], texts, parts)

    def find(self, flow: str) -> FlowHandle:
        """Return a handle of a chain or batch by its id."""
        return FlowHandle(flow, self._footing)

    def _check(self, step: object, *, where: str) -> None:
        if isinstance(step, JobFunction):
            raise ConfigurationError(f"{where} is a job, not a call of it: write {step.name}.step(...)")
        if isinstance(step, Flow):
            raise ConfigurationError(
                f"{where} is a flow itself: a chain or batch has no others within; enqueue that one from a step, or "
                "from on_success"
            )
        if not isinstance(step, Step):
            raise ConfigurationError(f"{where} is {type(step).__name__}, not a step: write job.step(...)")
        if self._footing.jobs.get(step.job.name) is None:
            raise JobNotFound(step.job.name, known=self._footing.jobs)
        if step.job.options.connection is not None:
            raise ConfigurationError(
                f"{where}, {step.job.name}, has a connection of its own: a flow is enqueued whole, "
                ".enqueue(connection=...)"
            )
        if step.job.options.unique is not None:
            raise ConfigurationError(
                f"{where}, {step.job.name}, is unique: what stands for it may be a run of no flow; say "
                f"{step.job.name}.using(unique=False).step(...)"
            )


class Flow:
    """A chain or batch that has been checked. Each `enqueue` starts it once more."""

    def __init__(
        self,
        footing: Footing,
        enqueuer: StoreEnqueuer,
        steps: Sequence[Step],
        texts: Sequence[str],
        parts: Sequence[Part],
    ) -> None:
        self._footing = footing
        self._enqueuer = enqueuer
        self._steps = steps
        self._texts = texts
        self._parts = parts

    def __repr__(self) -> str:
        return f"<flow of {', '.join(step.job.name for step in self._steps[:5])}>"

    def enqueue(self, *, connection: object | None = None) -> FlowHandle:
        """Queue all of its runs, or none, and return its handle.

        `connection`: within the transaction of this one, or after its commit, as `using(connection=...)` does it.

        Raises:
            NoTenant, TenantNotFound: a step is for a tenant that is not there, or for none.
            StoreUnavailable: nothing was queued.
        """
        now = self._footing.clock.now()
        flow = self._footing.clock.new_id()
        carried = self._footing.carriers.pack()
        runs: list[Run] = []
        for step, text, part in zip(self._steps, self._texts, self._parts, strict=True):
            [run] = self._enqueuer.runs_of(step.job, [(step.args, step.kwargs)], [text], carried=carried, now=now)
            runs.append(_placed(run, flow, part, before=runs[-1] if runs else None))
        self._enqueuer.accept(runs, connection=connection, now=now)
        return FlowHandle(flow, self._footing)

    async def aenqueue(self, *, connection: object | None = None) -> FlowHandle:
        """`enqueue`, from a coroutine: the same call, in a thread. The connection may be asynchronous."""
        return await in_thread(
            lambda own: self.enqueue(connection=own), connection=connection, within=self._enqueuer.within
        )


def _placed(run: Run, flow: str, part: Part, *, before: Run | None) -> Run:
    match part.role:
        case Role.STEP if before is not None:
            return replace(run, batch=flow_batch(flow), part=replace(part, after=before.id), held_by=FLOW)
        case Role.STEP | Role.MEMBER:
            return replace(run, batch=flow_batch(flow), part=part)
        case _:
            return replace(run, batch=follow_batch(flow), part=part, held_by=FLOW)


def _whole(step: Step) -> str:
    return step.job.registered.signature.encode(step.args, step.kwargs)


def _after_step(before: Step, step: Step, *, number: int) -> str:
    if not step.takes:
        return _whole(step)
    text = _rest(step, where=f"step {number} of the chain")
    returned, taken = before.job.registered.signature.returns, step.job.registered.signature.takes_first
    if not can_take(returned, taken):
        raise BadArguments(
            f"step {number} of the chain, {step.job.name}, takes {_shown(taken)} first, and step {number - 1}, "
            f"{before.job.name}, returns {_shown(returned)}: change one of them, or .without_result()"
        )
    return text


def _after_batch(role: Role, step: Step) -> str:
    if not step.takes:
        return _whole(step)
    text = _rest(step, where=role)
    taken = step.job.registered.signature.takes_first
    if not can_take(BatchSummary, taken):
        raise BadArguments(
            f"{role}, {step.job.name}, takes {_shown(taken)} first, and what follows a batch is given a BatchSummary: "
            "annotate it so, or .without_result()"
        )
    return text


def _rest(step: Step, *, where: str) -> str:
    if callable(step.job.options.key):
        raise ConfigurationError(
            f"{where}, {step.job.name}: its key is made of its arguments, and the first is not known before it begins: "
            "say the key as text"
        )
    try:
        return step.job.registered.signature.encode_rest(step.args, step.kwargs)
    except BadArguments as error:
        error.add_note(f"{where}: what comes before is its first argument, unless it is said .without_result()")
        raise


def _shown(annotation: Any) -> str:
    name = None if get_args(annotation) else getattr(annotation, "__name__", None)
    return name or str(annotation)
