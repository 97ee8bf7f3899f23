"""Whether it is alive, for whoever restarts it."""

from starlette.requests import Request
from starlette.responses import Response

ALIVE = b'{"status":"ok"}'
OPEN_TO_ALL = b'{"status":"ok","auth":"off"}'
"""Said while authentication is off, so that nobody forgets it (T9)."""


async def healthz(request: Request) -> Response:
    """Say that this process answers. It asks nobody: a store that is away is no reason to restart it."""
    return Response(
        OPEN_TO_ALL if request.app.state.auth_is_off else ALIVE,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
