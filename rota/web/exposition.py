"""`/metrics`: what Prometheus and those who speak like it read."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from rota.app import Rota
from rota.core.access import Capability
from rota.errors import Forbidden, RotaError
from rota.metrics import openmetrics, prometheus
from rota.web.gate import PRINCIPAL
from rota.web.problem import problem_of

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"

DOOR = """\
# HELP rota_auth_disabled Whether everybody may do everything here: DISABLE_AUTH.
# TYPE rota_auth_disabled gauge
rota_auth_disabled {}
"""


def exposition(app: Rota, *, auth_is_off: bool) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers for metrics. They are of all jobs and tenants: whoever sees only some is refused."""

    async def answer(request: Request) -> Response:
        principal = request.scope[PRINCIPAL]
        wants_open = "application/openmetrics-text" in request.headers.get("accept", "")
        try:
            if not principal.may(Capability.READ):
                raise Forbidden("metrics need the capability 'read'")
            if not principal.knows_everything:
                raise Forbidden("metrics are for those who may see all jobs and all tenants")
            text = await to_thread.run_sync(openmetrics if wants_open else prometheus, app)
        except RotaError as error:
            return problem_of(error)
        # In front: one format ends with a mark of its own.
        return Response(
            DOOR.format(int(auth_is_off)) + text,
            status_code=HTTPStatus.OK,
            media_type=None,
            headers={"Content-Type": OPEN if wants_open else PLAIN, "Vary": "Accept"},
        )

    return answer
