"""What is asked when something does not run, and nobody sees why."""

import re
from datetime import datetime, tzinfo
from typing import Annotated

from msgspec import Meta, Struct

from rota.app import Rota
from rota.core import words
from rota.core.access import Capability
from rota.core.model import Round, State
from rota.errors import BadSchedule, CampaignNotFound, NothingNamed, RunNotFound, close_names
from rota.operations.operation import Desk, Question, operation
from rota.operations.searching import zone_of
from rota.queries import RunQuery
from rota.views.explain import Explained, explain_timing
from rota.views.flows import flow_runs
from rota.views.runs import find
from rota.views.why import Why, ask_backfill, ask_job, ask_round, ask_run, ask_schedule

ID = re.compile(r"[0-9a-f]{6,32}")
NAME = re.compile(r"[\w.:-]+")
"""What may be the name of something; any other text is a schedule."""


class WhyAsked(Question, frozen=True, kw_only=True):
    """What does not run."""

    what: str
    """A job, a schedule, a run, a round, a backfill, a chain or a batch, by its name or id; or a schedule as text."""
    tenant: str | None = None
    """For this tenant."""
    slot: datetime | None = None
    """This slot."""
    count: Annotated[int, Meta(ge=1, le=1000)] = 5
    """How many slots to come."""
    after: datetime | None = None
    """Of a schedule as text: slots after this; without it from now on."""
    zone: str = "UTC"
    """Of a schedule as text its zone, where it names none."""
    said_in: str = "UTC"
    """The zone in which sentences name times."""

    @property
    def is_of_something(self) -> bool:
        """Whether it cannot be about a schedule as text."""
        return self.tenant is not None or self.slot is not None


class Explanation(Struct, frozen=True, kw_only=True):
    """One of the two."""

    why: Why | None = None
    """Why what has this name is where it is."""
    schedule: Explained | None = None
    """What the text means as a schedule."""


@operation("GET", "/api/v1/explain", needs=Capability.READ)
def explain(desk: Desk, asked: WhyAsked) -> Explanation:
    """Say why a job, a run or a slot does not run; or a schedule in words, for any text that nothing is called by."""
    app, zone, unread = desk.app, zone_of(asked.said_in), None
    # By its name first: a job may be called "daily".
    if not asked.is_of_something and asked.what not in app.jobs:
        try:
            return Explanation(schedule=schedule_in_words(asked, now=app.clock.now()))
        except BadSchedule as error:
            unread = error
    why = _why(app, asked, zone)
    if why is not None:
        return Explanation(why=why)
    known = [*app.jobs, *(schedule.name for schedule in app.schedules.list())]
    if NAME.fullmatch(asked.what) or close_names(asked.what, known):
        said = None if unread is None else f"{unread.field}: {unread.reason}"
        raise NothingNamed(asked.what, known=known, unread=said)
    # No name has blanks and stars in it: it was meant as a schedule.
    raise unread or NothingNamed(asked.what, known=known)


def schedule_in_words(asked: WhyAsked, *, now: datetime) -> Explained:
    """Return what a text means as a schedule. Needs no application.

    Raises:
        BadSchedule: it cannot be read.
    """
    zone = zone_of(asked.zone).key
    after = asked.after if asked.after is not None else now
    return explain_timing(words.parse(asked.what, tz=zone), after=after, count=asked.count, zone=zone)


def _why(app: Rota, asked: WhyAsked, zone: tzinfo) -> Why | None:
    """Return the answer for what this names; None when it names nothing."""
    what, tenant, slot, count = asked.what, asked.tenant, asked.slot, asked.count
    if what in app.jobs:
        return ask_job(app, what, tenant=tenant, slot=slot, count=count, zone=zone)
    schedule = app.store.schedule(what)
    if schedule is not None:
        return ask_schedule(app, schedule, tenant=tenant, slot=slot, count=count, zone=zone)
    if not asked.is_of_something and ID.fullmatch(what):
        return _of_id(app, what, zone)
    # A job that left the code, and has runs or schedules all the same.
    is_left = app.schedules.list(job=what) or app.store.runs(RunQuery(jobs=(what,), limit=1))
    return ask_job(app, what, tenant=tenant, slot=slot, count=count, zone=zone) if is_left else None


def _of_id(app: Rota, text: str, zone: tzinfo) -> Why | None:
    try:
        found = find(app, text)
    except RunNotFound:
        runs = flow_runs(app, text)
        if runs:
            # The first that keeps the others waiting; once all are over, the first that did not succeed.
            not_over = [run for run in runs if not run.state.is_final]
            stands = next(iter(not_over or [run for run in runs if run.state is not State.SUCCEEDED]), runs[-1])
            return ask_run(app, stands, zone=zone)
        try:
            return ask_backfill(app, app.campaigns.get(text), zone=zone)
        except CampaignNotFound:
            return None
    return ask_round(app, found, zone=zone) if isinstance(found, Round) else ask_run(app, found.run, zone=zone)
