"""Who asked for work, as plain data that goes along with it: from a web request into the job (R37)."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec
from msgspec import Struct

from rota.carrying import Carriers
from rota.context import current_run
from rota.core.carried import fields
from rota.core.codec import decode, encode
from rota.core.plain import resolved
from rota.errors import CarriedUnreadable, ConfigurationError, ContextMismatch, NoJobContext, NotDecodable

VERSION = 1
NAME = "job_context"
"""Under which it is carried."""

SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|authorization|cookie|csrf|session|bearer|jwt|api_?key|private_?key",
    re.IGNORECASE,
)
"""What a name looks like whose value does not belong into a store."""

RequestSource = Callable[[], "JobContext | None"]


class JobContext(Struct, frozen=True, kw_only=True):
    """For which tenant and user work is done, with what else the application says of them. No secrets."""

    tenant: str | None = None
    user_id: str | None = None
    attributes: Mapping[str, Any] = {}
    """What has a JSON form, by names that `rota.carry_job_context` was told."""

    def serialize(self) -> dict[str, Any]:
        """Return it as plain data with a version, for a place that is not an enqueue: a row, a file, a message.

        Raises:
            ConfigurationError: a name in it looks like that of a secret.
            NotJson: an attribute has no JSON form.
        """
        refuse_secrets(self.attributes)
        fields = {"tenant": self.tenant, "user_id": self.user_id, "attributes": dict(self.attributes)}
        plain: dict[str, Any] = msgspec.json.decode(encode({"version": VERSION, "context": fields}))
        return plain

    @classmethod
    def deserialize(cls, data: Mapping[str, Any] | str | bytes) -> "JobContext":
        """Return what `serialize` gave, as data or as its JSON text.

        Raises:
            CarriedUnreadable: it is broken, or of a version that is not known here.
        """
        what = "a job context"
        try:
            found = decode(data) if isinstance(data, str | bytes) else resolved(dict(data))
            read = fields(found, version=VERSION, what=what, field="context")
            # Attributes as they come: what reads like JSON of another kind stays what it is.
            return msgspec.convert(read, cls)
        except (NotDecodable, msgspec.ValidationError) as error:
            raise CarriedUnreadable(what, str(error)) from None

    @classmethod
    def from_request(cls) -> "JobContext":
        """Return the context of the web request that this code answers.

        Raises:
            NoJobContext: it answers none, or no framework has said how to read one.
        """
        for source in _sources:
            context = source()
            if context is not None:
                return context
        if _sources:
            raise NoJobContext(
                "there is no web request here to take a job context from: outside of one say it yourself, "
                "with JobContext(tenant=..., user_id=...).entered(): ..."
            )
        raise NoJobContext(
            "nobody here reads a job context from a web request: Rota's RequestMiddleware does in Django, FastAPI and "
            "Starlette, FlaskRota in Flask, else rota.job_context.from_requests(function); outside of a request say it "
            "yourself, with JobContext(tenant=..., user_id=...).entered(): ..."
        )

    @classmethod
    def current(cls) -> "JobContext":
        """Return the context of the run that this code belongs to, or of the `entered` block around it.

        Raises:
            NoJobContext: there is none. Never a default (R22).
        """
        context = _current.get()
        if context is not None:
            return context
        run = current_run.get()
        if run is None:
            raise NoJobContext("there is no job context here: this code belongs to no run, and to no `entered` block")
        raise NoJobContext(
            f"run {run.id} of job {run.job!r} came without a job context: it was enqueued outside of a request and of "
            "a run that has one, or by a schedule"
        )

    @contextmanager
    def entered(self) -> "Iterator[JobContext]":
        """Make it the current one for the length of the block: what is enqueued there carries it."""
        before = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(before)


_current: ContextVar[JobContext | None] = ContextVar("rota_job_context", default=None)

# Of the process and not of an application, as the frameworks' own "current request" is: a model or a helper that asks
# for the context of its request knows no application.
_sources: list[RequestSource] = []


def from_requests(source: RequestSource) -> RequestSource:
    """Have `JobContext.from_request` ask this function too, which returns None outside of its framework's requests.

    What an integration calls once, when it is set up. Returns the function, to be used as a decorator.
    """
    if source not in _sources:
        _sources.append(source)
    return source


def carry_job_context(carriers: Carriers, *, attributes: Collection[str] = ()) -> None:
    """Carry the job context of a request, or of the run that enqueues, into each run: `JobContext.current()`.

    `attributes` are the names that it may hold besides tenant and user (R37); they are looked at for each enqueue.

    Raises:
        ConfigurationError: a name looks like that of a secret, or it is carried already.
    """
    refuse_secrets(dict.fromkeys(attributes))

    def get() -> dict[str, Any] | None:
        context = _current.get() or _asked()
        if context is None:
            return None
        unknown = sorted(set(context.attributes).difference(attributes))
        if unknown:
            raise ConfigurationError(
                f"the job context has the attributes {', '.join(unknown)}, which nobody registered: "
                "rota.carry_job_context(attributes=[...]) names what may go into the store"
            )
        return context.serialize()

    @contextmanager
    def enter(data: Mapping[str, Any]) -> Iterator[None]:
        with _of_this_run(JobContext.deserialize(data)).entered():
            yield

    carriers.carry(NAME, get=get, enter=enter)


def _asked() -> JobContext | None:
    return next((context for source in _sources if (context := source()) is not None), None)


def _of_this_run(context: JobContext) -> JobContext:
    run = current_run.get()
    if run is not None and None not in (run.tenant, context.tenant) and run.tenant != context.tenant:
        raise ContextMismatch(context=context.tenant or "", wanted=run.tenant or "", where=f"run {run.id}")
    return context


def refuse_secrets(value: object, *, at: str = "") -> None:
    """Refuse names, at any depth, that look like those of secrets.

    Raises:
        ConfigurationError: names the one.
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            where = f"{at}.{name}" if at else str(name)
            if SECRET.search(str(name)):
                raise ConfigurationError(
                    f"a job context must not hold {where!r}: it looks like a secret, and what a run carries is stored "
                    "and shown; have the job fetch it by the user's id"
                )
            refuse_secrets(item, at=where)
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_secrets(item, at=at)
