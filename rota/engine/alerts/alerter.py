"""Keeps incidents true to what the store has, and decides who is told what of them (R50)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from rota.clock import Clock
from rota.core.alert import IncidentKind, Stage
from rota.core.delivery import Delivery, DeliveryState, given_up
from rota.core.events import IncidentClosed, IncidentOpened
from rota.core.fingerprint import fingerprint
from rota.core.incident import (
    Change,
    Condition,
    Incident,
    Member,
    Policy,
    compared,
    kept_apart,
    key_of,
    looked,
    met,
    recovered,
)
from rota.core.routing import OF_RUNS, Channel, Rule, routes
from rota.core.telling import alert_of
from rota.engine.alerts.conditions import LOOKED_AT
from rota.engine.alerts.recoveries import Recoveries
from rota.engine.bus import Bus
from rota.ports import Store
from rota.queries import DeliveryQuery, IncidentQuery

EVERY = timedelta(seconds=2)
"""How often signals are asked for: one index read where there are none."""

LEVELS = timedelta(seconds=15)
"""How often it is looked what is wrong without anything having ended."""

TIDIES = timedelta(minutes=10)

BATCH = 500
"""Signals that are taken in at once."""

PAGE = 1000
"""Incidents that are read, and looked at, at once: a few of each job, and those that were closed within the cool-down.
"""


class Telling(Struct, frozen=True, kw_only=True):
    """Who is told, and when: the settings, read."""

    policy: Policy = Policy()
    channels: tuple[Channel, ...]
    rules: tuple[Rule, ...] = ()
    url: str = ""
    give_up: timedelta = timedelta(days=1)
    keep: timedelta = timedelta(days=90)


class Alerter:
    """Takes in what failed, looks at what is wrong, finds what is over, and writes what is to be told with it.

    Each incident is written over the version that was read: of several processes that do the same at once, one does
    it, and the others find it done. Whoever dies in between leaves all of it to the next pass of anybody.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        bus: Bus,
        telling: Telling,
        conditions: Callable[[datetime], Iterable[Condition]],
        tags_of: Callable[[str, Sequence[str]], frozenset[str]] = lambda _job, _tenants: frozenset(),
        gone: Callable[[Iterable[str]], Iterable[str]] = lambda _tenants: (),
    ) -> None:
        """`conditions` finds what is wrong now, of all kinds in `LOOKED_AT`; `tags_of` the tags of job and tenants,
        `gone` which of some tenants there are no more: nothing of theirs will succeed."""
        self._store = store
        self._clock = clock
        self._bus = bus
        self._telling = telling
        self._conditions = conditions
        self._tags_of = tags_of
        self._gone = gone
        self._recoveries = Recoveries(store)
        self._levels_at: datetime | None = None
        self._tidied_at: datetime | None = None

    def tick(self, now: datetime) -> timedelta:
        taken = self._take_in(now)
        if self._levels_at is None or not self._levels_at <= now < self._levels_at + LEVELS:
            self._levels_at = now
            self._compare(now)
        for incident in self._store.alerts.incidents(IncidentQuery(look_before=now, limit=PAGE)):
            self._look(incident, now)
        if self._tidied_at is None or not self._tidied_at <= now < self._tidied_at + TIDIES:
            self._tidied_at = now
            self._tidy(now)
        return timedelta(0) if taken == BATCH else EVERY

    def _take_in(self, now: datetime) -> int:
        """Make incidents of what failed; return how many signals there were."""
        signals = self._store.alerts.signals(limit=BATCH)
        if not signals:
            return 0
        held = self._held()
        for key, of_key in kept_apart(signals, held.values()).items():
            known = held.get(key)
            members = self._members(known)
            change = met(
                known, members, of_key, key=key, new_id=self._clock.new_id(), now=now, policy=self._telling.policy
            )
            self._write(change, known, taken=[signal.id for signal in of_key])
        return len(signals)

    def _compare(self, now: datetime) -> None:
        """Make incidents true to what is wrong now."""
        found: dict[str, list[Condition]] = {}
        for condition in self._conditions(now):
            found.setdefault(_key(condition), []).append(condition)
        held = {key: incident for key, incident in self._held().items() if incident.kind in LOOKED_AT}
        for key in sorted({*found, *held}):
            known, conditions = held.get(key), found.get(key, [])
            change = compared(
                known,
                self._members(known),
                conditions,
                kind=known.kind if known is not None else conditions[0].kind,
                key=key,
                new_id=self._clock.new_id(),
                now=now,
                policy=self._telling.policy,
            )
            if change is not None:
                self._write(change, known)

    def _look(self, incident: Incident, now: datetime) -> None:
        """Take an incident one step on: it is told, reminded of, over, or nothing yet."""
        members = self._members(incident)
        change = Change(incident)
        if incident.kind in OF_RUNS and incident.is_open and incident.tell_at is None:
            well = self._recoveries.of(incident, list(members.values()), now=now)
            left = [one.name for one in members.values() if one.recovered_at is None and one.name not in well]
            change = recovered(incident, members, well | dict.fromkeys(self._gone(left), now), now=now) or change
            members = {**members, **{member.name: member for member in change.members}}
        after, stage = looked(change.incident, now=now, policy=self._telling.policy)
        deliveries: list[Delivery] = []
        if stage is not None:
            deliveries = self._deliveries(after, members.values(), stage, now)
            told = tuple(one.channel for one in deliveries)
            match stage:
                case Stage.OPENED:
                    after = replace(after, channels=told)
                case Stage.REMINDER:
                    # Rules look at whom it meets by now: who learns of it so late is told of its end too.
                    after = replace(after, channels=tuple(dict.fromkeys((*after.channels, *told))))
        if self._write(Change(after, change.members), incident, deliveries=deliveries):
            self._publish(incident, after)

    def _deliveries(self, incident: Incident, members: Iterable[Member], stage: Stage, now: datetime) -> list[Delivery]:
        everybody = list(members)
        affected = [one.name for one in everybody if one.recovered_at is None or stage is Stage.RECOVERED]
        tenants = affected if incident.kind in TENANTS else []
        alert = alert_of(incident, everybody, stage, now=now, url=self._telling.url)
        has_tags = any(rule.tags for rule in self._telling.rules)
        told = routes(
            incident,
            stage,
            channels=self._telling.channels,
            rules=self._telling.rules,
            tenants=tenants,
            tags=self._tags_of(incident.job, tenants) if has_tags else frozenset(),
            now=now,
        )
        return [
            Delivery(
                id=self._clock.new_id(),
                incident=incident.id,
                channel=route.channel,
                alert=alert,
                due_at=route.at,
                created_at=now,
            )
            for route in told
        ]

    def _write(
        self,
        change: Change,
        known: Incident | None,
        *,
        taken: Sequence[str] = (),
        deliveries: Sequence[Delivery] = (),
    ) -> bool:
        expected = None if known is None else known.version
        incident = replace(change.incident, version=1 if expected is None else expected + 1)
        return self._store.alerts.write(
            incident, expected_version=expected, members=change.members, taken=taken, deliveries=deliveries
        )

    def _publish(self, before: Incident, after: Incident) -> None:
        if before.tell_at is not None and after.tell_at is None:
            self._bus.publish(IncidentOpened(incident=after))
        elif before.is_open and not after.is_open:
            self._bus.publish(IncidentClosed(incident=after))

    def _tidy(self, now: datetime) -> None:
        """Give up what no channel has accepted for long, and forget what is over for long."""
        query = DeliveryQuery(states=(DeliveryState.WAITING,), created_before=now - self._telling.give_up, limit=BATCH)
        for delivery in self._store.alerts.deliveries(query):
            # What waits for the end of quiet hours was not tried yet.
            if delivery.due_at - delivery.created_at < self._telling.give_up or delivery.attempt:
                self._store.alerts.settle_delivery(given_up(delivery, now=now))
        self._store.alerts.prune(before=now - self._telling.keep, limit=BATCH)

    def _held(self) -> dict[str, Incident]:
        """Return the incidents that have keys, all of them: a failure whose incident is not known cannot be taken in,
        and stands in the way of those behind it."""
        found: dict[str, Incident] = {}
        before: str | None = None
        while True:
            page = self._store.alerts.incidents(IncidentQuery(held=True, before_id=before, limit=PAGE))
            found |= {incident.key: incident for incident in page if incident.key is not None}
            if len(page) < PAGE:
                return found
            before = page[-1].id

    def _members(self, incident: Incident | None) -> Mapping[str, Member]:
        return {} if incident is None else {one.name: one for one in self._store.alerts.members(incident.id)}


TENANTS = OF_RUNS | {IncidentKind.STALE, IncidentKind.PARKED}
"""Kinds whose members are tenants."""


def _key(condition: Condition) -> str:
    about = fingerprint("", "", condition.about) if condition.about else ""
    return key_of(condition.kind, condition.job, about)
