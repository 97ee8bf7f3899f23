"""The protocol of claims, leases and settlements, small enough to look at every order of its steps.

The store is one row per run, a worker has one hand, and time is whether a lease is live. What an ended or lost attempt
makes of its run is decided by the real `rota.core.lifecycle`; what the model adds are the guards of the writes, which
every store has to keep. Each guard is a method here, so that a mutant can leave it out.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from rota.core import lifecycle
from rota.core.lifecycle import Ending
from rota.core.model import Outcome, Run, State
from tests.values import MINUTE, NOON


class Claim(NamedTuple):
    """A claimed run as a worker or the rescuer knows it."""

    run: int
    token: int
    attempt: int
    lost_count: int
    cancel_requested: bool


class Row(NamedTuple):
    """A run in the store."""

    state: State = State.QUEUED
    token: int = 0
    owner: int | None = None
    live: bool = False
    """Whether the lease has not ended by the store's clock."""
    attempt: int = 0
    lost_count: int = 0
    cancel_requested: bool = False
    holds_key: bool = False


class Doing(StrEnum):
    """What a worker is at."""

    NOTHING = "nothing"
    EXECUTING = "executing"
    SENT = "sent"
    """It has sent word of its claim to a fleet, and keeps the lease until somebody takes the run over."""
    REPEATING = "repeating"
    """Its settlement got no answer: it sends the same again."""
    IN_DOUBT = "in doubt"
    """Its claim got no answer: it starts nothing before it has looked."""
    GIVING_BACK = "giving back"


class Hand(NamedTuple):
    """What a worker remembers. A crash forgets it."""

    doing: Doing = Doing.NOTHING
    claim: Claim | None = None
    outcome: Outcome | None = None
    told_to_cancel: bool = False


class Reading(NamedTuple):
    """What the rescuer read last, and has not acted on."""

    claim: Claim
    moved: bool = False
    """Whether the lease that it read was renewed since."""


class World(NamedTuple):
    """Everything, at one moment."""

    rows: tuple[Row, ...]
    hands: tuple[Hand, ...] = (Hand(), Hand())
    reading: Reading | None = None
    message: Claim | None = None
    """What a broker has, which may deliver it any number of times, at any time, or never."""


class Step(NamedTuple):
    """What happened, and what the invariants want to know of it."""

    name: str
    after: World
    settled: Claim | None = None
    """The claim under which something was recorded or given back."""
    by: int | None = None
    """The worker that did it; None is the rescuer."""
    renewed: int | None = None
    """The run whose lease was moved."""


@cache
def decided(claim: Claim, outcome: Outcome, max_attempts: int) -> tuple[State, int, int]:
    """Return state, attempt and lost_count as the real lifecycle decides them."""
    run = Run(
        id=str(claim.run),
        job="report",
        state=State.RUNNING,
        due_at=NOON,
        created_at=NOON,
        owner="w",
        token=claim.token,
        attempt=claim.attempt,
        lost_count=claim.lost_count,
        cancel_requested=claim.cancel_requested,
        max_attempts=max_attempts,
        lease_until=NOON,
    )
    if outcome is Outcome.LOST:
        settlement = lifecycle.rescue(run, now=NOON)
    else:
        # Given back at once, as a worker does with what has stopped.
        wait = timedelta(0) if outcome is Outcome.INTERRUPTED else MINUTE
        settlement = lifecycle.settle(run, Ending(outcome=outcome), now=NOON, wait=wait)
    return settlement.state, settlement.attempt, settlement.lost_count


