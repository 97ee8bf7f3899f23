"""Which controls there are for whoever asks, and which of them he may change."""

from collections.abc import Collection

from msgspec.structs import replace

from rota.core.campaign import Campaign
from rota.core.controls import Control, ControlKind, Paused
from rota.core.limits import EACH, LimitScope
from rota.seen.scope import Scope


def is_seen(control: Control, scope: Scope, *, queues: Collection[str]) -> bool:
    """Whether there is this control: it is on what there is, or holds for it. `queues` are those of its jobs."""
    noun, _, name = control.name.partition("/")
    match control.kind:
        case ControlKind.PAUSE if noun == Paused.JOB:
            return scope.has_job(name)
        case ControlKind.PAUSE if noun == Paused.QUEUE:
            return scope.jobs is None or name in queues
        case ControlKind.PAUSE:
            return scope.has_tenant(name)
        case ControlKind.CIRCUIT | ControlKind.TENANT:
            return scope.has_tenant(control.name)
        case ControlKind.CAMPAIGN:
            return _is_campaign_seen(control, scope)
        case ControlKind.LIMIT:
            return is_limit_seen(control.name, scope)
        case ControlKind.SHADOW:
            # To move a schedule from one system to another is the business of those who see everything, too.
            return False
        case ControlKind.API_KEY | ControlKind.REVOCATION | ControlKind.SESSION:
            # Who may ask is the business of those who see everything.
            return False


def may_change(control: Control, scope: Scope) -> bool:
    """Whether it is on nothing else than what there is: whoever sees only some tenants changes only what is theirs."""
    noun, _, name = control.name.partition("/")
    match control.kind:
        case ControlKind.PAUSE if noun == Paused.JOB:
            return scope.tenants is None and scope.has_job(name)
        case ControlKind.PAUSE if noun == Paused.TENANT:
            # Of all jobs: those that there are not for it would stand still too.
            return scope.jobs is None and scope.has_tenant(name)
        case ControlKind.CIRCUIT | ControlKind.TENANT:
            return scope.jobs is None and scope.has_tenant(control.name)
        case ControlKind.CAMPAIGN:
            return _is_campaign_seen(control, scope)
        case _:
            # A queue is shared by everybody, and a limit on one takes from the places of others.
            return False


def is_limit_seen(name: str, scope: Scope) -> bool:
    """Whether a limit, by its own name as in `tenant:acme`, is on what there is: its use counts all its runs."""
    on, _, named = name.partition(":")
    if on == LimitScope.TENANT:
        # Counted over all jobs.
        return scope.jobs is None and named != EACH and scope.has_tenant(named)
    return on == LimitScope.JOB and scope.tenants is None and named != EACH and scope.has_job(named)


def for_theirs(control: Control, tenants: Collection[str]) -> Control:
    """Return a control as it is written by who sees only these tenants: a campaign for all is one for all of them."""
    if control.kind is not ControlKind.CAMPAIGN:
        return control
    campaign = Campaign.of(control)
    if campaign.tenants is not None:
        return control
    return replace(control, body=replace(campaign, tenants=tuple(tenants)).body())


def _is_campaign_seen(control: Control, scope: Scope) -> bool:
    campaign = Campaign.read(control)
    return campaign is not None and scope.has_job(campaign.job) and scope.has_all(campaign.tenants)
