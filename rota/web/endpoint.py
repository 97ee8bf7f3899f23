"""An operation as an address: the request read, the desk asked, the answer written."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from typing import Any

import msgspec
from anyio import CapacityLimiter, move_on_after, to_thread
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from rota.app import Rota
from rota.audit import Caller, called_by
from rota.errors import BadRequest, Forbidden, RotaError
from rota.operations.operation import MESSAGE_DOOR, Desk, Method, Operation
from rota.operations.wire import question
from rota.redaction import redacted_json
from rota.web import sqsd
from rota.web.caller import caller_of
from rota.web.ferry import Ferry
from rota.web.gate import DAEMON, PRINCIPAL, SOURCE
from rota.web.pacing import Brakes
from rota.web.precondition import conditioned, etag_of
from rota.web.problem import RETRY_AFTER_S, problem, problem_of
from rota.web.strict_json import parsed

DOOR = "api"
log: logging.Logger = logging.getLogger(__name__)

NO_STORE = {"Cache-Control": "no-store"}
MOST_SLOW = 20
"""How many of the same slow operation go on at once; the next ones wait."""


def endpoint(app: Rota, operation: Operation[Any, Any], *, brakes: Brakes) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers requests for an operation. The store is asked in a thread: one hop each, or for several."""
    # Threads of their own: those who wait for a minute must not take all that the others share.
    limiter = CapacityLimiter(MOST_SLOW) if operation.is_slow else None
    ferry: Ferry[_Said] = Ferry()
    longest = app.settings.web.answer_timeout.total_seconds()

    async def answer(request: Request) -> Response:
        try:
            asked = question(
                operation,
                path=request.path_params,
                query=request.query_params.multi_items(),
                body=await _body(request) if operation.method.has_body else None,
            )
            if operation.method is not Method.GET:
                asked = conditioned(asked, request.headers)
            desk = Desk(
                app=app,
                principal=request.scope[PRINCIPAL],
                door=MESSAGE_DOOR if request.scope.get(DAEMON) else DOOR,
                key=_key(request) if operation.method is Method.POST else "",
                root=request.scope.get("root_path", ""),
            )
            with called_by(Caller(token=desk.principal.token_id, source=request.scope[SOURCE])):
                # Who waits no longer is told so. The thread goes on: what was begun comes to its end.
                with move_on_after(None if operation.is_slow else longest) as left:
                    ask = partial(_ask, desk, operation, asked, brakes)
                    if operation.may_share(desk, asked):
                        said, url, etag = await ferry.take(ask)
                    else:
                        said, url, etag = await to_thread.run_sync(ask, limiter=limiter, abandon_on_cancel=True)
                if left.cancelled_caught:
                    return _late()
        except RotaError as error:
            if isinstance(error, Forbidden):
                log.warning("refused %s by %s: %s", operation.name, caller_of(request.scope), error)
            return problem_of(error)
        if operation.method is not Method.GET:
            # Of what may be shared there are thousands a second.
            level = logging.DEBUG if operation.is_frequent else logging.INFO
            if log.isEnabledFor(level):
                log.log(level, "let through %s by %s", operation.name, caller_of(request.scope))
        if etag is None and operation.method is Method.GET:
            etag = _tag(said)
        told = {"Location": url, "ETag": etag}
        headers = {**NO_STORE, **{name: value for name, value in told.items() if value is not None}}
        # The daemon takes 200 for done; whatever else is said, it comes again.
        status = HTTPStatus.OK if request.scope.get(DAEMON) else operation.status
        if operation.method is Method.GET and etag is not None and etag in request.headers.get("if-none-match", ""):
            # Whoever looks again and again is spared the rest.
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(said, status_code=status, media_type="application/json", headers=headers)

    return answer


_Said = tuple[bytes, str | None, str | None]


def _ask(desk: Desk, operation: Operation[Any, Any], asked: Any, brakes: Brakes) -> _Said:
    """Return the answer as JSON, the address of what came of it, and its version."""
    if operation.makes_runs:
        tenants = [*(getattr(asked, "tenants", None) or ()), *([asked.tenant] if hasattr(asked, "tenant") else ())]
        runs = max(len(getattr(asked, "calls", ())), len(tenants), 1)
        # The pace of a tenant that there is not for it is neither used up nor told.
        theirs = [one for one in tenants if one is not None and desk.principal.knows_tenant(one)]
        brakes.check(desk.app.store, tenants=theirs, runs=runs)
    answer = replace(desk, app=desk.app.seen_by(desk.principal)).ask(operation, asked)
    url = getattr(answer, "url", None) if operation.status in (HTTPStatus.ACCEPTED, HTTPStatus.CREATED) else None
    said = msgspec.json.encode(answer) if operation.shows_secrets else redacted_json(answer)
    return said, url, etag_of(answer)


def _tag(said: bytes) -> str:
    """Return what tells an answer from another one; weak, since it may be sent packed."""
    return f'W/"{blake2b(said, digest_size=12).hexdigest()}"'


def _key(request: Request) -> str:
    """Return the key that it is asked under, with or without quotes; "" without one.

    Raises:
        BadRequest: there are several, or it is empty.
    """
    # A queue may deliver a message twice: it is its own key.
    given = request.headers.getlist(sqsd.MESSAGE if request.scope.get(DAEMON) else "idempotency-key")
    if not given:
        return ""
    key = given[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(given) > 1 or not key:
        raise BadRequest("Idempotency-Key", "one key, of one request")
    return key


def _late() -> Response:
    answer = problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code="too_slow",
        detail="it took too long, and may still be done: ask how it stands, or again under the same Idempotency-Key",
    )
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer


async def _body(request: Request) -> object:
    content = await request.body()
    if not content:
        # Nothing said is all as it is by default; `null` is something else.
        return {}
    return parsed(content)
