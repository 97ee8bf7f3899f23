"""What an idle process asks each second: of what there is something to do. Where a sign is missing its verb finds
nothing. (R38: an idle worker costs next to nothing)"""

import pytest

from rota.queries import Sign
from tests.limits import a_limit
from tests.values import (
    HOUR,
    MINUTE,
    NOON,
    a_control,
    a_delivery,
    a_round,
    a_run,
    a_schedule,
    add_rounds,
    an_incident,
    claim,
    settle_all,
    succeeded,
)


def queued(store):
    store.enqueue([a_run()], now=NOON)


def came_due(store):
    store.enqueue([a_run(due_at=NOON)], now=NOON - MINUTE)


def expired_in_the_queue(store):
    store.enqueue([a_run(expires_at=NOON)], now=NOON - MINUTE)


def waits_for_its_key(store):
    store.enqueue([a_run(concurrency_key="k"), a_run(concurrency_key="k")], now=NOON)


def held(store):
    store.enqueue([a_run(held_by="depends")], now=NOON)


def aside(store):
    store.enqueue([a_run(), a_run()], now=NOON)
    assert len(claim(store, limits=(a_limit("job", "report", running=1),))) == 1


def a_round_is_over(store):
    round_ = a_round()
    add_rounds(store, round_)
    store.enqueue([a_run(round_id=round_.id)], now=NOON)
    settle_all(store, *map(succeeded, claim(store)))


def a_slot_is_due(store):
    store.put_schedule(a_schedule(next_at=NOON), expected_version=None)


def somebody_paused_something(store):
    store.put_control(a_control(), expected_version=None)


def an_alert_waits(store):
    store.alerts.write(an_incident(), expected_version=None, deliveries=[a_delivery()])


SHOWN = {
    queued: Sign.RUN_QUEUED,
    came_due: Sign.RUN_DUE,
    expired_in_the_queue: Sign.RUN_DUE,
    waits_for_its_key: Sign.RUN_DUE,
    held: Sign.RUN_HELD,
    aside: Sign.RUN_ASIDE,
    a_round_is_over: Sign.ROUND_OVER,
    a_slot_is_due: Sign.SLOT_DUE,
    somebody_paused_something: Sign.CONTROL,
    an_alert_waits: Sign.ALERT_WAITING,
}


@pytest.mark.parametrize("arrange", SHOWN, ids=lambda arrange: arrange.__name__)
def test_what_there_is_to_do_has_its_sign(store, arrange):  # R38
    arrange(store)

    assert SHOWN[arrange] in store.signs(now=NOON)


def test_what_is_over_and_what_is_to_come_have_none(store):  # R38
    store.enqueue([a_run(concurrency_key="k", expires_at=NOON + HOUR)], now=NOON)
    settle_all(store, *map(succeeded, claim(store)))
    store.enqueue([a_run(due_at=NOON + MINUTE, held_by="depends", expires_at=NOON + HOUR)], now=NOON)
    store.put_schedule(a_schedule(next_at=NOON + MINUTE), expected_version=None)

    assert store.signs(now=NOON) == frozenset()
