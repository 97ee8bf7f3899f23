"""What is asked about backfills."""

from rota.core.access import Capability
from rota.operations.operation import Desk, Page, Question, operation
from rota.views.campaigns import CampaignDetail, CampaignRow, campaign_detail, campaign_rows


class BackfillsAsked(Question, frozen=True, kw_only=True):
    """Which backfills."""

    active: bool = False
    """Only those that are not over."""


@operation("GET", "/api/v1/backfills", needs=Capability.READ)
def list_backfills(desk: Desk, asked: BackfillsAsked) -> Page[CampaignRow]:
    """List backfills, newest first, with how far each has come."""
    rows = campaign_rows(desk.app)
    return Page(data=[row for row in rows if not (asked.active and row.campaign.state.is_over)])


class BackfillAsked(Question, frozen=True, kw_only=True):
    """Which backfill."""

    id: str
    """Its id, or the beginning of it, if only one has it."""


@operation("GET", "/api/v1/backfills/{id}", needs=Capability.READ)
def show_backfill(desk: Desk, asked: BackfillAsked) -> CampaignDetail:
    """Show a backfill: how far it has come, how fast, and what failed."""
    return campaign_detail(desk.app, asked.id)
