"""An operation as an address: the request read, the desk asked, the answer written."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from rota.app import Rota
from rota.core.access import Principal
from rota.errors import BadRequest, RotaError
from rota.operations.operation import Desk, Operation
from rota.operations.wire import question
from rota.redaction import redacted_within
from rota.web.gate import PRINCIPAL
from rota.web.problem import problem_of

DOOR = "api"
NO_STORE = {"Cache-Control": "no-store"}


def endpoint(app: Rota, operation: Operation[Any, Any]) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers requests for an operation. The store is asked in a thread: one hop each."""

    async def answer(request: Request) -> Response:
        try:
            asked = question(
                operation,
                path=request.path_params,
                query=request.query_params.multi_items(),
                body=await _body(request) if operation.method.has_body else None,
            )
            said = await to_thread.run_sync(_ask, app, request.scope[PRINCIPAL], operation, asked)
        except RotaError as error:
            return problem_of(error)
        return Response(said, status_code=operation.status, media_type="application/json", headers=NO_STORE)

    return answer


def _ask(app: Rota, principal: Principal, operation: Operation[Any, Any], asked: Any) -> bytes:
    desk = Desk(app=app.seen_by(principal), principal=principal, door=DOOR)
    answer = desk.ask(operation, asked)
    return msgspec.json.encode(redacted_within(msgspec.to_builtins(answer)))


async def _body(request: Request) -> object:
    content = await request.body()
    if not content:
        return None
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise BadRequest("", f"the body is no JSON: {error}") from None