class Protocol:
    """The steps, and the guards of each write."""

    def __init__(
        self, *, max_attempts: int = 1, cancels: bool = False, loses_answers: bool = True, sends: bool = False
    ) -> None:
        self._sends = sends
        self._max_attempts = max_attempts
        self._cancels = cancels
        self._loses_answers = loses_answers

    # --- the guards ---

    def may_settle(self, row: Row, claim: Claim) -> bool:
        return row.state is State.RUNNING and row.token == claim.token

    def may_rescue(self, row: Row, reading: Reading) -> bool:
        return row.state is State.RUNNING and row.token == reading.claim.token and not reading.moved

    def may_renew(self, row: Row, claim: Claim, worker: int) -> bool:
        return row.state is State.RUNNING and (row.token, row.owner) == (claim.token, worker)

    def may_release(self, row: Row, claim: Claim, worker: int) -> bool:
        return row.state is State.RUNNING and (row.token, row.owner) == (claim.token, worker)

    def may_take_over(self, row: Row, claim: Claim) -> bool:
        return row.state is State.RUNNING and row.token == claim.token

    def token_over(self, world: World, number: int) -> int:
        """Return the token under which a run is taken over."""
        return next_token(world, number)

    def keeps_key(self) -> bool:
        """Whether a run that leaves its worker's hands goes on holding its key."""
        return False

    def after_refusal(self, row: Row) -> Row:
        """Return what a settlement that was refused makes of the row."""
        return row

    # --- the steps ---

    def steps(self, world: World) -> Iterator[Step]:
        """Return everything that may happen next."""
        for number, row in enumerate(world.rows):
            yield from self._of_the_store(world, number, row)
        for worker, hand in enumerate(world.hands):
            yield from self._of_a_worker(world, worker, hand)
        yield from self._of_the_rescuer(world)
        if world.message is not None:
            yield Step("the message is lost", world._replace(message=None))

    def _of_the_store(self, world: World, number: int, row: Row) -> Iterator[Step]:
        if row.state is State.SCHEDULED:
            yield Step("promote", write(world, number, row._replace(state=State.QUEUED)))
        if row.state is State.RUNNING and row.live:
            yield Step("the lease ends", write(world, number, row._replace(live=False)))
        if self._cancels and row.state in (State.QUEUED, State.SCHEDULED):
            yield Step("cancel", write(world, number, row._replace(state=State.CANCELLED)))
        if self._cancels and row.state is State.RUNNING and not row.cancel_requested:
            yield Step("ask to cancel", write(world, number, row._replace(cancel_requested=True)))

    def _of_a_worker(self, world: World, worker: int, hand: Hand) -> Iterator[Step]:
        match hand.doing:
            case Doing.NOTHING:
                yield from self._claim(world, worker)
                yield from self._take_over(world, worker)
            case Doing.SENT:
                yield from self._heartbeat(world, worker, hand)
                yield from self._settle(world, worker, hand, (Outcome.INTERRUPTED,))
            case Doing.EXECUTING:
                yield from self._heartbeat(world, worker, hand)
                yield from self._settle(world, worker, hand, self._outcomes(hand))
            case Doing.REPEATING:
                yield from self._settle(world, worker, hand, (hand.outcome,))
            case Doing.IN_DOUBT:
                yield self._look(world, worker)
            case Doing.GIVING_BACK:
                yield self._give_back(world, worker, hand)
        if hand.doing is not Doing.NOTHING:
            yield Step("crash", hold(world, worker, Hand()))

    def _claim(self, world: World, worker: int) -> Iterator[Step]:
        if any(row.holds_key for row in world.rows):
            return
        for number, row in enumerate(world.rows):
            if row.state is not State.QUEUED:
                continue
            claimed = row._replace(
                state=State.RUNNING,
                token=next_token(world, number),
                owner=worker,
                live=True,
                attempt=row.attempt + 1,
                holds_key=True,
            )
            claim = claim_of(number, claimed)
            after = write(world, number, claimed)
            executing = Hand(Doing.EXECUTING, claim, told_to_cancel=claim.cancel_requested)
            yield Step("claim", hold(after, worker, executing))
            if self._sends:
                sent = hold(after, worker, Hand(Doing.SENT, claim))
                yield Step("claim and send", sent._replace(message=claim))
                # What was sent of an earlier claim may still be there.
                yield Step("claim and send, message lost", sent)
            if self._loses_answers:
                yield Step("claim, answer lost", hold(after, worker, Hand(Doing.IN_DOUBT)))

    def _take_over(self, world: World, worker: int) -> Iterator[Step]:
        message = world.message
        if message is None:
            return
        row = world.rows[message.run]
        if not self.may_take_over(row, message):
            yield Step("take over: refused", world)
            return
        taken = row._replace(token=self.token_over(world, message.run), owner=worker, live=True)
        claim, after = claim_of(message.run, taken), write(world, message.run, taken)
        executing = Hand(Doing.EXECUTING, claim, told_to_cancel=claim.cancel_requested)
        yield Step("take over", hold(after, worker, executing))
        if self._loses_answers:
            # It begins nothing, and looks for nothing: the lease ends.
            yield Step("take over, answer lost", after)

    def _heartbeat(self, world: World, worker: int, hand: Hand) -> Iterator[Step]:
        claim = hand.claim
        assert claim is not None
        row = world.rows[claim.run]
        if not self.may_renew(row, claim, worker):
            yield Step("heartbeat: lost", hold(world, worker, Hand()))
            return
        reading = world.reading
        if reading is not None and reading.claim.run == claim.run:
            reading = reading._replace(moved=True)
        after = write(world, claim.run, row._replace(live=True))._replace(reading=reading)
        told = hand._replace(told_to_cancel=row.cancel_requested)
        yield Step("heartbeat", hold(after, worker, told), renewed=claim.run)

    def _outcomes(self, hand: Hand) -> tuple[Outcome, ...]:
        if hand.told_to_cancel:
            return (Outcome.SUCCEEDED, Outcome.CANCELLED)
        return (Outcome.SUCCEEDED, Outcome.FAILED, Outcome.INTERRUPTED)

    def _settle(self, world: World, worker: int, hand: Hand, outcomes: tuple[Outcome | None, ...]) -> Iterator[Step]:
        claim = hand.claim
        assert claim is not None
        row = world.rows[claim.run]
        for outcome in outcomes:
            assert outcome is not None
            if self.may_settle(row, claim):
                after, settled = write(world, claim.run, self._ended(row, claim, outcome)), claim
            else:
                # Its own, from an earlier try, or refused: for the store's rows both are the same.
                after, settled = write(world, claim.run, self.after_refusal(row)), None
            yield Step(f"settle {outcome}", hold(after, worker, Hand()), settled=settled, by=worker)
            if self._loses_answers:
                again = Hand(Doing.REPEATING, claim, outcome)
                yield Step(f"settle {outcome}, answer lost", hold(after, worker, again), settled=settled, by=worker)

    def _ended(self, row: Row, claim: Claim, outcome: Outcome) -> Row:
        state, attempt, lost_count = decided(claim, outcome, self._max_attempts)
        return row._replace(
            state=state,
            attempt=attempt,
            lost_count=lost_count,
            owner=None,
            live=False,
            holds_key=self.keeps_key(),
        )

    def _look(self, world: World, worker: int) -> Step:
        for number, row in enumerate(world.rows):
            if row.state is State.RUNNING and row.owner == worker:
                return Step("look", hold(world, worker, Hand(Doing.GIVING_BACK, claim_of(number, row))))
        return Step("look", hold(world, worker, Hand()))

    def _give_back(self, world: World, worker: int, hand: Hand) -> Step:
        claim = hand.claim
        assert claim is not None
        row = world.rows[claim.run]
        if not self.may_release(row, claim, worker):
            return Step("release: refused", hold(world, worker, Hand()))
        given = row._replace(
            state=State.QUEUED, owner=None, live=False, attempt=row.attempt - 1, holds_key=self.keeps_key()
        )
        return Step("release", hold(write(world, claim.run, given), worker, Hand()), settled=claim, by=worker)

    def _of_the_rescuer(self, world: World) -> Iterator[Step]:
        for number, row in enumerate(world.rows):
            if row.state is State.RUNNING and not row.live:
                yield Step("the rescuer reads", world._replace(reading=Reading(claim_of(number, row))))
        reading = world.reading
        if reading is None:
            return
        row, done = world.rows[reading.claim.run], world._replace(reading=None)
        if self.may_rescue(row, reading):
            rescued = self._ended(row, reading.claim, Outcome.LOST)
            yield Step("the rescuer writes", write(done, reading.claim.run, rescued), settled=reading.claim)
        else:
            yield Step("the rescuer is refused", done)


