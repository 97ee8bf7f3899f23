"""How fast somebody may go on."""

import pytest

from rota.core.pace import Bucket, spent


def go(bucket, *, now=0.0, cost=1.0):
    return spent(bucket, rate=10, burst=20, now=now, cost=cost)


def test_so_many_may_be_done_at_once_and_then_so_many_a_second():  # T58
    bucket = None
    for _ in range(20):
        answer = go(bucket)
        assert answer.wait_s == 0
        bucket = answer.bucket

    assert go(bucket).wait_s == pytest.approx(0.1)
    assert go(bucket, now=0.1).wait_s == 0


def test_what_is_refused_costs_nothing():
    empty = Bucket(left=0.0, at=0.0)

    assert go(go(empty).bucket, now=0.1).wait_s == 0


def test_a_pause_saves_no_more_than_a_burst():
    assert go(Bucket(left=0.0, at=0.0), now=1000.0).bucket.left == 19


def test_what_costs_more_than_a_burst_is_done_when_all_is_saved_and_paid_for_later():
    answer = go(None, cost=50)

    assert answer.wait_s == 0
    assert go(answer.bucket, now=3.0).wait_s == pytest.approx(0.1)
