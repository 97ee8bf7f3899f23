"""What went wrong, from when it is noticed until it is over: opened once, grouped, reminded of, closed (R50).

An incident is open exactly while its condition holds. The condition is read from what the store has: a run that failed
for good and no later success, a schedule that is broken, a tenant that is parked. Everything here is a decision about
values; `engine.alerter` reads, asks, and writes what comes of it by compare-and-set.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from rota.core.alert import IncidentKind, Stage
from rota.core.signal import Signal

ANY_ERROR = "*"
"""The fingerprint of an incident that takes in what is too various to be told one by one."""

MOST_OF_JOB = 5
"""Incidents of one job and kind that are open at once; further errors of it share one more. 500 tenants that fail with
500 texts are a handful of messages."""

LOOK = timedelta(seconds=15)
"""How often it is looked whether an open incident is over."""

DAY = timedelta(days=1)


class IncidentState(StrEnum):
    """Whether its condition holds."""

    OPEN = "open"
    CLOSED = "closed"


class Remark(Struct, frozen=True, kw_only=True):
    """What somebody wrote down about an incident."""

    at: datetime
    author: str
    text: str


class Incident(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong, over all tenants that it meets. A store replaces it whole, by compare-and-set."""

    id: str
    key: str | None
    """What makes another failure the same one: at most one incident has a key. None once it has been closed for long
    enough not to be opened again."""
    kind: IncidentKind
    job: str = ""
    """"" where it is about no job."""
    fingerprint: str = ""
    about: str = ""
    """What it is about, where that is no job: a schedule."""
    state: IncidentState = IncidentState.OPEN
    version: int = 1
    opened_at: datetime
    last_at: datetime
    """When its condition was met last."""
    closed_at: datetime | None = None
    look_at: datetime | None = None
    """When it is looked at next; None once nothing is to come."""
    error: str = ""
    place: str = ""
    run_id: str | None = None
    slot: datetime | None = None
    number: int = 0
    """How often it was met, over all members."""
    affected: int = 0
    """How many members it has that have not recovered."""
    tell_at: datetime | None = None
    """When it is told that it is open: others that fail together are waited for. None once that is done."""
    told_at: datetime | None = None
    """When it was told of last, or would have been, had it not been muted."""
    told_for: int = 0
    """How many members were affected then."""
    reminders: int = 0
    channels: tuple[str, ...] = ()
    """Who was told that it is open, at once or by a reminder, and will be told that it is over."""
    messages: int = 0
    """How many were decided on; they are numbered."""
    openings: int = 1
    """How often it was opened in a row, each time before it had been closed for long."""
    acked_at: datetime | None = None
    acked_by: str = ""
    muted_at: datetime | None = None
    muted_until: datetime | None = None
    """None while it is muted: until it is over."""
    muted_by: str = ""
    remarks: tuple[Remark, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.state is IncidentState.OPEN

    def is_muted(self, now: datetime) -> bool:
        """Whether nobody is to be told of it."""
        return self.muted_at is not None and (self.muted_until is None or now < self.muted_until)


class Member(Struct, frozen=True, kw_only=True):
    """A tenant that an incident meets; or a schedule, or a loop of a process, where it is about those."""

    name: str
    """"" is of no tenant."""
    number: int = 1
    first_at: datetime
    last_at: datetime
    last_run_id: str | None = None
    recovered_at: datetime | None = None


class Condition(NamedTuple):
    """Something that is wrong now, found by looking and not by its end."""

    kind: IncidentKind
    job: str
    about: str
    """What tells it from others of the same job and kind: a schedule's name."""
    member: str
    since: datetime
    error: str = ""
    slot: datetime | None = None


class Policy(NamedTuple):
    """When is told what: settings `alerts`."""

    cool_down: timedelta = timedelta(hours=1)
    """How long after a message it is repeated while the incident is open; twice as long each time, up to a day."""
    settle: timedelta = timedelta(seconds=10)
    """How long after the first failure others are waited for before it is told."""
    flapping: int = 3
    """Opened so often in a row, it is closed only when nothing failed for the cool-down."""


class Change(NamedTuple):
    """What an incident becomes, and the members of it that have changed."""

    incident: Incident
    members: tuple[Member, ...] = ()


def key_of(kind: IncidentKind, job: str, fingerprint: str) -> str:
    """Return what two failures share that are the same."""
    return f"{kind}:{fingerprint}:{job}"


def kept_apart(signals: Iterable[Signal], held: Iterable[Incident]) -> dict[str, list[Signal]]:
    """Return signals by the key of the incident that they belong to; `held` are the incidents that have keys.

    Of one job and kind not more than `MOST_OF_JOB` keys come into being; what is beyond that shares another one.
    """
    known: dict[tuple[IncidentKind, str], set[str]] = {}
    for incident in held:
        known.setdefault((incident.kind, incident.job), set()).add(incident.fingerprint)
    apart: dict[str, list[Signal]] = {}
    for signal in sorted(signals, key=lambda one: (one.at, one.id)):
        prints = known.setdefault((signal.kind, signal.job), set())
        print_ = signal.fingerprint
        if print_ not in prints and len(prints - {ANY_ERROR}) >= MOST_OF_JOB:
            print_ = ANY_ERROR
        prints.add(print_)
        apart.setdefault(key_of(signal.kind, signal.job, print_), []).append(signal)
    return apart


def met(
    known: Incident | None,
    members: Mapping[str, Member],
    signals: Sequence[Signal],
    *,
    key: str,
    new_id: str,
    now: datetime,
    policy: Policy,
) -> Change:
    """Return what an incident becomes by further failures of the same kind; `known` is what has the key.

    A failure from before its tenant recovered counts, and changes nothing else: the order in which they are read
    does not matter.
    """
    last = max(signals, key=lambda one: (one.at, one.id))
    changed: dict[str, Member] = {}
    for signal in signals:
        before = changed.get(signal.tenant, members.get(signal.tenant))
        changed[signal.tenant] = _met_again(before, signal)
    incident = known or Incident(
        id=new_id,
        key=key,
        kind=last.kind,
        job=last.job,
        fingerprint=key.split(":", 2)[1],
        opened_at=min(one.at for one in signals),
        last_at=last.at,
        tell_at=now + policy.settle,
    )
    incident = replace(incident, number=incident.number + len(signals))
    if known is None or last.at >= known.last_at:
        said = replace(incident, last_at=last.at, error=last.error, place=last.place)
        incident = replace(said, run_id=last.run_id, slot=last.slot)
    return _with(incident, known, members, changed, now=now, policy=policy)


def compared(
    known: Incident | None,
    members: Mapping[str, Member],
    conditions: Sequence[Condition],
    *,
    kind: IncidentKind,
    key: str,
    new_id: str,
    now: datetime,
    policy: Policy,
) -> Change | None:
    """Return what an incident becomes by what is wrong now, all of it with this key; None is as it was."""
    present = {one.member: one for one in conditions}
    changed = {
        name: _seen(members.get(name), one, now=now)
        for name, one in present.items()
        if name not in members or members[name].recovered_at is not None
    }
    gone = {
        name: replace(member, recovered_at=now)
        for name, member in members.items()
        if member.recovered_at is None and name not in present
    }
    if not changed and not gone:
        return None
    incident = known
    if incident is None:
        first = min(conditions, key=lambda one: (one.since, one.member))
        incident = Incident(
            id=new_id,
            key=key,
            kind=kind,
            job=first.job,
            fingerprint=key.split(":", 2)[1],
            about=first.about,
            opened_at=min(first.since, now),
            last_at=now,
            tell_at=now + policy.settle,
        )
    if changed:
        newest = max((present[name] for name in changed), key=lambda one: (one.since, one.member))
        incident = replace(
            incident,
            number=incident.number + len(changed),
            last_at=now,
            error=newest.error,
            slot=newest.slot,
        )
    return _with(incident, known, members, changed | gone, now=now, policy=policy)


def recovered(
    incident: Incident, members: Mapping[str, Member], successes: Mapping[str, datetime], *, now: datetime
) -> Change | None:
    """Return what an incident becomes by later successes, per member; None where there are none that count.

    Only a success after the last failure is one, and only of a tenant that has failed.
    """
    well = tuple(
        replace(member, recovered_at=successes[name])
        for name, member in sorted(members.items())
        if member.recovered_at is None and name in successes and successes[name] > member.last_at
    )
    if not well:
        return None
    left = incident.affected - len(well)
    return Change(replace(incident, affected=max(left, 0), look_at=now), well)


def looked(incident: Incident, *, now: datetime, policy: Policy) -> tuple[Incident, Stage | None]:
    """Return what an incident becomes by the time that has passed, and what is to be told of it.

    One step at a time: it is opened for everybody before it is closed. Whoever is asked again at its `look_at` comes to
    its end.
    """
    if not incident.is_open:
        return _released(incident, now=now, policy=policy), None
    if incident.tell_at is not None:
        if now < incident.tell_at:
            return replace(incident, look_at=incident.tell_at), None
        told = replace(incident, tell_at=None, reminders=0, look_at=now + LOOK)
        return _told(told, Stage.OPENED, now=now)
    if not incident.affected:
        quiet_at = incident.last_at + policy.cool_down
        if incident.openings >= policy.flapping and now < quiet_at:
            return replace(incident, look_at=min(quiet_at, now + LOOK)), None
        return _closed(incident, now=now, policy=policy)
    incident = replace(incident, look_at=now + LOOK)
    if _is_reminder_due(incident, now=now, policy=policy):
        return _told(replace(incident, reminders=incident.reminders + 1), Stage.REMINDER, now=now)
    return incident, None


def reminder_wait(reminders: int, policy: Policy) -> timedelta:
    """Return how long after the last message the next one comes, after so many reminders."""
    longest = max(policy.cool_down, DAY)
    wait = policy.cool_down
    for _ in range(reminders):
        if wait >= longest:
            break
        wait *= 2
    return min(wait, longest)


def _is_reminder_due(incident: Incident, *, now: datetime, policy: Policy) -> bool:
    told_at = incident.told_at or incident.opened_at
    if incident.is_muted(now):
        return False
    # Twice as many are news, also to whoever acknowledged it; but not each minute while an outage spreads.
    if incident.affected >= 2 * max(incident.told_for, 1) and now >= told_at + policy.cool_down / 6:
        return True
    return incident.acked_at is None and now >= told_at + reminder_wait(incident.reminders, policy)


def _told(incident: Incident, stage: Stage, *, now: datetime) -> tuple[Incident, Stage | None]:
    is_muted = incident.is_muted(now)
    told = replace(incident, told_at=now, told_for=incident.affected, messages=incident.messages + (not is_muted))
    return told, None if is_muted else stage


def _closed(incident: Incident, *, now: datetime, policy: Policy) -> tuple[Incident, Stage | None]:
    closed = replace(incident, state=IncidentState.CLOSED, closed_at=now, look_at=now + policy.cool_down)
    if incident.is_muted(now):
        return closed, None
    return replace(closed, messages=closed.messages + 1), Stage.RECOVERED


def _released(incident: Incident, *, now: datetime, policy: Policy) -> Incident:
    """Give the key free: the next failure is another incident."""
    if incident.closed_at is not None and now < incident.closed_at + policy.cool_down:
        return replace(incident, look_at=incident.closed_at + policy.cool_down)
    return replace(incident, key=None, look_at=None)


def _with(
    incident: Incident,
    known: Incident | None,
    members: Mapping[str, Member],
    changed: Mapping[str, Member],
    *,
    now: datetime,
    policy: Policy,
) -> Change:
    """Return an incident with members that have changed: counted, open again where it was closed, looked at in time."""
    affected = sum(member.recovered_at is None for member in {**members, **changed}.values())
    incident = replace(incident, affected=affected)
    if affected and not incident.is_open:
        incident = replace(
            incident,
            state=IncidentState.OPEN,
            closed_at=None,
            # Since when it is wrong now; meanwhile it was well.
            opened_at=min((one.last_at for one in changed.values() if one.recovered_at is None), default=now),
            tell_at=now + policy.settle,
            told_for=0,
            openings=incident.openings + 1,
            acked_at=None,
            acked_by="",
        )
        if incident.muted_until is None:
            # Until it was over, and that it was.
            incident = replace(incident, muted_at=None, muted_by="")
    look_at = incident.tell_at or now
    if known is not None and known.look_at is not None:
        look_at = min(look_at, known.look_at)
    return Change(replace(incident, look_at=look_at), tuple(changed[name] for name in sorted(changed)))


def _met_again(before: Member | None, signal: Signal) -> Member:
    if before is None:
        return Member(name=signal.tenant, first_at=signal.at, last_at=signal.at, last_run_id=signal.run_id)
    is_last = signal.at >= before.last_at
    is_well = before.recovered_at is not None and before.recovered_at >= signal.at
    return replace(
        before,
        number=before.number + 1,
        first_at=min(before.first_at, signal.at),
        last_at=max(before.last_at, signal.at),
        last_run_id=signal.run_id if is_last else before.last_run_id,
        recovered_at=before.recovered_at if is_well else None,
    )


def _seen(before: Member | None, condition: Condition, *, now: datetime) -> Member:
    if before is None:
        return Member(name=condition.member, first_at=min(condition.since, now), last_at=now)
    return replace(before, number=before.number + 1, last_at=now, recovered_at=None)