def claim_of(number: int, row: Row) -> Claim:
    return Claim(number, row.token, row.attempt, row.lost_count, row.cancel_requested)


def write(world: World, number: int, row: Row) -> World:
    return world._replace(rows=(*world.rows[:number], row, *world.rows[number + 1 :]))


def hold(world: World, worker: int, hand: Hand) -> World:
    return world._replace(hands=(*world.hands[:worker], hand, *world.hands[worker + 1 :]))


def claims_in(world: World) -> list[Claim]:
    """Return the claims that somebody remembers."""
    claims = [hand.claim for hand in world.hands if hand.claim is not None]
    claims += [] if world.reading is None else [world.reading.claim]
    return claims if world.message is None else [*claims, world.message]


def next_token(world: World, number: int) -> int:
    known = [claim.token for claim in claims_in(world) if claim.run == number]
    return max([world.rows[number].token, *known]) + 1


def in_short(world: World) -> World:
    """Return the world as far as any step can tell it from another.

    Of tokens only order and equality matter, so those that are still known are numbered anew: a claim that is given
    back costs no attempt, and there would be no end of worlds. What a stale claim remembers beside its token matters
    to nobody. The two workers are alike.
    """
    known = tuple(
        sorted({row.token, *(claim.token for claim in claims_in(world) if claim.run == number)})
        for number, row in enumerate(world.rows)
    )
    rows = tuple(row._replace(token=known[number].index(row.token)) for number, row in enumerate(world.rows))

    def short(claim: Claim) -> Claim:
        token = known[claim.run].index(claim.token)
        if token != rows[claim.run].token:
            return Claim(claim.run, token, 1, 0, False)
        return claim._replace(token=token)

    first, second = (hand if hand.claim is None else hand._replace(claim=short(hand.claim)) for hand in world.hands)
    reading = world.reading
    if reading is not None:
        reading = reading._replace(claim=short(reading.claim))
    if repr(second) < repr(first):
        first, second = second, first
        rows = tuple(row if row.owner is None else row._replace(owner=1 - row.owner) for row in rows)
    message = world.message
    if message is not None:
        # Of a message only run and token are read.
        message = Claim(message.run, known[message.run].index(message.token), 1, 0, False)
    return World(rows, (first, second), reading, message)
