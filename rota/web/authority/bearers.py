"""Whoever has a token that is signed with a key that we believe, or a key of a machine."""

import asyncio
from datetime import datetime

from anyio import to_thread

from rota.access.api_keys import PREFIX, key_text
from rota.access.tokens import UnknownKey
from rota.believing import Believed
from rota.core.access import Principal
from rota.core.claims import Untrusted
from rota.web.authority.register import Register
from rota.web.head import Head

BEARER = "bearer "


class Bearers:
    """Reads the one header that counts: no token is looked for in a query, a cookie or a body (J16, T14)."""

    is_off = False

    def __init__(self, believed: Believed, register: Register) -> None:
        self._tokens = believed.tokens
        self._remote = believed.remote
        self._register = register
        self._asking: asyncio.Task[None] | None = None

    async def principal(self, head: Head, *, now: datetime) -> Principal:
        given = head.headers.get("authorization", "")
        if not given.lower().startswith(BEARER):
            raise Untrusted("no token")
        token = given[len(BEARER) :]
        if token.startswith(PREFIX):
            return await self._of_key(token, now)
        principal = await self._of_token(token, now)
        if principal.token_id in (await self._register.known()).revoked:
            raise Untrusted("jti: it was called back")
        return principal

    async def _of_key(self, text: str, now: datetime) -> Principal:
        known, given = await self._register.known(), key_text(text)
        credentials = self._register.credentials
        if given is None or given.id in known.keys:
            return credentials.principal(text, known, now=now)
        # Made a moment ago, or by nobody: the store knows.
        return await to_thread.run_sync(lambda: credentials.principal(text, known, now=now))

    async def _of_token(self, token: str, now: datetime) -> Principal:
        remote = self._remote
        if remote is None:
            return self._tokens.verify(token, now=now)
        if not remote.is_known:
            await to_thread.run_sync(remote.fetch_due, now)
        elif remote.is_due(now) and (self._asking is None or self._asking.done()):
            # Nobody waits for it: what is known is good until it is here.
            self._asking = asyncio.create_task(to_thread.run_sync(remote.fetch_due, now))
        try:
            return self._tokens.verify(token, now=now)
        except UnknownKey:
            if not remote.may_ask(now):
                raise
        await to_thread.run_sync(remote.fetch_again, now)
        return self._tokens.verify(token, now=now)
