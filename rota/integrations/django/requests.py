"""The job context of a Django request: who asked for work, and for which tenant (R37)."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from rota.app import Rota
from rota.errors import ConfigurationError
from rota.integrations.django.configuration import Configuration
from rota.job_context import JobContext, from_requests
from rota.place import named_object

_current: ContextVar[HttpRequest | None] = ContextVar("rota_django_request", default=None)


class RequestMiddleware:
    """Keeps the request at hand while it is answered: `JobContext.from_request()` reads it, and so does `.enqueue`.

    Below those that find out who asks: authentication, and the tenant.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response
        # Here: whoever has not named it in MIDDLEWARE is told so.
        from_requests(of_this_request)
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._answer(request)
        before = _current.set(request)
        try:
            answer: HttpResponseBase = self._get_response(request)
        finally:
            _current.reset(before)
        return answer

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        before = _current.set(request)
        try:
            answer: HttpResponseBase = await self._get_response(request)
        finally:
            _current.reset(before)
        return answer


def carry(rota: Rota, said: Configuration) -> None:
    """Have the job context of a request carried into the runs that it enqueues."""
    global _make
    _make = _named(said.context) if said.context else context_of
    rota.carry_job_context(attributes=said.context_attributes)


def of_this_request() -> JobContext | None:
    """Return the job context of the request that this code answers; None outside of one."""
    request = _current.get()
    return None if request is None else _make(request)


def context_of(request: HttpRequest) -> JobContext:
    """Return what every project's requests say: the user who is logged in, and the tenant that django-tenants found."""
    user = getattr(request, "user", None)
    tenant = getattr(request, "tenant", None)
    return JobContext(
        tenant=getattr(tenant, "schema_name", None),
        user_id=str(user.pk) if user is not None and user.is_authenticated else None,
    )


def _named(place: str) -> Callable[[HttpRequest], JobContext]:
    """Return a function that is imported when there is a request: it may need models, which come after settings."""

    def make(request: HttpRequest) -> JobContext:
        context = named_object(place)(request)  # type: ignore[operator]  # what is no function says so by itself
        if not isinstance(context, JobContext):
            raise ConfigurationError(f"context in ROTA: {place} returned {type(context).__name__}, and no JobContext")
        return context

    return make


_make: Callable[[HttpRequest], JobContext] = context_of
"""What makes the job context of a request, as the settings say."""
