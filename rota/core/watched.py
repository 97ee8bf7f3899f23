"""Pairs that are watched: what a store keeps of them, and what becomes of them as time passes and rules change (R51).

A store applies these decisions by compare-and-set; it takes none.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from rota.core.freshness import SKEW, WORSE, Expectation, Freshness, Rule, expectation, freshness

Key = tuple[str, str]
"""Of a pair: its schedule and its tenant, "" where there is none."""

WATCH = "watch:"
"""What the names of scripts outside of Rota begin with where schedules are meant; see `watch_key`."""

EDITED = "its rule was changed"
FAILED = "it said that it failed"
FUTURE = "its last success lies in the future: the clock was moved"
RESUMED = "resumed"

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""What is to be looked at before anything else."""


class Watched(Struct, frozen=True, kw_only=True, gc=False):
    """One schedule and one tenant as the watchdog left them, and as successes moved them since."""

    schedule: str
    tenant: str = ""
    state: Freshness
    last_success: datetime | None = None
    """The newest slot that succeeded: proof. A start is none."""
    late_at: datetime | None = None
    stale_at: datetime | None = None
    look_at: datetime | None = None
    """When the watchdog has to judge it again; None while only a success can change anything."""
    flipped_at: datetime
    """Since when it is in its state."""
    watched_from: datetime
    """No slot up to then is asked for."""
    rule: str = ""
    """The mark of the rule that `late_at` and `stale_at` were made by."""

    @property
    def key(self) -> Key:
        return self.schedule, self.tenant


class Flip(Struct, frozen=True, kw_only=True, gc=False):
    """A pair changed its state."""

    id: str
    schedule: str
    tenant: str
    at: datetime
    before: Freshness
    after: Freshness
    reason: str | None = None


class Turn(Struct, frozen=True, kw_only=True, gc=False):
    """What is to become of one pair: applied only while it is as it was read."""

    before: Watched | None
    """None: it was not watched."""
    after: Watched | None
    """None: it is not watched any more."""
    flip: Flip | None = None


class Wanted(Struct, frozen=True, kw_only=True, gc=False):
    """A pair that there should be."""

    schedule: str
    tenant: str = ""
    rule: Rule | None
    """None: what is expected of it cannot be read now, so what was expected last goes on."""
    since: datetime | None = None
    """When its schedule came into being."""
    has_failed: bool = False
    """Whether a script outside of Rota said that it failed, and nothing since."""
    is_paused: bool = False
    reason: str | None = None
    """Why it is paused."""

    @property
    def key(self) -> Key:
        return self.schedule, self.tenant


