"""Who may ask for what: a line for each address of the door. One without a line is not served at all (T11)."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from rota.core.access import Capability, Principal
from rota.errors import ConfigurationError, Forbidden
from rota.operations.logs import read_log
from rota.operations.table import OPERATIONS
from rota.web.caller import caller_of
from rota.web.gate import PRINCIPAL, SIGN_IN
from rota.web.problem import problem_of

log: logging.Logger = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


class Pass(StrEnum):
    """Who may ask where no capability is needed."""

    ANYBODY = "anybody"
    """Also who does not say who he is: stands in `gate.OPEN` too, to the letter."""
    NAMED = "named"
    """Whoever shows who he is."""


Needs = Pass | Capability

OTHERS: Mapping[str, Needs] = {
    "GET /healthz": Pass.ANYBODY,
    "GET /readyz": Pass.ANYBODY,
    "GET /metrics": Capability.READ,
    f"GET {read_log.path}/stream": read_log.needs,
    f"GET {SIGN_IN}": Pass.NAMED,
    f"POST {SIGN_IN}": Pass.NAMED,
    f"DELETE {SIGN_IN}": Pass.NAMED,
    "GET /api/openapi.json": Pass.NAMED,
    "GET /api/docs": Pass.NAMED,
    "GET /api/docs/swagger-ui.css": Pass.NAMED,
    "GET /api/docs/swagger-ui-bundle.js": Pass.NAMED,
    "GET /api/docs/start.js": Pass.NAMED,
}
"""What addresses need that are no operations."""

POLICY: Mapping[str, Needs] = {**{f"{one.method} {one.path}": one.needs for one in OPERATIONS}, **OTHERS}
"""What every address needs, by method and path."""


def guarded(method: str, path: str, endpoint: Endpoint) -> Endpoint:
    """Return an endpoint that looks at who asks before it does anything.

    Raises:
        ConfigurationError: the address has no line in `POLICY`.
    """
    wanted = _line(method, path)

    async def answer(request: Request) -> Response:
        principal: Principal | None = request.scope.get(PRINCIPAL)
        if isinstance(wanted, Capability) and (principal is None or not principal.may(wanted)):
            log.warning("refused %s %s by %s: no %s", request.method, path, caller_of(request.scope), wanted)
            return problem_of(Forbidden(f"this needs the capability {str(wanted)!r}"))
        return await endpoint(request)

    return answer


def _line(method: str, path: str) -> Needs:
    asked = f"{method} {path}"
    if asked not in POLICY:
        raise ConfigurationError(f"{asked} has no line in rota.web.policy: nobody may ask for it")
    return POLICY[asked]
