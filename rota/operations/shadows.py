"""What is asked and changed about schedules that another system still carries out."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from rota.core.access import Capability
from rota.core.controls import Shadow
from rota.core.shadow import Compared
from rota.operations.operation import Desk, Instant, Nothing, Page, Question, operation
from rota.shadows import WITHIN


class InShadow(Struct, frozen=True, kw_only=True):
    """A schedule that fires and starts nothing."""

    schedule: str
    reason: str
    author: str | None
    since: datetime


class ShadowAsked(Question, frozen=True, kw_only=True):
    """Which schedule, and why."""

    name: str
    reason: str
    """Such as which system still does the work."""


class ShadowEnded(Question, frozen=True, kw_only=True):
    """Which schedule works from now on."""

    name: str
    reason: str | None = None
    """Kept in the audit."""


class ComparisonAsked(Question, frozen=True, kw_only=True):
    """Of what the two systems are compared."""

    name: str
    since: Instant
    """Slots, and runs of the other system, from then on."""
    within_s: Annotated[float, Meta(ge=0, le=86_400 * 366)] = WITHIN.total_seconds()
    """How many seconds behind a slot the other system may be and still have meant it."""


@operation("GET", "/api/v1/shadows", needs=Capability.READ, is_whole=True)
def list_shadows(desk: Desk, _asked: Nothing) -> Page[InShadow]:
    """List the schedules that fire and start nothing, because another system still carries them out, by name."""
    found = desk.app.shadows.list()
    return Page(data=[_row(name, shadow) for name, shadow in sorted(found.items())])


@operation("POST", "/api/v1/schedules/{name}/shadow", needs=Capability.MANAGE, is_whole=True)
def begin_shadow(desk: Desk, asked: ShadowAsked) -> InShadow:
    """Let a schedule fire its slots and start nothing. Again: for this reason.

    Each slot is recorded as skipped. The other system says what it runs by `POST /api/v1/ping/{name}`.
    """
    return _row(asked.name, desk.app.shadows.begin(asked.name, reason=asked.reason, actor=desk.actor))


@operation("POST", "/api/v1/schedules/{name}/unshadow", needs=Capability.MANAGE, is_whole=True)
def end_shadow(desk: Desk, asked: ShadowEnded) -> InShadow:
    """Let a schedule work from its next slot on; nothing that passed is made up. Answers in what shadow it was."""
    return _row(asked.name, desk.app.shadows.end(asked.name, actor=desk.actor, reason=asked.reason))


@operation("GET", "/api/v1/schedules/{name}/comparison", needs=Capability.READ, is_whole=True)
def compare_systems(desk: Desk, asked: ComparisonAsked) -> Page[Compared]:
    """Put what a schedule fired beside what the other system said that it ran, the oldest first.

    `both`; `only here`: the other system did not run at that slot; `only there`: no slot is near what it ran.
    """
    within = timedelta(seconds=asked.within_s)
    return Page(data=list(desk.app.shadows.compare(asked.name, since=asked.since, within=within)))


def _row(name: str, shadow: Shadow) -> InShadow:
    return InShadow(schedule=name, reason=shadow.reason, author=shadow.author, since=shadow.since)
