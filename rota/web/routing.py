"""Addresses: one per path, which knows all methods that it is asked with."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from rota.operations.operation import Method
from rota.operations.wire import NAMED
from rota.web.policy import Endpoint, guarded
from rota.web.problem import problem

OFTEN = frozenset({"/healthz", "/api/v1/runs", "/scheduler/run/{job_name}"})
"""Looked at before all others, which are a hundred: what is asked thousands of times a second. No other path begins as
the one with a name does."""


class Methods:
    """What answers at one path, by method. Asked otherwise it says which ones there are (RFC 9110, 15.5.6)."""

    def __init__(self, answers: Mapping[str, Endpoint]) -> None:
        self.answers: dict[str, Endpoint] = dict(answers)
        if Method.GET in self.answers:
            # The same without a body, which the server leaves out.
            self.answers["HEAD"] = self.answers[Method.GET]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answers = self.answers.get(scope["method"])
        if answers is None:
            detail = f"this address is asked with {' or '.join(sorted(self.answers))}"
            answer = problem(HTTPStatus.METHOD_NOT_ALLOWED, code="no_method", detail=detail)
            answer.headers["Allow"] = ", ".join(sorted(self.answers))
        else:
            answer = await answers(Request(scope, receive))
        await answer(scope, receive, send)


class Address(NamedTuple):
    """What answers when a path is asked with a method."""

    method: str
    path: str
    answers: Endpoint


def routes(addresses: Iterable[Address]) -> list[Route]:
    """Return the routes of all addresses, each guarded as the policy says.

    A path of words comes before one with a name in its place, and a longer one before a shorter one: a tenant may be
    called `eu/acme`, so a name may hold what the longer one says after it.

    Raises:
        ConfigurationError: one has no line in the policy.
    """
    by_path: dict[str, dict[str, Endpoint]] = {}
    for method, path, answers in addresses:
        by_path.setdefault(path, {})[method] = guarded(method, path, answers)
    return [Route(NAMED.sub(r"{\1:path}", path), Methods(by_path[path])) for path in sorted(by_path, key=_named_last)]


def _named_last(path: str) -> tuple[bool, bool, int, list[tuple[bool, str]]]:
    words = path.split("/")
    return path not in OFTEN, "{" in path, -len(words), [(word.startswith("{"), word) for word in words]
