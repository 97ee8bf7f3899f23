"""No order of the protocol's steps breaks a promise; without any one of its guards some order does. (R30, G2-G5)"""

import pytest

from rota.core.model import State
from tests.model.exploring import Broken, explore
from tests.model.protocol import Claim, Protocol, Reading, Row, World


def test_no_order_of_steps_breaks_the_protocol():
    # The number is a lock: whoever adds a step or a guard looks at this again.
    assert explore(Protocol()) == 1326


def test_retries_and_cancellations_break_nothing():
    assert explore(Protocol(max_attempts=2, cancels=True)) == 9992


def test_of_two_runs_that_share_a_key_never_both_run_and_both_end():  # R10
    assert explore(Protocol(loses_answers=False), runs=2) > 1000


def test_runs_that_are_sent_to_a_fleet_break_nothing():  # G2, G5, G7
    assert explore(Protocol(sends=True)) == 8257


class CompletionSeesOnlyTheState(Protocol):
    def may_settle(self, row: Row, claim: Claim) -> bool:
        return row.state is State.RUNNING


class RescueById(Protocol):
    def may_rescue(self, row: Row, reading: Reading) -> bool:
        return row.state is State.RUNNING


class RescueByTokenAlone(Protocol):
    def may_rescue(self, row: Row, reading: Reading) -> bool:
        return row.state is State.RUNNING and row.token == reading.claim.token


class UnfencedHeartbeat(Protocol):
    def may_renew(self, row: Row, claim: Claim, worker: int) -> bool:
        return row.state is State.RUNNING


class ReleaseById(Protocol):
    def may_release(self, row: Row, claim: Claim, worker: int) -> bool:
        return row.state is State.RUNNING


class CompletionOfWhatHasEnded(Protocol):
    def may_settle(self, row: Row, claim: Claim) -> bool:
        return row.token == claim.token


class KeyIsNeverCleared(Protocol):
    def keeps_key(self) -> bool:
        return True


class KeyIsClearedByARefusedSettlement(Protocol):
    def after_refusal(self, row: Row) -> Row:
        return row._replace(holds_key=False)


@pytest.mark.parametrize(
    ("mutant", "what"),
    [
        (CompletionSeesOnlyTheState, "a stale token was recorded"),
        (RescueById, "a live lease was taken"),
        (RescueByTokenAlone, "a live lease was taken"),
        (UnfencedHeartbeat, "the lease of a claim that nobody holds was moved"),
        (ReleaseById, "a stale token was recorded"),
        (CompletionOfWhatHasEnded, "a stale token was recorded"),
    ],
)
def test_without_this_guard_a_promise_is_broken(mutant, what):  # fault rows A4, A10, B1
    with pytest.raises(Broken) as broken:
        explore(mutant())

    assert str(broken.value).startswith(what)


@pytest.mark.parametrize(
    ("mutant", "what"),
    [(KeyIsNeverCleared, "it can never end"), (KeyIsClearedByARefusedSettlement, "two runs of one key run")],
)
def test_a_key_is_cleared_by_its_holder_and_by_nobody_else(mutant, what):  # R10
    with pytest.raises(Broken) as broken:
        explore(mutant(loses_answers=False), runs=2)

    assert str(broken.value).startswith(what)


class TakeOverByState(Protocol):
    def may_take_over(self, row: Row, claim: Claim) -> bool:
        return row.state is State.RUNNING


class TakeOverUnderTheSameToken(Protocol):
    def token_over(self, world: World, number: int) -> int:
        return world.rows[number].token


@pytest.mark.parametrize(
    ("mutant", "what"),
    [
        (TakeOverByState, "a live lease was taken"),
        (TakeOverUnderTheSameToken, "a live lease was taken"),
    ],
)
def test_a_run_is_taken_over_once_and_under_a_new_token(mutant, what):  # fault rows J2, J3
    with pytest.raises(Broken) as broken:
        explore(mutant(sends=True))

    assert str(broken.value).startswith(what)
