"""What whoever started something asks until it is over."""

from msgspec import Struct

from rota.core.access import Capability
from rota.errors import RunOrRoundNotFound
from rota.operations.backfills import BackfillAsked
from rota.operations.operation import Desk, Question, operation
from rota.views.campaigns import CampaignRow, Cause, campaign_row, causes
from rota.views.follow import Standing, Summary, standing, summary
from rota.views.runs import find_round
from rota.views.status import alive_workers


class FollowAsked(Question, frozen=True, kw_only=True):
    """Which rounds, together."""

    round: tuple[str, ...]
    """Their ids."""


class Followed(Struct, frozen=True, kw_only=True):
    """How far rounds have come."""

    standing: Standing
    workers: int
    """How many are alive: without one nothing happens."""
    summary: Summary | None
    """How they ended; null before they are over."""


@operation("GET", "/api/v1/standing", needs=Capability.READ)
def follow_rounds(desk: Desk, asked: FollowAsked) -> Followed:
    """Tell how far rounds have come and, when they are over, how they ended."""
    app = desk.app
    for round_id in asked.round:
        if find_round(app, round_id) is None:
            raise RunOrRoundNotFound(round_id)
    now = standing(app, asked.round)
    return Followed(
        standing=now,
        workers=len(alive_workers(app, app.store.workers(), now=app.clock.now())),
        summary=summary(app, asked.round) if now.is_over else None,
    )


class BackfillFollowed(Struct, frozen=True, kw_only=True):
    """How far a backfill has come."""

    row: CampaignRow
    workers: int
    """How many are alive: without one nothing happens."""
    causes: list[Cause]
    """What failed, once nothing happens any more."""


@operation("GET", "/api/v1/standing/backfills/{id}", needs=Capability.READ)
def follow_backfill(desk: Desk, asked: BackfillAsked) -> BackfillFollowed:
    """Tell how far a backfill has come and, when nothing happens any more, what failed."""
    app, row = desk.app, campaign_row(desk.app, asked.id)
    return BackfillFollowed(
        row=row,
        workers=len(alive_workers(app, app.store.workers(), now=app.clock.now())),
        causes=causes(app, row.campaign) if row.is_settled else [],
    )
