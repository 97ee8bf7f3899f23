"""Whether it is alive, for whoever restarts it."""

from starlette.requests import Request
from starlette.responses import Response

ALIVE = b'{"status":"ok"}'


async def healthz(_request: Request) -> Response:
    """Say that this process answers. It asks nobody: a store that is away is no reason to restart it."""
    return Response(ALIVE, media_type="application/json", headers={"Cache-Control": "no-store"})
