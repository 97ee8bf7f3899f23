"""What is asked about schedules."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from rota.core import words
from rota.core.access import Capability
from rota.core.model import ScheduleState
from rota.operations.operation import Desk, Limit, Next, Page, Question, operation
from rota.operations.searching import zone_of
from rota.views.explain import Explained, explain_timing
from rota.views.schedule import Planned, Shown, planned, schedule_shown


class SchedulesAsked(Question, frozen=True, kw_only=True):
    """Which schedules; every field that is set narrows the answer."""

    job: str | None = None
    state: tuple[ScheduleState, ...] = ()
    cursor: str | None = None
    """What `page.next` of the page before said: the last name on it."""
    limit: Limit = 200


@operation("GET", "/api/v1/schedules", needs=Capability.READ)
def list_schedules(desk: Desk, asked: SchedulesAsked) -> Page[Planned]:
    """List schedules by name: what is due when, where it was declared, and what does not fire."""
    found = planned(desk.app, job=asked.job, states=asked.state, after=asked.cursor, limit=asked.limit + 1)
    rows = found[: asked.limit]
    return Page(data=rows, page=Next(next=rows[-1].name if len(found) > asked.limit else None))


class ScheduleAsked(Question, frozen=True, kw_only=True):
    """Which schedule."""

    name: str
    count: Annotated[int, Meta(ge=0, le=1000)] = 5
    """How many slots to come."""


@operation("GET", "/api/v1/schedules/{name}", needs=Capability.READ)
def show_schedule(desk: Desk, asked: ScheduleAsked) -> Shown:
    """Show a schedule: its policy, what the code says where it is overridden, and its next slots."""
    return schedule_shown(desk.app, asked.name, count=asked.count)


class TimingAsked(Question, frozen=True, kw_only=True):
    """A schedule as somebody would write it."""

    timing: str
    """Words, a cron expression, or one time: `every weekday at 02:00`, `30 2 * * *`."""
    zone: str = "UTC"
    """Its zone, where the text names none."""
    after: datetime | None = None
    """Slots after this; without it from now on."""
    count: Annotated[int, Meta(ge=1, le=1000)] = 5


@operation("GET", "/api/v1/preview", needs=Capability.READ)
def preview_schedule(desk: Desk, asked: TimingAsked) -> Explained:
    """Say what a text means as a schedule: in words, as cron, and its next slots with what the clocks do to them."""
    zone = zone_of(asked.zone).key
    after = asked.after if asked.after is not None else desk.app.clock.now()
    return explain_timing(words.parse(asked.timing, tz=zone), after=after, count=asked.count, zone=zone)
