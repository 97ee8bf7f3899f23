"""What is asked by who wants runs of a job: one with its terms, or many at once."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from msgspec import Struct

from rota.core.access import Capability
from rota.core.keyed import Keyed
from rota.core.unique import Conflict, Scope
from rota.errors import BadRequest
from rota.job import JobFunction
from rota.operations.operation import MESSAGE_DOOR, Desk, Question, operation
from rota.operations.triggers import arguments

MOST_AT_ONCE = 1000


class RunTerms(Question, frozen=True, kw_only=True):
    """Of which job, for whom, when."""

    job: str
    tenant: str | None = None
    """Whose run it is."""
    user: str | None = None
    """Whose request it stands for."""
    queue: str | None = None
    """Another queue than the job's own."""
    priority: int | None = None
    """Higher first."""
    delay: str | None = None
    """Not before this has passed, as in `10m`."""
    at: datetime | None = None
    """Not before this instant, with its offset."""
    expires: str | None = None
    """It is skipped if it has not begun when this has passed, as in `1h`."""
    key: str | None = None
    """A key that limits may name."""
    unique: str | None = None
    """At most one run of the job, the tenant and this key at a time; `args` is a key made of the arguments."""
    unique_while: Scope | None = None
    """How long it keeps the key: `waiting` or `open`, which is the default."""
    unique_for: str | None = None
    """How long it keeps the key, whatever becomes of it, as in `1d`."""
    on_conflict: Conflict | None = None
    """While another run has the key: `existing` stands for it, which is the default; `replace` it; or `raise`, which is
    refused with 409."""


class RunWanted(RunTerms, frozen=True, kw_only=True):
    """One run."""

    args: tuple[Any, ...] | Mapping[str, Any] = ()
    """Arguments, by name or in order."""
    kwargs: Mapping[str, Any] | None = None
    """Arguments by name, beside those in order."""


class Enqueued(Struct, frozen=True, kw_only=True):
    """The run that stands for what was asked."""

    run: str
    existed: bool
    """Whether it was there: it has the key, and nothing was queued."""
    url: str


def _has_no_name(desk: Desk, asked: RunWanted) -> bool:
    # Whether a name is free only the store knows, and each who asks for one waits for its own answer.
    function = desk.app.jobs.get(asked.job)
    return not desk.key and asked.unique is None and function is not None and function.options.unique is None


@operation("POST", "/api/v1/runs", needs=Capability.TRIGGER, status=HTTPStatus.ACCEPTED, shares=_has_no_name)
def enqueue_run(desk: Desk, asked: RunWanted) -> Enqueued:
    """Queue one run of a job with arguments. It is stored before this answers."""
    positional, named = arguments(asked.args, asked.kwargs)
    function = _as_asked(desk, asked)
    [handle] = function.enqueue_calls([(tuple(positional), named)], keyed=_keyed(desk, asked, function))
    return Enqueued(run=handle.id, existed=handle.existed, url=_url(desk, handle.id))


class RunsWanted(RunTerms, frozen=True, kw_only=True):
    """Many runs of one job on the same terms."""

    calls: tuple[tuple[Any, ...] | Mapping[str, Any], ...]
    """For each run its arguments, by name or in order; a thousand at most."""


class AllEnqueued(Struct, frozen=True, kw_only=True):
    """The runs that stand for what was asked, in its order."""

    runs: list[Enqueued]


@operation("POST", "/api/v1/runs/bulk", needs=Capability.TRIGGER, status=HTTPStatus.ACCEPTED)
def enqueue_runs(desk: Desk, asked: RunsWanted) -> AllEnqueued:
    """Queue runs of a job, one for each call, all or none."""
    if len(asked.calls) > MOST_AT_ONCE:
        raise BadRequest("calls", f"there are {len(asked.calls):,}, and {MOST_AT_ONCE:,} is the most at once")
    calls = [(tuple(args), named) for args, named in (arguments(call, None) for call in asked.calls)]
    function = _as_asked(desk, asked)
    handles = function.enqueue_calls(calls, keyed=_keyed(desk, asked, function))
    return AllEnqueued(
        runs=[Enqueued(run=one.id, existed=one.existed, url=_url(desk, one.id)) for one in handles],
    )


def _keyed(desk: Desk, asked: RunTerms, function: JobFunction[Any, Any, Any]) -> Keyed | None:
    # A run has one name. Where it has one of its own, that is better than the number of a message.
    is_named = function.options.unique is not None
    return None if is_named and desk.door == MESSAGE_DOOR else desk.keyed(asked)


def _as_asked(desk: Desk, asked: RunTerms) -> JobFunction[Any, Any, Any]:
    """Return the job with the terms that were asked for."""
    if asked.delay is not None and asked.at is not None:
        raise BadRequest("at", "delay and at: one of the two")
    if asked.at is not None and asked.at.tzinfo is None:
        raise BadRequest("at", "it has no zone: write 2026-11-20T02:00:00Z, or with an offset")
    function = desk.app.find(asked.job)
    terms = {name: value for name, value in _terms(asked).items() if value is not None}
    return function.using(**terms) if terms else function


def _terms(asked: RunTerms) -> Mapping[str, Any]:
    return {
        "tenant": asked.tenant,
        "user_id": asked.user,
        "queue": asked.queue,
        "priority": asked.priority,
        "delay": asked.delay,
        "at": asked.at,
        "expires": asked.expires,
        "key": asked.key,
        "unique": asked.unique,
        "unique_while": asked.unique_while,
        "unique_for": asked.unique_for,
        "on_conflict": asked.on_conflict,
    }


def _url(desk: Desk, run_id: str) -> str:
    return f"{desk.root}/api/v1/runs/{run_id}"
