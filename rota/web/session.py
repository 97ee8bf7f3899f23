"""`/api/v1/session`: who is signed in, signing in, signing out (T38)."""

from http import HTTPStatus

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from rota.access.api_keys import PREFIX
from rota.app import Rota
from rota.core.access import Principal
from rota.core.credential import grant_of
from rota.errors import Refused, RotaError
from rota.operations.who_asks import WhoAsks
from rota.sessions import SignedIn
from rota.web.authority import Authority
from rota.web.authority.browsers import COOKIE, SIGNED_IN, Browsers, cookie_of
from rota.web.gate import PRINCIPAL, unauthorized
from rota.web.head import Head, head_of
from rota.web.policy import Endpoint
from rota.web.problem import problem_of


def session_endpoint(app: Rota, authority: Authority) -> Endpoint:
    """Return what answers for sessions. Who it is was found by the gate, from a token or from a cookie."""

    async def answer(request: Request) -> Response:
        head, principal = head_of(request.scope), request.scope[PRINCIPAL]
        try:
            match request.method:
                case "POST":
                    return await to_thread.run_sync(_sign_in, app, authority, head, principal)
                case "DELETE":
                    return await to_thread.run_sync(_sign_out, authority, head, principal)
                case _:
                    return _told(principal, request.scope.get(SIGNED_IN))
        except RotaError as error:
            return problem_of(error)

    return answer


def _sign_in(app: Rota, authority: Authority, head: Head, principal: Principal) -> Response:
    if not isinstance(authority, Browsers):
        raise Refused("nobody signs in here: auth.sessions is off, or it is not Rota that says who asks")
    if "authorization" not in head.headers:
        # With a cookie one is signed in already; only a token says so anew.
        return unauthorized()
    old = cookie_of(head)
    if old is not None:
        authority.sessions.end(old, actor=f"api:{principal.subject}")
    actor = f"api:{principal.subject}"
    key = app.credentials.known().keys.get(principal.token_id)
    signed_in = authority.sessions.begin(principal, ends_at=None if key is None else key.ends_at, actor=actor)
    if _is_called_back(app, head, principal):
        # It was believed as of a moment ago. Looked at now that the session is there: whoever calls a token back ends
        # the sessions that he finds.
        authority.sessions.end(signed_in.cookie, actor=actor)
        return unauthorized()
    answer = _told(principal, signed_in)
    lasts = signed_in.session.ends_at - signed_in.session.made_at
    _set_cookie(answer, head, signed_in.cookie, seconds=int(lasts.total_seconds()))
    return answer


def _is_called_back(app: Rota, head: Head, principal: Principal) -> bool:
    known = app.credentials.known()
    is_key = head.headers["authorization"].partition(" ")[2].startswith(PREFIX)
    return principal.token_id in known.revoked or (is_key and principal.token_id not in known.keys)


def _sign_out(authority: Authority, head: Head, principal: Principal) -> Response:
    cookie = cookie_of(head)
    if isinstance(authority, Browsers) and cookie is not None:
        authority.sessions.end(cookie, actor=f"api:{principal.subject}")
    answer = Response(status_code=HTTPStatus.NO_CONTENT)
    _set_cookie(answer, head, "", seconds=0)
    return answer


def _told(principal: Principal, signed_in: SignedIn | None) -> Response:
    grant = grant_of(principal)
    who = WhoAsks(
        subject=grant.subject,
        capabilities=grant.capabilities,
        jobs=grant.jobs,
        tenants=grant.tenants,
        csrf=None if signed_in is None else signed_in.csrf,
        ends_at=None if signed_in is None else signed_in.session.ends_at,
    )
    return Response(msgspec.json.encode(who), media_type="application/json")


def _set_cookie(answer: Response, head: Head, value: str, *, seconds: int) -> None:
    answer.set_cookie(
        COOKIE,
        value,
        max_age=seconds,
        path=head.prefix or "/",
        httponly=True,
        samesite="lax",
        secure=head.scheme == "https",
    )
