"""What went wrong, as `application/problem+json` (RFC 9457) says it."""

import logging
import secrets
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from rota.core.claims import Untrusted
from rota.core.safe import safe_text
from rota.errors import (
    BacklogFull,
    BadArguments,
    BadRequest,
    BadSchedule,
    BadSearch,
    ConfigurationError,
    Forbidden,
    KeyReused,
    NotFound,
    Refused,
    RotaError,
    StoreUnavailable,
    TenantGone,
    TenantListFailed,
    TooFast,
    WaitTimedOut,
)
from rota.exits import Exit, code_of, exit_of, hint_of
from rota.redaction import redacted

RETRY_AFTER_S = 5
"""When to ask again whoever could not be served."""

log: logging.Logger = logging.getLogger(__name__)


def status_of(error: Exception) -> HTTPStatus:
    """Return the status that an error has over HTTP."""
    match error:
        case Untrusted():
            return HTTPStatus.UNAUTHORIZED
        case Forbidden():
            return HTTPStatus.FORBIDDEN
        case NotFound() | TenantGone():
            return HTTPStatus.NOT_FOUND
        case KeyReused():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case TooFast():
            return HTTPStatus.TOO_MANY_REQUESTS
        case BacklogFull():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case Refused():
            return HTTPStatus.CONFLICT
        case BadArguments() | BadRequest() | BadSchedule() | BadSearch() | ConfigurationError():
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case StoreUnavailable() | TenantListFailed() | WaitTimedOut():
            return HTTPStatus.SERVICE_UNAVAILABLE
        case RotaError() if exit_of(error) is Exit.USAGE:
            # What a command would call a slip of whoever typed it.
            return HTTPStatus.UNPROCESSABLE_ENTITY
        case _:
            return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: Exception) -> Response:
    """Return the answer to a request that met an error; what nobody foresaw is logged, and its text kept back (T57)."""
    status = status_of(error)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, RotaError):
        reference = secrets.token_hex(6)
        log.error("a request failed, reference %s", reference, exc_info=error)
        detail = f"a bug in Rota; its log has it under {reference}"
        return problem(status, code="internal_error", detail=detail, reference=reference)
    answer = problem(
        status,
        code=code_of(error),
        detail=safe_text(redacted(str(error))),
        hint=hint_of(error),
        field=getattr(error, "field", None),
        exit_code=exit_of(error),
    )
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        answer.headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
    return answer


def problem(
    status: HTTPStatus,
    *,
    code: str,
    detail: str,
    hint: str | None = None,
    field: str | None = None,
    exit_code: Exit | None = None,
    reference: str | None = None,
) -> Response:
    """Return an answer that says what is wrong.

    `exit_code`: what a command ends with that is told so; `reference`: what the log has it under.
    """
    told = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "hint": hint,
        "field": field,
        "exit": None if exit_code is None else int(exit_code),
        "id": reference,
    }
    body = msgspec.json.encode({name: value for name, value in told.items() if value is not None})
    return Response(
        body, status_code=status, media_type="application/problem+json", headers={"Cache-Control": "no-store"}
    )
