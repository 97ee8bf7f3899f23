"""Who asks, for the endpoints of an application beside the door: believed, or refused, as the door does it."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

from rota.core.access import Capability, Principal
from rota.web.gate import PRINCIPAL, Gate


def believed_by(door: Gate, *needed: Capability) -> Callable[[Request], Awaitable[Principal]]:
    """Return a dependency of FastAPI that is who asks: by the tokens, keys and sessions that open this door, with these
    capabilities. The endpoint is not called for anybody else: 401, or 403.

    `rota.seen_by(principal)` is the application as far as that one may see it.
    """

    async def believed(request: Request) -> Principal:
        refusal = await door.refusal(request.scope)
        if refusal is not None:
            names = ("www-authenticate", "retry-after")
            headers = {name: refusal.headers[name] for name in names if name in refusal.headers}
            raise HTTPException(refusal.status_code, headers=headers)
        principal: Principal = request.scope[PRINCIPAL]
        if missing := [one for one in needed if not principal.may(one)]:
            raise HTTPException(HTTPStatus.FORBIDDEN, detail=f"this token may not {missing[0]}")
        return principal

    return believed
