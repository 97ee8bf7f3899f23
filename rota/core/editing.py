"""What becomes of a schedule when somebody edits, pauses or takes it back. Editing never re-runs the past (R5)."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from rota.core.agenda import Agenda, agenda
from rota.core.catchup import restarted
from rota.core.definition import Definition, is_edited
from rota.core.model import Origin, Schedule, ScheduleState
from rota.core.words import parse

_TICK = timedelta.resolution
_WAKES = frozenset({ScheduleState.BROKEN, ScheduleState.ORPHANED})
"""States that an edit ends whatever it says."""


def placed(schedule: Schedule, due: Agenda, *, now: datetime) -> Schedule:
    """Return a schedule whose timing is new: its slots count from now on.

    One time that is over is due at once: whoever is not to have that is asked before, see `passed`.
    """
    once = due.once
    if not once:
        return restarted(schedule, due, at=now)
    cursor = min(now, once[0] - _TICK)
    return replace(schedule, cursor=cursor, next_at=due.next_slot(after=cursor))


def passed(due: Agenda, *, now: datetime) -> datetime | None:
    """Return the slot of a one-time schedule that is over already; None when there is none."""
    once = due.once
    return once[0] if once and once[0] <= now else None


def edited(known: Schedule, definition: Definition, due: Agenda, *, zones: tuple[str, ...], now: datetime) -> Schedule:
    """Return a stored schedule under another definition. A paused one stays paused.

    That of the code is overridden, so that a deploy does not undo it; what the code says is kept beside it.
    """
    is_same_time = (definition.timing, zones) == (known.timing, known.zones)
    changed = replace(definition.given_to(known), zones=zones, version=known.version + 1)
    if known.origin is Origin.CODE:
        said = known.declared or Definition.of(known).written
        changed = replace(changed, declared=None if said == definition.written else said)
    if known.state in _WAKES or (known.state is not ScheduleState.PAUSED and not is_same_time):
        changed = replace(changed, state=ScheduleState.ACTIVE, reason=None)
    return changed if is_same_time else placed(changed, due, now=now)


def declared(known: Schedule, wanted: Schedule, *, now: datetime) -> Schedule | None:
    """Return what a stored schedule becomes when the code says `wanted`; None when it is so already.

    An override stays, with what the code says now beside it; a row in its place stays as it is. A row of the code that
    somebody edited with SQL becomes an override.

    Raises:
        BadSchedule: what that somebody wrote makes no sense.
    """
    if known.origin is Origin.ROW:
        return None
    said = Definition.of(wanted)
    is_back = known.state in _WAKES
    if known.declared is not None or is_edited(known):
        if known.declared == said.written and not is_back and not is_edited(known):
            return None
        own = Definition.of(known)
        changed = replace(own.given_to(known), declared=said.written if own != said else None)
        is_same_time = not is_edited(known)
    else:
        if Definition.of(known) == said and known.fingerprint == said.fingerprint and not is_back:
            return None
        changed = said.given_to(known)
        is_same_time = said.timing == known.timing
    changed = replace(changed, version=known.version + 1, confirmed_at=now)
    if is_back:
        changed = replace(changed, state=ScheduleState.ACTIVE, reason=None)
    if is_same_time and not is_back:
        # Nothing of the past changes with a policy or an argument: what was missed meanwhile is still missed.
        return changed
    zones = changed.zones or wanted.zones
    return placed(replace(changed, zones=zones), agenda(parse(changed.timing), zones), now=now)


def mended(known: Schedule, due: Agenda, *, now: datetime) -> Schedule:
    """Return a row that was written or edited past this library as one that is in order.

    Its slots count from now on where its timing is another than the one it was going by. One that was broken only for
    want of its job goes on where it stood.
    """
    changed = replace(
        Definition.of(known).given_to(known),
        version=known.version + 1,
        state=ScheduleState.ACTIVE if known.state is ScheduleState.BROKEN else known.state,
        reason=None if known.state is ScheduleState.BROKEN else known.reason,
    )
    is_on_course = known.next_at is not None and due.next_slot(after=known.cursor) == known.next_at
    return changed if is_on_course else placed(changed, due, now=now)
