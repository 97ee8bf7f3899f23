"""Whoever the application says that it is in which the door is mounted."""

import inspect
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum

from anyio import to_thread
from msgspec import Struct
from starlette.requests import Request

from rota.core.access import Capability, Principal
from rota.core.claims import Untrusted
from rota.web.authority.same_origin import check_same_origin
from rota.web.head import Head


class Role(StrEnum):
    """What a user of the application may do."""

    VIEWER = "viewer"
    """See."""
    OPERATOR = "operator"
    """And start, retry, cancel, pause, backfill."""
    ADMIN = "admin"
    """And everything else."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        match self:
            case Role.VIEWER:
                return frozenset({Capability.READ})
            case Role.OPERATOR:
                return frozenset({Capability.READ, Capability.TRIGGER, Capability.MANAGE})
            case Role.ADMIN:
                return frozenset(Capability)


class User(Struct, frozen=True, kw_only=True):
    """A user of the application, and what there is for him. Of no tenant unless it is said of which."""

    name: str
    role: Role = Role.VIEWER
    tenants: frozenset[str] | None = frozenset()
    """None is all of them."""
    jobs: tuple[str, ...] = ("*",)

    def principal(self) -> Principal:
        """Return him as somebody who asks."""
        return Principal(
            subject=self.name, capabilities=Role(self.role).capabilities, jobs=self.jobs, tenants=self.tenants
        )


Resolved = Principal | User | None
ResolveUser = Callable[[Request], Resolved | Awaitable[Resolved]]
"""Returns who sent a request; None is nobody. An `async def`, or a function, which is called in a thread."""


class Host:
    """Asks the application. What it knows of a browser comes by cookie, so pages of others are kept out here."""

    is_off = False

    def __init__(self, resolve_user: ResolveUser) -> None:
        self._resolve_user = resolve_user

    async def principal(self, head: Head, *, now: datetime) -> Principal:
        authorization = head.headers.get("authorization", "").lower()
        # A browser sends cookies and passwords along by itself; a token is sent by who has it.
        check_same_origin(head, strict="cookie" in head.headers and not authorization.startswith("bearer "))
        request = Request(head.scope)
        if inspect.iscoroutinefunction(self._resolve_user):
            resolved = await self._resolve_user(request)
        else:
            resolved = await to_thread.run_sync(self._resolve_user, request)
            if inspect.isawaitable(resolved):
                # A lambda around a coroutine, or an object that is called as one.
                resolved = await resolved
        match resolved:
            case Principal():
                return resolved
            case User():
                return resolved.principal()
            case None:
                raise Untrusted("the application knows nobody there")
            case _:
                raise TypeError(f"resolve_user returned {type(resolved).__name__}: a User, a Principal or None is due")
