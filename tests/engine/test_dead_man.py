"""What the watchdog says to a service outside, and what it never says of that."""

import logging
from datetime import timedelta

from rota.engine.dead_man import DeadMan, terms_of
from tests.clocks import FakeClock
from tests.receiver import answered, receiving
from tests.values import MINUTE, NOON

INSIDE = ("127.0.0.0/8",)


def a_dead_man(url, good_at):
    return DeadMan(
        url, terms=terms_of(url, INSIDE), clock=FakeClock(), good_at=lambda: good_at[-1], every=timedelta(seconds=60)
    )


def test_a_pass_that_went_well_is_told_once_and_none_before(caplog):  # R52
    good_at = [None]
    with receiving(answered(200)) as receiver:
        dead_man = a_dead_man(receiver.url, good_at)
        dead_man.tick(NOON)
        good_at.append(NOON)
        dead_man.tick(NOON)
        dead_man.tick(NOON + MINUTE)
        good_at.append(NOON + 2 * MINUTE)
        dead_man.tick(NOON + 2 * MINUTE)

        assert len(receiver.requests) == 2
    assert caplog.records == []


def test_an_address_that_fails_is_said_once_without_its_secret(caplog):  # R52, R65
    caplog.set_level(logging.WARNING)
    good_at = [NOON]
    with receiving(answered(500)) as receiver:
        dead_man = a_dead_man(receiver.url, good_at)
        for minutes in range(3):
            good_at.append(NOON + minutes * MINUTE)
            dead_man.tick(good_at[-1])

    [record] = caplog.records
    assert "500" in record.getMessage()
    assert "hook" not in record.getMessage()


def test_an_address_that_nobody_answers_ends_no_loop(caplog):  # R52
    with receiving(answered(200)) as receiver:
        url = receiver.url

    assert a_dead_man(url, [NOON]).tick(NOON) > timedelta(0)
    assert "hook" not in caplog.text
