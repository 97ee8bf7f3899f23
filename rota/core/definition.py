"""What a schedule is, apart from how far it has come and who holds it up: what code declares, and people edit."""

from datetime import timedelta
from hashlib import blake2b
from typing import Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rota.core.model import Schedule, ScheduleState
from rota.core.policy import CatchUp, Overlap
from rota.errors import BadSchedule

_MARK = "v1"
"""How a fingerprint begins that was made of these fields; others say nothing about a row."""


UNREADABLE = "cannot read "
"""How the reason begins for which a store gives a schedule as broken whose row says what it cannot read."""


class Definition(Struct, frozen=True, kw_only=True):
    """The part of a schedule that is one edit."""

    job: str
    timing: str
    tenants: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    user_id: str | None = None
    args: str
    catch_up: CatchUp = CatchUp()
    overlap: Overlap = Overlap.SKIP
    jitter: timedelta | None = None
    keep: bool = False
    fresh_within: timedelta | None = None

    @classmethod
    def of(cls, schedule: Schedule) -> Self:
        """Return what a schedule is now."""
        return cls(**{name: getattr(schedule, name) for name in cls.__struct_fields__})

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what `text` says, as `written` wrote it; what a newer version added is passed over.

        Raises:
            BadSchedule: it is something else.
        """
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise BadSchedule(text, field="declared", reason=str(error)) from error

    @property
    def written(self) -> str:
        """Return it as JSON: the same text for the same definition."""
        return self._encoded.decode()

    @property
    def fingerprint(self) -> str:
        """Return a hash of it. A row whose fingerprint says something else was edited by somebody past this library."""
        return _MARK + blake2b(self._encoded, digest_size=15).hexdigest()

    @property
    def _encoded(self) -> bytes:
        said = msgspec.to_builtins(self)
        if self.fresh_within is None:
            # It came later: rows without it keep the fingerprint that they were written with.
            del said["fresh_within"]
        return msgspec.json.encode(said)

    def given_to(self, schedule: Schedule) -> Schedule:
        """Return the schedule under this definition. How far it has come is for the caller to put right."""
        changed = {name: getattr(self, name) for name in self.__struct_fields__}
        return replace(schedule, **changed, fingerprint=self.fingerprint)


def is_edited(schedule: Schedule) -> bool:
    """Return whether somebody changed the row past this library, with SQL, since it was last written here.

    A row without a fingerprint was never written here, and one of another kind by another version: nobody knows.
    """
    return schedule.fingerprint.startswith(_MARK) and schedule.fingerprint != Definition.of(schedule).fingerprint


def is_unreadable(schedule: Schedule) -> bool:
    """Return whether not all that stands in its row could be read: then it is not to be written back in its place."""
    return schedule.state is ScheduleState.BROKEN and (schedule.reason or "").startswith(UNREADABLE)
