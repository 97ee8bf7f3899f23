from datetime import timedelta
from random import Random

import pytest

from rota.core.policy import Retry
from rota.core.retry import wait

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (5000, 3600)])
def test_waits_grow_by_the_factor_up_to_the_longest(attempt, seconds):  # R32
    retry = Retry(jitter=False)

    assert wait(retry, attempt=attempt, random=Random(1)) == seconds * SECOND


def test_jitter_spreads_waits_evenly_below_that():  # R32
    random = Random(7)

    waits = [wait(Retry(base=10 * SECOND), attempt=1, random=random) for _ in range(2000)]

    assert timedelta(0) <= min(waits) < 0.1 * SECOND and 9.9 * SECOND < max(waits) <= 10 * SECOND
    assert abs(sum(waits, timedelta(0)) / 2000 - 5 * SECOND) < 0.2 * SECOND


@pytest.mark.parametrize("fields", [{"attempts": 0}, {"base": -SECOND}, {"max_wait": -SECOND}, {"factor": 0.5}])
def test_a_policy_that_makes_no_sense_is_refused(fields):
    with pytest.raises(ValueError, match="Retry"):
        Retry(**fields)
