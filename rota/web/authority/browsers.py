"""Browsers that are signed in, beside whoever has a token (T35, T38)."""

import hmac
from datetime import datetime

from anyio import to_thread

from rota.core.access import Principal
from rota.core.claims import Untrusted
from rota.errors import Forbidden
from rota.sessions import Sessions, SignedIn
from rota.web.authority.bearers import Bearers
from rota.web.authority.register import Register
from rota.web.authority.same_origin import check_same_origin
from rota.web.head import Head

COOKIE = "rota_session"
CSRF = "x-rota-csrf"
"""The header with which a page of ours says that it is one."""

SIGNED_IN = "rota.signed_in"
"""In the scope of a request that came with a cookie of ours."""


class Browsers:
    """A token counts before a cookie: whoever sends one is answered as if there were no cookies."""

    is_off = False

    def __init__(self, bearers: Bearers, sessions: Sessions, register: Register) -> None:
        self._bearers = bearers
        self._register = register
        self.sessions: Sessions = sessions

    async def principal(self, head: Head, *, now: datetime) -> Principal:
        if "authorization" in head.headers:
            return await self._bearers.principal(head, now=now)
        cookie = cookie_of(head)
        if cookie is None:
            raise Untrusted("no token")
        signed_in = await to_thread.run_sync(self.sessions.find, cookie)
        if signed_in is None:
            raise Untrusted("nobody is signed in with this cookie")
        known = await self._register.known()
        if signed_in.session.token_id in known.revoked:
            raise Untrusted("the token that it signed in with was called back")
        _check_page(head, signed_in)
        head.scope[SIGNED_IN] = signed_in
        return signed_in.principal


def cookie_of(head: Head) -> str | None:
    """Return what our cookie says; None where there is none, or several: one of them somebody slipped in."""
    pairs = [part.strip().partition("=") for part in head.headers.get("cookie", "").split(";")]
    found = [value for name, _, value in pairs if name == COOKIE]
    return found[0] if len(found) == 1 and "cookie" not in head.twice else None


def _check_page(head: Head, signed_in: SignedIn) -> None:
    """Refuse what changes something and does not come from a page of ours: two proofs, each of which would do.

    Raises:
        Forbidden: it is from elsewhere.
    """
    check_same_origin(head, strict=True)
    if head.is_unsafe and not hmac.compare_digest(head.headers.get(CSRF, "").encode(), signed_in.csrf.encode()):
        raise Forbidden(f"the header {CSRF} has not the token of this session: sign in again")
