"""Alerts that go straight to their channels while the store, which would keep them, is away (R50, H5)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from rota.clock import Clock
from rota.core.alert import Alert, IncidentKind, Stage
from rota.core.counting import counted
from rota.core.delivery import Delivery, DeliveryState
from rota.core.events import FreshnessChanged
from rota.core.freshness import Freshness
from rota.core.incident import Incident
from rota.core.routing import routes
from rota.core.safe import safe_text
from rota.core.telling import MOST_NAMES
from rota.engine.alerts.alerter import Telling
from rota.engine.alerts.deliverer import Messenger
from rota.engine.judged import Judged
from rota.ports import Notifier
from rota.redaction import redacted


class Straight:
    """Decides what is told of schedules that turned stale by what was known last, and tells it.

    What it has decided on is kept with what is known, from before it is tried until it was accepted: the network that
    took the store away may have taken the mail server along. Where it was told, its end is told too: the store is back.
    """

    def __init__(
        self,
        channels: Mapping[str, Notifier],
        telling: Telling,
        *,
        tags_of: Callable[[str], frozenset[str]],
        clock: Clock,
    ) -> None:
        """`tags_of` are the tags of a job; whoever knows those of tenants may be away as well."""
        self._telling = telling
        self._tags_of = tags_of
        self._clock = clock
        self._messengers = {name: Messenger(name, one, clock=clock) for name, one in channels.items()}

    def decide(self, judged: Judged, news: Sequence[Delivery]) -> tuple[Delivery, ...]:
        """Return what there is to tell after a pass: what was left of `news`, and what the pass has found."""
        if judged.known_at == judged.at:
            # What nobody has heard of is the store's to tell, if it is still so.
            ends = [one for one in news if one.alert.stage is Stage.RECOVERED]
            return (*ends, *self._ends([one for one in news if one.alert.stage is Stage.OPENED], judged.at))
        by_job: dict[str, list[FreshnessChanged]] = {}
        for flip in judged.flips:
            if flip.is_from_memory and flip.after is Freshness.STALE:
                by_job.setdefault(flip.job, []).append(flip)
        found = [_alert(job, flips, judged, new_id=self._clock.new_id()) for job, flips in by_job.items()]
        return (*news, *(one for alert in found for one in self._deliveries(alert, ())))

    def told(self, news: Sequence[Delivery], *, now: datetime) -> tuple[Delivery, ...]:
        """Hand over what is due, and return what is left: what waits, and what was told and is not over.

        A channel that does not accept one is asked again in the next pass: it would be as long about each of them.
        """
        give_up = self._telling.give_up
        left: list[Delivery] = []
        silent: set[str] = set()
        for one in news:
            after = one
            if one.state is DeliveryState.WAITING and one.due_at <= now and one.channel not in silent:
                after = self._tried(one)
                silent |= {one.channel} if after.state is DeliveryState.WAITING else set()
            is_over = after.alert.stage is Stage.RECOVERED and after.state is DeliveryState.SENT
            # What waits for the end of quiet hours was not tried yet.
            is_refused = after.state is DeliveryState.WAITING and after.attempt > 0
            if not is_over and not (is_refused and now - after.created_at > give_up):
                left.append(after)
        return tuple(left)

    def _tried(self, delivery: Delivery) -> Delivery:
        messenger = self._messengers.get(delivery.channel)
        if messenger is None:
            # It is not among the settings any more.
            return replace(delivery, attempt=delivery.attempt + 1)
        return messenger.tried(replace(delivery, attempt=delivery.attempt + 1))

    def _ends(self, news: Sequence[Delivery], now: datetime) -> Iterable[Delivery]:
        """Yield what tells those who were told that the store is away that it is back."""
        by_alert: dict[str, list[Delivery]] = {}
        for one in news:
            if one.state is DeliveryState.SENT:
                by_alert.setdefault(one.alert.id, []).append(one)
        for told in by_alert.values():
            first = told[0].alert
            alert = replace(
                first,
                id=f"{first.incident}-2",
                stage=Stage.RECOVERED,
                title=f"the store is back, and judges {safe_text(first.job)} again",
                at=now,
            )
            yield from self._deliveries(alert, [one.channel for one in told])

    def _deliveries(self, alert: Alert, told: Sequence[str]) -> Iterable[Delivery]:
        """Yield an alert for each channel that the settings let have it; `told` are those that had its beginning."""
        incident = Incident(
            id=alert.incident,
            key=None,
            kind=alert.kind,
            job=alert.job,
            opened_at=alert.first_at,
            last_at=alert.last_at,
            channels=tuple(told),
        )
        for route in routes(
            incident,
            alert.stage,
            channels=self._telling.channels,
            rules=self._telling.rules,
            tenants=alert.tenants,
            tags=self._tags_of(alert.job),
            now=alert.at,
        ):
            yield Delivery(
                id=self._clock.new_id(),
                incident=alert.incident,
                channel=route.channel,
                alert=alert,
                due_at=route.at,
                created_at=alert.at,
            )


def _alert(job: str, flips: Sequence[FreshnessChanged], judged: Judged, *, new_id: str) -> Alert:
    tenants = tuple(sorted({flip.tenant for flip in flips if flip.tenant}))
    whom = f" for {counted(len(tenants), 'tenant')}" if tenants else ""
    return Alert(
        id=f"{new_id}-1",
        incident=new_id,
        stage=Stage.OPENED,
        kind=IncidentKind.STALE,
        job=job,
        title=f"{safe_text(job)} is stale{whom}, and the store is down",
        error=safe_text(redacted(judged.store)),
        tenants=tenants[:MOST_NAMES],
        number_of_tenants=len(tenants),
        slot=max((flip.last_success for flip in flips if flip.last_success is not None), default=None),
        number=len(flips),
        first_at=judged.at,
        last_at=judged.at,
        at=judged.at,
        advice="rota doctor",
        is_kept=False,
    )
