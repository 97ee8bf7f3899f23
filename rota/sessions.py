"""Browsers that signed in with a token and go on with a cookie (T35, T38)."""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.audit import entry
from rota.core.access import Principal
from rota.core.controls import Control, ControlKind
from rota.core.credential import BrowserSession, grant_of
from rota.footing import Footing

TOUCHED_EVERY = timedelta(minutes=1)
"""How exactly it is kept when a browser last asked: a write for each request would cost more than all it reads."""

_FORM = re.compile(r"[A-Za-z0-9_-]{43}")


class SignedIn(Struct, frozen=True, kw_only=True):
    """A browser that is signed in, as its cookie says."""

    cookie: str
    session: BrowserSession

    @property
    def csrf(self) -> str:
        """Return what a page of ours sends with whatever changes something. Follows from the cookie, which pages
        cannot read, and nobody finds the cookie from it: so it is kept nowhere."""
        return hmac.new(self.cookie.encode(), b"rota csrf", hashlib.sha256).hexdigest()

    @property
    def principal(self) -> Principal:
        """Return who it is."""
        return self.session.grant.principal(token_id=self.session.token_id)

    def __repr__(self) -> str:
        return f"SignedIn({self.session.grant.subject})"


class Sessions:
    """Kept in the store, so that every process knows them and signing out ends them. The cookie itself is not in it."""

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._clock = footing.clock
        self._settings = footing.settings

    def begin(self, principal: Principal, *, ends_at: datetime | None = None, actor: str | None = None) -> SignedIn:
        """Sign a browser in as somebody, under a name that nobody has had. `ends_at`: when it ends at the latest."""
        self._sweep()
        now = self._clock.now()
        cookie = secrets.token_urlsafe(32)
        end = now + self._settings().auth.session_life
        session = BrowserSession(
            grant=grant_of(principal),
            token_id=principal.token_id,
            made_at=now,
            seen_at=now,
            ends_at=end if ends_at is None else min(end, ends_at),
        )
        audit = entry(self._clock, actor=actor, action="session.begin", target=principal.subject)
        control = Control(kind=ControlKind.SESSION, name=_name(cookie), body=session.body(), changed_at=now)
        self._store().put_control(control, expected_version=None, audit=audit)
        return SignedIn(cookie=cookie, session=session)

    def find(self, cookie: str) -> SignedIn | None:
        """Return who is signed in with a cookie; None where nobody is, or not any more. Notes that it was asked."""
        if not _FORM.fullmatch(cookie):
            return None
        control = self._store().control(ControlKind.SESSION, _name(cookie))
        session = BrowserSession.read(control)
        now = self._clock.now()
        if control is None or session is None or session.is_over(now, idle=self._settings().auth.session_idle):
            return None
        if now - session.seen_at >= TOUCHED_EVERY:
            touched = replace(session, seen_at=now)
            # Where another request was first it has noted the same, and where it was signed out it stays so.
            self._store().put_control(
                Control(
                    kind=ControlKind.SESSION,
                    name=control.name,
                    body=touched.body(),
                    version=control.version + 1,
                    changed_at=now,
                ),
                expected_version=control.version,
            )
        return SignedIn(cookie=cookie, session=session)

    def end(self, cookie: str, *, actor: str | None = None) -> None:
        """Sign out; does nothing where nobody is signed in."""
        audit = entry(self._clock, actor=actor, action="session.end", target=_name(cookie)[:12])
        while (control := self._store().control(ControlKind.SESSION, _name(cookie))) is not None:
            if self._store().drop_control(
                ControlKind.SESSION, control.name, expected_version=control.version, audit=audit
            ):
                return

    def _sweep(self) -> None:
        """Forget those that are over: whoever signs in pays for those that did not sign out."""
        for control in self._store().controls(ControlKind.SESSION):
            session = BrowserSession.read(control)
            if session is None or session.is_over(self._clock.now(), idle=self._settings().auth.session_idle):
                self._store().drop_control(ControlKind.SESSION, control.name, expected_version=control.version)


def _name(cookie: str) -> str:
    """Return what a session is kept under: whoever reads the store cannot use it."""
    return hashlib.sha256(cookie.encode()).hexdigest()
