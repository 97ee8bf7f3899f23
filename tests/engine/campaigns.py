"""A process with an hourly job that is made up by hand."""

from datetime import datetime
from typing import Any

from rota import Retry, Rota, State
from rota.core.campaign import Campaign
from rota.core.gates import campaign_batch
from rota.core.model import Run
from rota.queries import RunQuery
from tests.engine.house import Driven, driven, hourly, noon_plus
from tests.values import NOON, claim, given_up, settle_all

ONCE = Retry(attempts=1)
TENANTS = ["acme", "globex", "initech"]


def last(hours: int) -> dict[str, datetime]:
    """Return the range of so many slots before noon."""
    return {"since": noon_plus(hours=-hours), "until": NOON}


def started(app: Rota, *, hours: int = 4, **fields: Any) -> Campaign:
    asked = app.backfill("report", **last(hours), **fields)
    assert asked.campaign is not None
    return asked.campaign


def now_is(app: Rota, campaign: Campaign) -> Campaign:
    return app.campaigns.get(campaign.id)


def out(app: Rota, campaign: Campaign) -> list[Run]:
    """Return what is queued or running."""
    query = RunQuery(batch=campaign_batch(campaign.id), states=(State.QUEUED, State.RUNNING), limit=10_000)
    return app.store.runs(query)


def idle(**policy: Any) -> Driven:
    """Return a process with an hourly job whose worker does nothing: tests claim and settle."""
    return driven(tenants=TENANTS)(hourly([], retry=ONCE, **policy))


def move(process: Driven, times: int = 3) -> None:
    for _ in range(times):
        process.crew.services["campaigns"].tick(process.clock.now())


def failing(process: Driven) -> None:
    settle_all(process.app.store, *[given_up(run) for run in claim(process.app.store)])
