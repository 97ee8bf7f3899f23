"""Keys of machines, and tokens that are called back: made, listed, ended (R62, T18)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec import Struct

from rota.access.api_keys import KeyText, key_text, new_key
from rota.audit import entry
from rota.core.access import Principal
from rota.core.claims import LEEWAY, LONGEST, Untrusted
from rota.core.controls import Control, ControlKind, Setting, readable
from rota.core.credential import ApiKey, BrowserSession, Grant, Revocation
from rota.errors import ConfigurationError
from rota.footing import Footing
from rota.redaction import remark

Kept = TypeVar("Kept", bound=Setting)


class Known(Struct, frozen=True, kw_only=True):
    """What the store says of keys and tokens, as of one moment."""

    keys: Mapping[str, ApiKey]
    revoked: frozenset[str]


class Credentials:
    """What a store keeps of those who ask. What is called back here is refused everywhere within seconds."""

    def __init__(self, footing: Footing) -> None:
        self._store = footing.store
        self._clock = footing.clock
        self._settings = footing.settings

    def known(self) -> Known:
        """Return what holds now."""
        return Known(keys=self.keys(), revoked=frozenset(self.revocations()))

    def keys(self) -> dict[str, ApiKey]:
        """Return the keys by their ids, those too whose time is over; what cannot be read is left out."""
        return {name: key for name, (_, key) in self._kept(ControlKind.API_KEY, ApiKey).items()}

    def revocations(self) -> dict[str, Revocation]:
        """Return the tokens that are called back and would else be believed, by their ids."""
        kept = self._kept(ControlKind.REVOCATION, Revocation)
        now = self._clock.now()
        return {name: one for name, (_, one) in kept.items() if not one.is_over(now)}

    def sessions(self) -> dict[str, BrowserSession]:
        """Return the browsers that are signed in, by the names of their controls."""
        kept = self._kept(ControlKind.SESSION, BrowserSession)
        now, idle = self._clock.now(), self._settings().auth.session_idle
        return {name: one for name, (_, one) in kept.items() if not one.is_over(now, idle=idle)}

    def make_key(
        self, grant: Grant, *, life: timedelta | None = None, note: str = "", actor: str | None = None
    ) -> tuple[KeyText, ApiKey]:
        """Make a key for a machine and return it: nobody can show its secret again. `life` None is for ever.

        Raises:
            ConfigurationError: it is for nobody, for nothing, or over already.
        """
        check_grant(grant)
        if life is not None and life <= timedelta(0):
            raise ConfigurationError("a key has to live for a while: say how long, or nothing")
        # The store first: opening it sets the clock by which everybody goes.
        store, text = self._store(), new_key()
        now = self._clock.now()
        audit = entry(
            self._clock, actor=actor, action="key.create", target=text.id, reason=note or None, grant=grant, life=life
        )
        key = ApiKey(
            grant=grant,
            digest=text.digest,
            made_at=now,
            ends_at=None if life is None else now + life,
            author=audit.actor,
            note=remark(note),
        )
        control = Control(kind=ControlKind.API_KEY, name=text.id, body=key.body(), changed_at=now)
        store.put_control(control, expected_version=None, audit=audit)
        return text, key

    def principal(self, text: str, known: Known, *, now: datetime) -> Principal:
        """Return whom a key stands for. One that was made a moment ago is looked for in the store.

        Raises:
            Untrusted: nobody; why is for the log.
        """
        given = key_text(text)
        if given is None:
            raise Untrusted("it has not the form of a key")
        key = known.keys.get(given.id) or self._key(given.id)
        # The digest is computed whether there is such a key or not: an id is not found out by the time it takes.
        if not given.fits("" if key is None else key.digest) or key is None:
            raise Untrusted("no key of ours")
        if key.is_over(now):
            raise Untrusted("the time of the key is over")
        return key.grant.principal(token_id=given.id)

    def revoke(self, token_id: str, *, reason: str, actor: str | None = None) -> str:
        """End a key, or call back the token that has this id (`jti`), with the sessions that began with it. Return
        which it was: `key` or `token`. Whether there is such a token nobody can know: it is called back in any case.

        Raises:
            ConfigurationError: it is no id, or there is no reason.
        """
        if not reason.strip():
            raise ConfigurationError("calling back needs a reason: whoever is refused will ask for it")
        if not 0 < len(token_id) <= LONGEST or not token_id.isprintable():
            raise ConfigurationError(f"{token_id[:40]!r} is no id of a key or a token")
        ended = "key" if self._end_key(token_id, reason=reason, actor=actor) else "token"
        if ended == "token":
            self._call_back(token_id, reason=reason, actor=actor)
        for name, (control, session) in self._kept(ControlKind.SESSION, BrowserSession).items():
            if session.token_id == token_id:
                self._store().drop_control(ControlKind.SESSION, name, expected_version=control.version)
        return ended

    def _key(self, key_id: str) -> ApiKey | None:
        control = self._store().control(ControlKind.API_KEY, key_id)
        return ApiKey.read(control)

    def _end_key(self, key_id: str, *, reason: str, actor: str | None) -> bool:
        audit = entry(self._clock, actor=actor, action="key.revoke", target=key_id, reason=reason)
        while (control := self._store().control(ControlKind.API_KEY, key_id)) is not None:
            if self._store().drop_control(ControlKind.API_KEY, key_id, expected_version=control.version, audit=audit):
                return True
        return False

    def _call_back(self, token_id: str, *, reason: str, actor: str | None) -> None:
        now = self._clock.now()
        audit = entry(self._clock, actor=actor, action="token.revoke", target=token_id, reason=reason)
        # Made a moment ago by a clock that goes before ours, it lives as long as any may.
        until = now + self._settings().auth.longest_life + 2 * LEEWAY
        revocation = Revocation(until=until, reason=remark(reason), author=audit.actor, since=now)
        while True:
            known = self._store().control(ControlKind.REVOCATION, token_id)
            control = Control(
                kind=ControlKind.REVOCATION,
                name=token_id,
                body=revocation.body(),
                version=1 if known is None else known.version + 1,
                changed_at=now,
            )
            if self._store().put_control(control, expected_version=known.version if known else None, audit=audit):
                break
        for name, (old, one) in self._kept(ControlKind.REVOCATION, Revocation).items():
            if one.is_over(now):
                self._store().drop_control(ControlKind.REVOCATION, name, expected_version=old.version)

    def _kept(self, kind: ControlKind, setting: type[Kept]) -> dict[str, tuple[Control, Kept]]:
        # What this version cannot read lets nobody in.
        return {control.name: (control, one) for control, one in readable(self._store().controls(kind), setting)}


def check_grant(grant: Grant) -> None:
    """Refuse what stands for nobody, or is allowed nothing.

    Raises:
        ConfigurationError: with what is missing.
    """
    if not 0 < len(grant.subject) <= LONGEST or not grant.subject.isprintable():
        raise ConfigurationError(f"a token is for somebody: a name of 1 to {LONGEST} printable characters")
    if not grant.capabilities:
        raise ConfigurationError("a token is for something: read, trigger, manage or admin")
    if not grant.jobs or not all(grant.jobs) or grant.tenants == () or not all(grant.tenants or ()):
        raise ConfigurationError("a token is for some jobs and tenants: name one, or leave the list out for all")