class PingKind(StrEnum):
    """What a script outside of Rota says of itself."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"
    LOG = "log"


class Ping(Struct, frozen=True, kw_only=True):
    """One word of a script outside of Rota."""

    id: str
    name: str
    at: datetime
    kind: PingKind
    text: str | None = None
    """What it printed, or had to say."""
    duration: timedelta | None = None
    """Since its start, where it told of that."""


def watch_key(name: str) -> str:
    """Return what stands for the schedule of a script outside of Rota."""
    return WATCH + name


def begun(wanted: Wanted, *, last_success: datetime | None, now: datetime) -> Watched | None:
    """Return a pair that is watched from now on; None where it is not known what to expect.

    What has succeeded before has to succeed again by the same rule as ever; only what never did is new.
    """
    if wanted.rule is None:
        return None
    watched_from = now if last_success is None else max(last_success, wanted.since or last_success)
    fresh = Watched(
        schedule=wanted.schedule,
        tenant=wanted.tenant,
        state=Freshness.NEW if last_success is None else Freshness.FRESH,
        last_success=last_success,
        flipped_at=now,
        watched_from=watched_from,
        rule=wanted.rule.mark,
    )
    return judged(fresh, wanted, now=now)[0]


def judged(watched: Watched, wanted: Wanted, *, now: datetime) -> tuple[Watched, str | None]:
    """Return a pair as it is at `now`, and why its state changed where that is not plain.

    By the rule that holds now, whatever its instants were made by. A change of the rule never makes a pair late by
    itself: what it would have broken already counts from now on. Neither does a resumption, nor the loss of all
    proof by a reset.
    """
    if wanted.is_paused:
        return _moved(watched, Freshness.PAUSED, now=now, look_at=None), wanted.reason
    rule, reason, watched_from = wanted.rule, None, watched.watched_from
    if watched.state is Freshness.PAUSED:
        reason, watched_from = RESUMED, now
    if rule is None:
        state = _as_it_was(watched, now=now)
        return _moved(watched, state, now=now, look_at=_look_at(state, watched)), reason
    proof = watched.last_success
    if proof is not None and proof > now + SKEW:
        # A success from the future proves nothing: the clock was moved since.
        proof, reason = None, FUTURE
    if proof is None and watched.state is Freshness.FRESH:
        watched_from = now
    expected = expectation(rule, proof=proof, watched_from=watched_from)
    state = _state(expected, now=now, has_succeeded=proof is not None)
    if expected.rule != watched.rule and WORSE[state] > WORSE[_as_it_was(watched, now=now)]:
        reason, watched_from = EDITED, now
        expected = expectation(rule, proof=proof, watched_from=now)
        state = _state(expected, now=now, has_succeeded=proof is not None)
    after = replace(
        watched,
        late_at=expected.late_at,
        stale_at=expected.stale_at,
        rule=expected.rule,
        watched_from=watched_from,
    )
    if wanted.has_failed:
        # Its own word is more than missing proof; nobody has to wait for that.
        state, reason = Freshness.STALE, FAILED
    return _moved(after, state, now=now, look_at=_look_at(state, after)), reason


def survey(
    wanted: Iterable[Wanted],
    stored: Mapping[Key, Watched],
    *,
    successes: Callable[[Key], datetime | None],
    now: datetime,
    new_id: Callable[[], str],
) -> list[Turn]:
    """Return what has to be written so that the store has what is wanted: pairs that came, went, or are judged anew.

    `successes` tells the newest slot that succeeded of a pair that is not watched yet.
    """
    turns, left = [], dict(stored)
    for one in wanted:
        before = left.pop(one.key, None)
        turn = come(one, last_success=successes(one.key), now=now) if before is None else turned(
            before, one, now=now, new_id=new_id
        )  # fmt: skip
        if turn is not None:
            turns.append(turn)
    return [*turns, *(Turn(before=gone, after=None) for gone in left.values())]


def come(wanted: Wanted, *, last_success: datetime | None, now: datetime) -> Turn | None:
    """Return what begins to watch a pair; None where it is not known what to expect."""
    after = begun(wanted, last_success=last_success, now=now)
    return None if after is None else Turn(before=None, after=after)


def turned(before: Watched, wanted: Wanted, *, now: datetime, new_id: Callable[[], str]) -> Turn | None:
    """Return what becomes of a pair that is watched; None where it is as it should be."""
    after, reason = judged(before, wanted, now=now)
    if after == before:
        return None
    flip = None
    if after.state is not before.state:
        flip = Flip(
            id=new_id(),
            schedule=after.schedule,
            tenant=after.tenant,
            at=now,
            before=before.state,
            after=after.state,
            reason=reason,
        )
    return Turn(before=before, after=after, flip=flip)


def is_worse(turn: Turn) -> bool:
    """Whether it says that something is late or stale that was not."""
    return turn.flip is not None and WORSE[turn.flip.after] > max(WORSE[turn.flip.before], WORSE[Freshness.FRESH])


def as_known(watched: Watched, *, now: datetime) -> Freshness:
    """Return the state of a pair at `now` by what was last known of it, for when its store cannot be asked."""
    return Freshness.PAUSED if watched.state is Freshness.PAUSED else _as_it_was(watched, now=now)


def proved(watched: Watched, slot: datetime, expected: Expectation | None, *, ended_at: datetime) -> Watched:
    """Return a pair after its `slot` has succeeded: what a store writes with the settlement.

    The newest slot counts, so a backfill of an old one changes nothing (R51). Its state stays: the watchdog changes
    it, and tells. It looks at once where there is something to tell or to work out, else when this proof gets late.
    """
    if watched.last_success is not None and slot <= watched.last_success:
        return watched
    if expected is None:
        look_at = None if watched.state is Freshness.PAUSED else ended_at
        return replace(watched, last_success=slot, look_at=look_at)
    look_at = expected.look_at
    if watched.state is Freshness.PAUSED:
        look_at = None
    elif watched.state is not Freshness.FRESH:
        look_at = ended_at
    return replace(
        watched,
        last_success=slot,
        late_at=expected.late_at,
        stale_at=expected.stale_at,
        rule=expected.rule,
        look_at=look_at,
    )


def heard(watched: Watched, *, at: datetime) -> Watched:
    """Return the pair of a script outside of Rota that said that it failed, or that it succeeded in a slot that is
    proved already, perhaps after a failure: the watchdog looks."""
    return replace(watched, look_at=None if watched.state is Freshness.PAUSED else at)


def marked(watched: Watched, last_success: datetime | None) -> Watched:
    """Return a pair after somebody said what its last success was, or forgot it: the watchdog judges it at once."""
    look_at = None if watched.state is Freshness.PAUSED else LONG_AGO
    return replace(watched, last_success=last_success, look_at=look_at)


def _as_it_was(watched: Watched, *, now: datetime) -> Freshness:
    """Return the state at `now` by what was expected when the pair was last written."""
    expected = Expectation(late_at=watched.late_at, stale_at=watched.stale_at)
    return _state(expected, now=now, has_succeeded=watched.last_success is not None)


def _state(expected: Expectation, *, now: datetime, has_succeeded: bool) -> Freshness:
    return freshness(
        now=now,
        late_at=expected.late_at,
        stale_at=expected.stale_at,
        has_succeeded=has_succeeded,
        is_paused=False,
    )


def _look_at(state: Freshness, watched: Watched) -> datetime | None:
    match state:
        case Freshness.NEW | Freshness.FRESH:
            return Expectation(late_at=watched.late_at, stale_at=watched.stale_at).look_at
        case Freshness.LATE:
            return watched.stale_at
        case _:
            return None


def _moved(watched: Watched, state: Freshness, *, now: datetime, look_at: datetime | None) -> Watched:
    flipped_at = watched.flipped_at if state is watched.state else now
    return replace(watched, state=state, flipped_at=flipped_at, look_at=look_at)
