"""What was enqueued, as the test that looks for it would write it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from rota.core.duration import duration_text
from rota.core.model import Run
from rota.job import JobFunction
from rota.signature import Signature

Wanted = JobFunction[Any, Any, Any] | str


class Enqueued(Struct, frozen=True, kw_only=True):
    """One call of `.enqueue`."""

    job: str
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    """Most arguments are here, whatever way they were given: each under the name of its parameter."""
    tenant: str | None
    queue: str
    priority: int
    delay: timedelta
    """How long it waits before it may begin."""
    due_at: datetime
    user_id: str | None
    run_id: str
    text: str
    """The arguments as they are stored."""

    def __str__(self) -> str:
        words = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        terms = {"tenant": self.tenant, "queue": None if self.queue == "default" else self.queue}
        if self.delay:
            terms["delay"] = duration_text(self.delay)
        told = "".join(f"  {name}={value}" for name, value in terms.items() if value is not None)
        return f"{self.job}({', '.join(words)}){told}"


class Looked(Struct, frozen=True, kw_only=True):
    """What a test looks for; what it does not say may be anything."""

    job: str | None = None
    text: str | None = None
    """Its arguments as they would be stored."""
    tenant: str | UnsetType | None = UNSET
    queue: str | None = None
    delay: timedelta | None = None

    def means(self, one: Enqueued) -> bool:
        """Whether this call is one of those looked for."""
        return (
            self.job in (None, one.job)
            and self.text in (None, one.text)
            and (self.tenant is UNSET or self.tenant == one.tenant)
            and self.queue in (None, one.queue)
            and self.delay in (None, one.delay)
        )

    def told(self, args: Sequence[object] | None, kwargs: Mapping[str, object] | None) -> str:
        """Return how it reads, with the arguments as the test gave them."""
        said: dict[str, object] = {"args": args, "kwargs": kwargs, "queue": self.queue, "delay": self.delay}
        words = [f"{name}={value!r}" for name, value in said.items() if value is not None]
        if self.tenant is not UNSET:
            words.append(f"tenant={self.tenant!r}")
        return f"{self.job or 'anything'}" + (f" with {', '.join(words)}" if words else "")


def enqueued(run: Run, signature: Signature | None) -> Enqueued:
    """Return the call that a run was made of; without a signature its arguments are shown as they are stored."""
    given = None if signature is None else signature.decode(run.args)
    return Enqueued(
        job=run.job,
        args=() if given is None else tuple(given.args),
        kwargs={"stored": run.args} if given is None else given.kwargs,
        tenant=run.tenant,
        queue=run.queue,
        priority=run.priority,
        delay=run.due_at - run.created_at,
        due_at=run.due_at,
        user_id=run.user_id,
        run_id=run.id,
        text=run.args,
    )


def listed(calls: Sequence[Enqueued]) -> str:
    """Return what was enqueued, a line each, oldest first."""
    if not calls:
        return "nothing was enqueued"
    return "enqueued were:\n" + "\n".join(f"  {one}" for one in calls)
