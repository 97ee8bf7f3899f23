"""One thing that can be asked of an application: what it needs, what it is asked, what it answers.

An operation is a function of a desk and a question. Beside it stands what HTTP needs to know, so that the API, its
document, the command with `--url` and the table of who may do what are all made from the one list in `table`.
"""

import inspect
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, Generic, Protocol, TypeVar, get_type_hints

import msgspec
from msgspec import Meta, Struct

from rota.app import Rota
from rota.core.access import Capability, Principal
from rota.core.keyed import Keyed, keyed
from rota.errors import BadRequest, Forbidden

MESSAGE_DOOR = "sqsd"
"""What comes by it is a message of a queue, each with a key of its own, whether one is wanted or not."""


class Question(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operation is asked: each field stands in the path, in the query, or in the body."""


PLACE = ("", "api", "v1")
"""Words of paths that say where, and not what."""

Asked = TypeVar("Asked", bound=Question)
Answer = TypeVar("Answer")
Row = TypeVar("Row")

Instant = Annotated[datetime, Meta(tz=True)]
"""A point in time, always with its offset: what a question takes."""


Limit = Annotated[int, Meta(ge=1, le=1000)]
"""How many rows at most."""

Cursor = Annotated[str, Meta(pattern="^[!-~]*$")]
"""The id of the last row of the page before."""


class Nothing(Question, frozen=True):
    """An operation that has nothing to be asked."""


class Next(Struct, frozen=True, kw_only=True):
    """Where a list goes on."""

    next: str | None = None
    """The `cursor` of the next page; null on the last one."""


class Page(Struct, Generic[Row], frozen=True, kw_only=True):
    """Some rows of a list, in the order that the operation says."""

    data: list[Row]
    page: Next = Next()
    warnings: list[str] = []
    """What the reader should know of this answer, such as that only the newest runs were looked at."""


class Method(StrEnum):
    """How it is asked over HTTP. GET changes nothing."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"

    @property
    def has_body(self) -> bool:
        return self in (Method.POST, Method.PUT, Method.PATCH)


class Asking(Protocol):
    """Whoever operations are put to: a desk in this process, or one that is reached over HTTP."""

    def ask(self, operation: "Operation[Asked, Answer]", asked: Asked) -> Answer:
        """Return the answer; errors are those of the operation."""


class Operation(Generic[Asked, Answer]):
    """A function that is asked from outside, with what HTTP needs to know of it."""

    def __init__(
        self,
        does: "Callable[[Desk, Asked], Answer]",
        *,
        method: Method,
        path: str,
        needs: Capability,
        is_whole: bool,
        is_slow: bool,
        status: HTTPStatus,
        shows_secrets: bool = False,
        shares: "Callable[[Desk, Any], bool] | None" = None,
    ) -> None:
        hints = get_type_hints(does)
        _, question = inspect.signature(does).parameters
        self.does = does
        self.method = method
        self.path = path
        self.needs = needs
        self.is_whole = is_whole
        self.is_slow = is_slow
        self.status = status
        self.shows_secrets = shows_secrets
        self._shares = shares
        self.name: str = does.__name__
        self.text: str = inspect.getdoc(does) or ""
        self.asks: type[Asked] = hints[question]
        self.answers: Any = hints["return"]

    @property
    def noun(self) -> str:
        """Return what it is about, as its path says: `runs`, `schedules`."""
        return next(word for word in self.path.split("/") if word not in PLACE)

    def __repr__(self) -> str:
        return f"Operation({self.method} {self.path})"

    @property
    def makes_runs(self) -> bool:
        """Return whether what is asked of it is work for later."""
        return self.needs is Capability.TRIGGER and self.status is HTTPStatus.ACCEPTED

    @property
    def takes_key(self) -> bool:
        """Return whether it is done once under an Idempotency-Key."""
        return self.status is HTTPStatus.ACCEPTED

    @property
    def is_frequent(self) -> bool:
        """Return whether it is asked thousands of times a second."""
        return self._shares is not None

    def may_share(self, desk: "Desk", asked: Asked) -> bool:
        """Return whether this question may be put together with those of others (`rota.gathering.together`)."""
        return self._shares is not None and self._shares(desk, asked)


class Desk(Struct, frozen=True, kw_only=True):
    """The application as somebody sees it. Asking is where it is decided whether he may."""

    app: Rota
    """With the jobs, tenants and runs that there are for the principal, and no others."""
    principal: Principal
    door: str
    """Where he came in: `cli`, `api`."""
    key: str = ""
    """The Idempotency-Key that it is asked under; "" without one."""
    root: str = ""
    """The prefix of addresses in answers, where the door is mounted under one."""

    @property
    def actor(self) -> str:
        """Return who it was, for the audit."""
        return f"{self.door}:{self.principal.subject}"

    def keyed(self, asked: Question) -> Keyed | None:
        """Return a question with the key that it is asked under; None without one.

        Raises:
            BadRequest: that is no key.
        """
        if not self.key:
            return None
        who, subject = self.principal, self.actor
        if not who.knows_everything:
            # "All tenants" is not the same to two tokens of one subject: one must not be answered what the other did.
            tenants = None if who.tenants is None else sorted(who.tenants)
            subject = msgspec.json.encode([subject, sorted(who.jobs), tenants]).decode()
        try:
            return keyed(
                self.key, subject=subject, question=[type(asked).__name__, msgspec.to_builtins(asked, str_keys=True)]
            )
        except ValueError as error:
            raise BadRequest("Idempotency-Key", str(error)) from None

    def ask(self, operation: Operation[Asked, Answer], asked: Asked) -> Answer:
        """Do it, if the principal may.

        Raises:
            Forbidden: it lacks the capability, or sees only some tenants and jobs where the operation is about all.
        """
        if not self.principal.may(operation.needs):
            raise Forbidden(f"{operation.name} needs the capability {str(operation.needs)!r}")
        if operation.is_whole and not self.principal.knows_everything:
            raise Forbidden(f"{operation.name} is for those who may see all jobs and all tenants")
        return operation.does(self, asked)


def operation(
    method: str,
    path: str,
    *,
    needs: Capability,
    is_whole: bool = False,
    is_slow: bool = False,
    status: HTTPStatus = HTTPStatus.OK,
    shows_secrets: bool = False,
    shares: "Callable[[Desk, Any], bool] | None" = None,
) -> "Callable[[Callable[[Desk, Asked], Answer]], Operation[Asked, Answer]]":
    """Make an operation of a function.

    `path` names fields of the question in braces; the others stand in the query of GET and DELETE, else in the body.
    `is_whole`: it tells of all tenants and jobs at once, and is refused to who sees only some. `is_slow`: it may take
    a minute, and must keep nobody else waiting. `shows_secrets`: its answer is what was asked for, a secret, which is
    else taken out of every answer. `shares`: whether a question is asked by thousands, and answered in no time but for
    one write that is handed in.
    """

    def made(does: Callable[[Desk, Asked], Answer]) -> Operation[Asked, Answer]:
        return Operation(
            does,
            method=Method(method),
            path=path,
            needs=needs,
            is_whole=is_whole,
            is_slow=is_slow,
            status=status,
            shows_secrets=shows_secrets,
            shares=shares,
        )

    return made
