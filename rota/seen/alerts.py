"""What went wrong, of the jobs and tenants that there are."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NoReturn

from msgspec.structs import replace

from rota.core.alert import IncidentKind
from rota.core.controls import AuditEntry
from rota.core.delivery import Delivery
from rota.core.incident import Incident, IncidentState, Member
from rota.core.model import Run, RunHistory
from rota.core.secret_shape import without_shapes
from rota.errors import Forbidden
from rota.ports import AlertStore
from rota.queries import DeliveryQuery, IncidentQuery
from rota.seen.scope import Scope, refilled

LEAST_PAGE = 100
OF_TENANTS = frozenset(IncidentKind) - {IncidentKind.BROKEN, IncidentKind.STOPPED}
"""Kinds whose members are tenants. Those of the others are schedules, and loops of processes."""


class SeenAlerts:
    """An AlertStore over another one, for one scope."""

    def __init__(
        self, alerts: Callable[[], AlertStore], scope: Scope, *, run: Callable[[str], RunHistory | None]
    ) -> None:
        """`run` finds those runs that there are."""
        self._alerts = alerts
        self._scope = scope
        self._run = run

    def incidents(self, query: IncidentQuery) -> list[Incident]:
        narrowed = self._scope.within_jobs(query)
        if narrowed is None:
            return []
        if self._scope.tenants is None:
            return self._alerts().incidents(narrowed)
        # One that is open may be over for those that there are; one that is closed is over for all.
        states = (IncidentState.OPEN,) if query.states == (IncidentState.OPEN,) else ()
        wanted = replace(narrowed, states=states, limit=max(query.limit, LEAST_PAGE))

        def after(last: Incident | None) -> list[Incident]:
            return self._alerts().incidents(wanted if last is None else replace(wanted, before_id=last.id))

        def keep(incident: Incident) -> Incident | None:
            seen = self._seen(incident)
            return seen if seen is not None and (not query.states or seen.state in query.states) else None

        return list(islice(refilled(after, keep, size=wanted.limit), query.limit))

    def members(self, incident: str) -> list[Member]:
        known = self._stored(incident)
        if known is None or not self._scope.has_job(known.job):
            return []
        return self._members(known)

    def write(
        self,
        incident: Incident,
        *,
        expected_version: int | None,
        members: Sequence[Member] = (),
        taken: Sequence[str] = (),
        deliveries: Sequence[Delivery] = (),
        audit: AuditEntry | None = None,
    ) -> bool:
        """Write what somebody says of an incident; the rest of it stays as it is stored.

        Raises:
            Forbidden: whoever asks sees only some tenants. What is said holds for all whom it meets, so it would be
                kept from others; and to allow it where it meets nobody else would tell whether it does.
        """
        if self._scope.tenants is not None:
            raise Forbidden("what is said of an incident holds for each tenant that it meets: who sees all may say it")
        known = self._stored(incident.id)
        if known is None or expected_version is None or members or taken or deliveries or not self._is_theirs(known):
            raise Forbidden(f"incident {incident.id} is not of your jobs alone")
        said = replace(
            known,
            acked_at=incident.acked_at,
            acked_by=incident.acked_by,
            muted_at=incident.muted_at,
            muted_until=incident.muted_until,
            muted_by=incident.muted_by,
            remarks=(*known.remarks, *(one for one in incident.remarks if one not in known.remarks)),
            version=incident.version,
        )
        return self._alerts().write(said, expected_version=expected_version, audit=audit)

    def deliveries(self, query: DeliveryQuery) -> list[Delivery]:
        """Return those of one incident, to who sees all tenants: a message names whom it met."""
        known = None if query.incident is None or self._scope.tenants is not None else self._stored(query.incident)
        if known is None or not self._scope.has_job(known.job):
            return []
        return self._alerts().deliveries(query)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise Forbidden("this is for those who may see all jobs and all tenants")

    signals = claim_deliveries = settle_delivery = prune = _refuse

    def _stored(self, incident: str) -> Incident | None:
        return next(iter(self._alerts().incidents(IncidentQuery(ids=(incident,)))), None)

    def _members(self, incident: Incident) -> list[Member]:
        members = self._alerts().members(incident.id)
        if self._scope.tenants is None:
            return members
        return [one for one in members if incident.kind in OF_TENANTS and self._scope.has_tenant(one.name)]

    def _is_theirs(self, incident: Incident) -> bool:
        if not self._scope.has_job(incident.job):
            return False
        theirs = self._members(incident)
        return bool(theirs) and len(theirs) == len(self._alerts().members(incident.id))

    def _seen(self, incident: Incident) -> Incident | None:
        """Return an incident as if it had met nobody else; None where it has met none of them."""
        members = self._members(incident)
        if not members:
            return None
        latest = max(members, key=lambda one: one.last_at)
        history = None if latest.last_run_id is None else self._run(latest.last_run_id)
        ended = [one.recovered_at for one in members if one.recovered_at is not None]
        is_over = len(ended) == len(members)
        closed_at = max(ended) if is_over else incident.closed_at
        seen = replace(
            incident,
            state=IncidentState.CLOSED if is_over else incident.state,
            opened_at=min(one.first_at for one in members),
            last_at=latest.last_at,
            closed_at=closed_at,
            number=sum(one.number for one in members),
            affected=len(members) - len(ended),
            # People write here of whomever they want.
            remarks=(),
        )
        return _of_run(seen, None if history is None else history.run)


def _of_run(incident: Incident, run: Run | None) -> Incident:
    """Return an incident with what a run has to say of it, and not what one of another tenant had."""
    if run is None:
        return replace(incident, run_id=None, slot=None, error="", place="")
    error = run.error
    return replace(
        incident,
        run_id=run.id,
        slot=run.slot,
        error="" if error is None else without_shapes(error.first_line),
        place="" if error is None else error.place,
    )
