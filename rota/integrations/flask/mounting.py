"""The HTTP door under a prefix of the application."""

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import create_environ

from rota.errors import ConfigurationError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from starlette.requests import Request

    from rota.web.authority.host import Resolved, ResolveUser


def mount(app: Flask, prefix: str, make: "Callable[[], WSGIApplication]") -> None:
    """Answer under a prefix with what `make` returns, and as before elsewhere.

    Raises:
        ConfigurationError: the prefix is none.
    """
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ConfigurationError(f"mount({prefix!r}): a prefix begins with / and does not end with one, as '/rota'")
    # As Flask's documentation has it: https://flask.palletsprojects.com/en/stable/patterns/appdispatch/
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {prefix: Door(make)})  # type: ignore[method-assign]


def within_request(app: Flask, user: "Callable[[], Resolved]") -> "ResolveUser":
    """Return what asks `user` within a request of Flask's: with its `session`, and the user that is signed in there."""

    def resolve(request: "Request") -> "Resolved":
        environ = create_environ(
            path=request.url.path,
            base_url=str(request.base_url.replace(path="/")),
            query_string=request.url.query,
            method=request.method,
            headers=request.headers.items(),
        )
        with app.request_context(environ):
            return user()

    return resolve


class Door:
    """Makes the door when it is first knocked at: commands and workers make the application too, and have no use for
    it."""

    def __init__(self, make: "Callable[[], WSGIApplication]") -> None:
        self._make = make
        self._made: Any = None
        self._one_makes = threading.Lock()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self._one_makes:
            if self._made is None:
                self._made = self._make()
        answer: Iterable[bytes] = self._made(environ, start_response)
        return answer
