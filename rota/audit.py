"""What somebody did, as an entry of the audit: written by the store together with the change."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

import msgspec
from msgspec import Struct

from rota.clock import Clock
from rota.core.controls import AuditEntry
from rota.redaction import redacted, remark

MOST = 2_000
"""Characters of a detail: an entry says what was changed, it does not keep all of it."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks from outside, beyond his name: what stands in each entry that is made for him (T73)."""

    token: str = ""
    """The id of his token or key."""
    source: str = ""
    """The address that he asks from."""


_CALLER: ContextVar[Caller | None] = ContextVar("rota_caller", default=None)


@contextmanager
def called_by(caller: Caller) -> Iterator[None]:
    """Have the entries of this block say who asked: operations know only the name. It ends with the block."""
    before = _CALLER.set(caller)
    try:
        yield
    finally:
        _CALLER.reset(before)


def entry(
    clock: Clock, *, actor: str | None, action: str, target: str, reason: str | None = None, **detail: object
) -> AuditEntry:
    """Return the entry of a change that is about to be made. `actor` is `door:name`, as `cli:ana`, or a name alone."""
    door, _, name = (actor or "").rpartition(":")
    caller = _CALLER.get()
    if caller is not None:
        # Not called a token: what is called so is taken for a secret.
        detail |= {"with": caller.token or None, "source": caller.source or None}
    return AuditEntry(
        id=clock.new_id(),
        at=clock.now(),
        actor=name or None,
        via=door or "python",
        action=action,
        target=target,
        reason=None if reason is None else remark(reason),
        detail=_said(detail),
    )


def many(names: list[str]) -> str:
    """Return how an entry names its objects: the first, and how many more."""
    if len(names) < 2:
        return "".join(names)
    return f"{names[0]} and {len(names) - 1} more"


def _said(detail: dict[str, object]) -> str:
    said = {name: _plain(value) for name, value in detail.items() if value is not None}
    text = redacted(msgspec.json.encode(said).decode())
    return text if len(text) <= MOST else msgspec.json.encode({"left_out": f"{len(text)} characters"}).decode()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else msgspec.to_builtins(value, str_keys=True)
