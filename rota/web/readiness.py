"""Whether it can do what it is asked: for whoever sends it requests, or not yet."""

from http import HTTPStatus

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from rota.app import Rota
from rota.core.access import Capability
from rota.core.controls import ControlKind
from rota.core.safe import safe_text
from rota.errors import RotaError
from rota.redaction import redacted
from rota.web.gate import PRINCIPAL
from rota.web.problem import RETRY_AFTER_S

LOOKS_EVERY_S = 1.0
"""Seconds for which nobody looks again: strangers ask, too."""


class Readiness:
    """Opens the store, whose schema is checked with it, and asks it something small."""

    def __init__(self, app: Rota) -> None:
        self._app = app
        self._trouble: str | None = None
        self._looked_at: float | None = None

    async def answer(self, request: Request) -> Response:
        """Say whether it is ready; why not is told to those who may read."""
        at = self._app.clock.monotonic()
        if self._looked_at is None or at - self._looked_at >= LOOKS_EVERY_S:
            self._looked_at = at
            self._trouble = await to_thread.run_sync(self._look)
        is_ready = self._trouble is None
        told: dict[str, str] = {"status": "ready" if is_ready else "not ready"}
        principal = request.scope.get(PRINCIPAL)
        if principal is not None and principal.may(Capability.READ) and self._trouble is not None:
            told["why"] = self._trouble
        return Response(
            msgspec.json.encode(told),
            status_code=HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE,
            media_type="application/json",
            headers={} if is_ready else {"Retry-After": str(RETRY_AFTER_S)},
        )

    def _look(self) -> str | None:
        try:
            self._app.store.control(ControlKind.PAUSE, "")
        except RotaError as error:
            return safe_text(redacted(str(error)))
        return None
