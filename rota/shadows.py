"""Schedules that fire beside another system, and start nothing, until that system is switched off."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.audit import entry
from rota.core.controls import UNREADABLE, Control, ControlKind, Shadow, readable
from rota.core.model import Round, RoundState
from rota.core.shadow import Compared, Fired, compared, ran_there
from rota.errors import ConfigurationError, Refused
from rota.footing import Footing
from rota.queries import RoundQuery
from rota.redaction import remark
from rota.schedules import Schedules

WITHIN = timedelta(minutes=15)
"""How far behind a slot the other system may be and still have meant it."""
PAGE = 1000
MOST = 10_000
"""Slots, and words of the other system, that are compared at most: the newest."""


class Shadows:
    """Which schedules another system still carries out. Takes hold within a second in every process.

    Such a schedule fires each slot and records it as skipped, with the reason: no run is made, nothing is late or stale
    for it, and nothing of it is made up when it begins to work. The other system says what it runs with `rota ping`,
    under the name of the schedule.
    """

    def __init__(self, footing: Footing, *, schedules: Schedules) -> None:
        self._store = footing.store
        self._clock = footing.clock
        self._schedules = schedules

    def list(self) -> dict[str, Shadow]:
        """Return them by name of schedule."""
        return {control.name: one for control, one in readable(self._store().controls(ControlKind.SHADOW), Shadow)}

    def get(self, name: str) -> Shadow | None:
        """Return the shadow in which a schedule is, or None."""
        return Shadow.read(self._store().control(ControlKind.SHADOW, name))

    def begin(self, name: str, *, reason: str, is_to_come: bool = False, actor: str | None = None) -> Shadow:
        """Let a schedule fire and start nothing, for a reason. Again: for this reason, since when it was.

        What it has started goes on. One that is paused stays so, and does not fire either. `is_to_come`: it may be put
        after this, so that there is no moment at which it works.

        Raises:
            ScheduleNotFound: there is none of that name.
            ConfigurationError: no reason.
        """
        if not is_to_come:
            self._schedules.get(name)
        if not reason.strip():
            raise ConfigurationError("a shadow needs a reason, such as which system still does the work")
        audit = entry(self._clock, actor=actor, action="schedule.shadow", target=name, reason=reason)
        now = self._clock.now()
        shadow = Shadow(reason=remark(reason), author=audit.actor, since=now)
        while True:
            known = self._store().control(ControlKind.SHADOW, name)
            before = Shadow.read(known)
            made = shadow if before is None else replace(shadow, since=before.since)
            control = Control(
                kind=ControlKind.SHADOW,
                name=name,
                body=made.body(),
                version=1 if known is None else known.version + 1,
                changed_at=now,
            )
            if self._store().put_control(control, expected_version=known.version if known else None, audit=audit):
                return made

    def end(self, name: str, *, actor: str | None = None, reason: str | None = None) -> Shadow:
        """Let a schedule work from its next slot on, and return the shadow in which it was.

        Raises:
            ScheduleNotFound: there is none of that name.
            Refused: it is in no shadow.
        """
        audit = entry(self._clock, actor=actor, action="schedule.unshadow", target=name, reason=reason)
        while (known := self._store().control(ControlKind.SHADOW, name)) is not None:
            if self._store().drop_control(ControlKind.SHADOW, name, expected_version=known.version, audit=audit):
                return Shadow.read(known) or Shadow(reason=UNREADABLE, since=known.changed_at)
        self._schedules.get(name)
        raise Refused(f"schedule {name!r} is in no shadow: it works, unless it is paused")

    def compare(self, name: str, *, since: datetime, within: timedelta = WITHIN) -> Sequence[Compared]:
        """Put what a schedule fired beside what the other system said that it ran, since a time; the oldest is first.

        Also of one that works by now, for as long as the other system says what it does. Of more than 10,000 slots the
        newest are compared.

        Raises:
            ScheduleNotFound: there is none of that name.
        """
        self._schedules.get(name)
        pings = self._store().freshness.pings(name, limit=MOST)
        fired = self._fired(name, since=since)
        there = [at for at in ran_there(pings) if at >= since]
        return compared(fired, there, within=within, now=self._clock.now())

    def _fired(self, name: str, *, since: datetime) -> Sequence[Fired]:
        found: list[Fired] = []
        before: str | None = None
        while len(found) < MOST:
            query = RoundQuery(schedule=name, slot_since=since, before_id=before, limit=PAGE)
            page = self._store().rounds(query)
            found += [
                Fired(slot=one.slot, at=one.created_at) for one in page if one.slot is not None and _is_fired(one)
            ]
            if len(page) < PAGE:
                break
            before = page[-1].id
        return found


def _is_fired(round_: Round) -> bool:
    """Whether a slot had its time: one of a range that a policy skipped had not."""
    return round_.state is not RoundState.SKIPPED or round_.skipped_from == round_.slot
