"""Why a run, a round or a backfill is where it is."""

from datetime import UTC, tzinfo

from rota.app import Rota
from rota.core.campaign import Campaign, CampaignState
from rota.core.gates import campaign_batch
from rota.core.model import Round, Run, State
from rota.queries import RunQuery
from rota.views.why.answer import answer
from rota.views.why.facts import LOOKED_AT, Facts
from rota.views.why.reason import Code, Reason, Why, reason
from rota.views.why.run import name_of, why_run
from rota.views.why.slot import sum_of, unlisted
from rota.views.why.waiting import groups

WAITING = (State.SCHEDULED, State.QUEUED)


def ask_run(app: Rota, run: Run, *, zone: tzinfo = UTC) -> Why:
    """Return why a run is where it is."""
    facts = Facts(app, zone=zone)
    return answer("run", name_of(facts, run), why_run(facts, run), state=str(run.state))


def ask_round(app: Rota, round_: Round, *, zone: tzinfo = UTC) -> Why:
    """Return why a round is where it is: what of it waits, by what it waits for, and its sum."""
    facts = Facts(app, zone=zone)
    slot = f", slot {facts.at(round_.slot)}" if round_.slot is not None else ""
    subject = f"round {round_.id} of {round_.job}{slot}"
    return answer("round", subject, _of_round(facts, round_), state=str(round_.state))


def _of_round(facts: Facts, round_: Round) -> list[Reason]:
    if round_.skipped_from is not None:
        text = f"nothing ran of the slots from {facts.at(round_.skipped_from)} on: {round_.reason}"
        return [reason(Code.SKIPPED_RANGE, text, f"rota slots {round_.job}", skipped_from=round_.skipped_from)]
    if not round_.expanded:
        return unlisted(facts, round_)
    waiting = facts.app.store.runs(RunQuery(round_id=round_.id, states=WAITING, limit=LOOKED_AT))
    return [*groups(facts, waiting), *sum_of(facts, round_)]


_CODE = {
    CampaignState.PAUSED: Code.BACKFILL_PAUSED,
    CampaignState.STOPPED: Code.BACKFILL_STOPPED,
    CampaignState.CANCELLED: Code.CANCELLED,
    CampaignState.DONE: Code.SUCCEEDED,
}


def ask_backfill(app: Rota, campaign: Campaign, *, zone: tzinfo = UTC) -> Why:
    """Return why a backfill is where it is: what of it waits, and its sum."""
    facts = Facts(app, zone=zone)
    counts = app.campaigns.counts(campaign.id)
    shown = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no runs yet"
    why = f": {campaign.why}" if campaign.why else ""
    rests = campaign.state in (CampaignState.PAUSED, CampaignState.STOPPED)
    code = _CODE.get(campaign.state, Code.RUNNING)
    if code is Code.SUCCEEDED and counts.get(State.FAILED):
        code = Code.FAILED
    whole = reason(
        code, f"it is {campaign.state}{why}; {shown}", f"rota backfills {'resume' if rests else 'show'} {campaign.id}",
        backfill=campaign.id, state=str(campaign.state), author=campaign.paused_by, reason=campaign.why,
    )  # fmt: skip
    waiting = app.store.runs(RunQuery(batch=campaign_batch(campaign.id), states=WAITING, limit=LOOKED_AT))
    # That it is paused or stopped is not said again for the runs that wait for that.
    others = [one for one in groups(facts, waiting) if one.code is not code]
    subject = f"backfill {campaign.id} of {campaign.schedule}"
    return answer("backfill", subject, [whole, *others], state=str(campaign.state))
